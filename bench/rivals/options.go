package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/engine"
)

const (
	maxParallel  = 1024
	maxRounds    = 1000
	defaultParts = 16

	// maxObject keeps an object within what gofakes3 can store with bolt: one value of less than 2 GiB.
	maxObject = 2<<30 - 1<<20
)

// options are the arguments, checked.
type options struct {
	parallel   cli.List[int]
	part       bytesize.Size
	parts      int // 0: as many as -parallel, at least defaultParts
	data       cli.List[data.Kind]
	sse        cli.List[mode]
	readers    int // 0: no downloads
	rounds     int
	dir        string
	json       string
	minio      string
	contenders []contender
	command    string // that measures the same again
}

// parse parses the arguments. all are the contenders to choose from.
func parse(args []string, all []contender, stdout io.Writer) (*options, error) {
	o := &options{
		parallel: once(parseCount, 16),
		part:     16 << 20,
		data:     once(parseKind, data.Random, data.JSON),
		sse:      once(parseMode, plain, encrypted),
	}
	var only string
	flags := flag.NewFlagSet("rivals", flag.ContinueOnError)
	flags.Var(&o.parallel, "parallel", "`numbers` of parts under way at once")
	flags.Var(&o.part, "part", "`bytes` of a part, or a number with KiB, MiB or GiB")
	flags.IntVar(&o.parts, "parts", 0, fmt.Sprintf("parts of an object (default as many as -parallel, at least %d)", defaultParts))
	flags.Var(&o.data, "data", "`kinds` of data: random, json")
	flags.Var(&o.sse, "sse", "`modes`: plain, sse")
	flags.IntVar(&o.readers, "readers", 4, "downloads at once; 0 leaves them out")
	flags.IntVar(&o.rounds, "rounds", 5, "measurements of each, of which the median counts")
	flags.StringVar(&only, "only", "", "`names` of the contenders (default all): "+strings.Join(names(all), ","))
	flags.StringVar(&o.minio, "minio", "", "`path` of a MinIO server's binary; without it there is no MinIO")
	flags.StringVar(&o.dir, "dir", "", "`directory` to make the stores in, in a temporary one that is removed (default the system's)")
	flags.StringVar(&o.json, "json", "", "also write the value of every round to `file`, which bench/charts draws")
	if err := cli.Parse(flags, args, "[FLAGS]", stdout); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, cli.Usagef("%q: there are flags only", flags.Arg(0))
	}
	if err := o.choose(all, only); err != nil {
		return nil, err
	}
	o.command = command(flags)
	return o, errors.Join(o.check(), o.absolute())
}

func (o *options) check() error {
	if o.part < bytesize.Size(engine.S3.MinPartSize()) {
		return cli.Usagef("-part is %v, must be at least %v, S3's minimum", o.part, bytesize.Size(engine.S3.MinPartSize()))
	}
	switch {
	case o.parts < 0 || o.parts > engine.MaxPartNumber:
		return cli.Usagef("-parts is %d, must be 1 to %d", o.parts, engine.MaxPartNumber)
	case o.readers < 0 || o.readers > maxParallel:
		return cli.Usagef("-readers is %d, must be 0 to %d", o.readers, maxParallel)
	case o.rounds < 1 || o.rounds > maxRounds:
		return cli.Usagef("-rounds is %d, must be 1 to %d", o.rounds, maxRounds)
	}
	if most := o.partsFor(slices.Max(o.parallel.Values)); o.part > maxObject/bytesize.Size(most) {
		return cli.Usagef("%d parts of %v are more than %v, the most that all contenders store", most, o.part, bytesize.Size(maxObject))
	}
	if !slices.ContainsFunc(o.sse.Values, func(m mode) bool { return len(o.in(m)) > 0 }) {
		return cli.Usagef("none of the contenders encrypts")
	}
	return nil
}

// absolute resolves the paths now, because a contender changes the working directory.
func (o *options) absolute() error {
	for _, path := range []*string{&o.dir, &o.json, &o.minio} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}

// choose takes the contenders that only names, all that there are if it is empty.
func (o *options) choose(all []contender, only string) error {
	if only == "" {
		for _, c := range all {
			if c.name != minioName || o.minio != "" {
				o.contenders = append(o.contenders, c)
			}
		}
		return nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(c contender) bool { return c.name == name })
		switch {
		case i < 0:
			return cli.Usagef("-only names %q: there are %s", name, strings.Join(names(all), ", "))
		case slices.ContainsFunc(o.contenders, func(c contender) bool { return c.name == name }):
			return cli.Usagef("-only names %s twice", name)
		case name == minioName && o.minio == "":
			return cli.Usagef("-only names %s: that needs -minio PATH", name)
		}
		o.contenders = append(o.contenders, all[i])
	}
	return nil
}

// in returns the contenders of a mode: those that can encrypt, or all.
func (o *options) in(m mode) []contender {
	if m == plain {
		return o.contenders
	}
	return slices.DeleteFunc(slices.Clone(o.contenders), func(c contender) bool { return !c.encrypts })
}

// partsFor returns how many parts an object has of which so many are under way at once.
func (o *options) partsFor(parallel int) int {
	if o.parts > 0 {
		return o.parts
	}
	return max(defaultParts, parallel)
}

// command returns the command that measures the same again. Where files are is left out.
func command(flags *flag.FlagSet) string {
	words := []string{"go run ."}
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "dir", "json":
		case "minio":
			words = append(words, "-minio minio")
		default:
			words = append(words, "-"+f.Name, f.Value.String())
		}
	})
	return strings.Join(words, " ")
}

func names(all []contender) []string {
	texts := make([]string, len(all))
	for i, c := range all {
		texts[i] = c.name
	}
	return texts
}

// once is a flag: what parse makes of words, each at most once. values are its default.
func once[T comparable](parse func(word string) (T, error), values ...T) cli.List[T] {
	return cli.List[T]{Values: values, Parse: func(word string, before []T) (T, error) {
		value, err := parse(word)
		if err == nil && slices.Contains(before, value) {
			err = fmt.Errorf("%v is named twice", value)
		}
		return value, err
	}}
}

// parseCount reads how many at once.
func parseCount(word string) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 || n > maxParallel {
		return 0, fmt.Errorf("%q is not a number of 1 to %d", word, maxParallel)
	}
	return n, nil
}

// parseKind reads a kind of data that can be measured here.
func parseKind(word string) (data.Kind, error) {
	if data.Kind(word) == data.Stored {
		return "", fmt.Errorf("%q is not measured here: only gabion finds what it has", word)
	}
	return data.ParseKind(word)
}

// A mode says whether the stores encrypt.
type mode string

const (
	plain     mode = "plain"
	encrypted mode = "sse"
)

func parseMode(word string) (mode, error) {
	if m := mode(word); m == plain || m == encrypted {
		return m, nil
	}
	return "", fmt.Errorf("%q is no mode: there are %s and %s", word, plain, encrypted)
}
