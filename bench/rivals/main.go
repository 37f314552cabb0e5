/*
Rivals runs the same uploads and downloads through Gabion and through others, in turns.

	cd bench/rivals
	go run . [-parallel 16] [-parts N] [-part 16MiB] [-data random,json] [-sse plain,sse] [-readers 4]
		[-rounds 5] [-only NAMES] [-minio PATH] [-dir DIR] [-json FILE]

It is a module of its own, so that Gabion depends on none of its rivals. README.md says what the
numbers mean, who syncs what, and who verifies.

Exit status: 0 when all went well, 1 when something failed, 2 for wrong arguments, 130 when
interrupted. A contender that computes a wrong ETag or returns wrong bytes is a failure.
*/
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

const (
	bucket    = contest.Bucket
	minioName = "minio"
	plain     = "plain"
	encrypted = "sse"

	// maxObject keeps an object within what gofakes3 can store with bolt: one value of less than 2 GiB.
	maxObject = 2<<30 - 1<<20
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends even a clean-up that hangs
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return cli.Conclude(ctx, compare(ctx, args, stdout, stderr), "rivals", "-h", stderr)
}

// contenders are all of them, ours first. minio is the binary of MinIO's server.
func contenders(minio string, logf func(format string, args ...any)) []contest.Contender {
	return []contest.Contender{
		contest.Gabion(engine.S3, logf), files(), versity(), bolt(), afero(), minioServer(minio),
	}
}

// options are the arguments.
type options struct {
	contest.Contest
	cli.Place
	groups []contest.Group
}

func parse(args []string, stdout, stderr io.Writer) (*options, error) {
	kinds, modes := cli.Choices(data.Random, data.JSON), cli.Choices(plain, encrypted)
	parallel, part, readers := cli.Counts(1, contest.MaxParallel, 16), bytesize.Size(16<<20), cli.Counts(0, contest.MaxParallel, 4)
	var names []string
	for _, k := range contenders("", nil) {
		names = append(names, k.Name)
	}
	only, minio := cli.Choices(names...), ""
	only.Values = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == minioName })
	o := &options{Contest: contest.Contest{Rounds: 5}}
	o.Logf = func(format string, args ...any) { fmt.Fprintf(stderr, "rivals: "+format+"\n", args...) }
	flags := flag.NewFlagSet("rivals", flag.ContinueOnError)
	flags.Var(&parallel, "parallel", "`numbers` of parts under way at once")
	cli.Size(flags, &part, "part", bytesize.Size(engine.S3.MinPartSize()), maxObject, "`bytes` of a part, or a number with KiB, MiB or GiB")
	cli.Int(flags, &o.Parts, "parts", 0, engine.MaxPartNumber, "parts of an object (default as many as -parallel, at least 16)")
	flags.Var(&kinds, "data", "`kinds` of data")
	flags.Var(&modes, "sse", "whether stores encrypt")
	flags.Var(&readers, "readers", "`numbers` of downloads at once; 0 leaves them out")
	cli.Rounds(flags, &o.Rounds)
	flags.Var(&only, "only", "`names` of the contenders; minio is one of them if -minio is given")
	flags.StringVar(&minio, minioName, "", "`path` of a MinIO server's binary; without it there is no MinIO")
	o.Place.Define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return nil, err
	}
	chosen := false
	flags.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "only" })
	switch named := slices.Contains(only.Values, minioName); {
	case named && minio == "":
		return nil, cli.Usagef("-only names minio: that needs -minio PATH")
	case minio != "" && !chosen:
		only.Values = append(only.Values, minioName)
	}
	if err := absolute(&o.Place.Dir, &o.JSON, &minio); err != nil {
		return nil, err
	}
	o.Parallel, o.Readers, o.Part = parallel.Values, readers.Values, int(part)
	command := cli.Command("go run .", flags, "dir", "json", minioName)
	if minio != "" {
		command += " -minio PATH"
	}
	o.Report = report.New("Gabion and others", command, o.Place.Dir, fmt.Sprintf(
		"objects of parts of %v; upload: from Initiate to the end of Complete; download: each reader the whole object, page cache warm; MB is 10^6 bytes", part))
	o.choose(contenders(minio, o.Logf), only.Values)
	ops := []string{contest.Upload, contest.Download}
	if slices.Contains(o.Readers, 0) {
		ops = ops[:1]
	}
	for _, op := range ops {
		for _, mode := range modes.Values {
			for _, kind := range kinds.Values {
				o.groups = append(o.groups, contest.Group{Op: op, Data: kind, Mode: mode, Encrypt: mode != plain})
			}
		}
	}
	if !slices.Contains(modes.Values, plain) && !slices.ContainsFunc(o.Contenders, func(k contest.Contender) bool { return k.Encrypts }) {
		return nil, cli.Usagef("none of the contenders encrypts")
	}
	return o, o.CheckParts(maxObject)
}

// choose takes those of all that are named, in that order.
func (o *options) choose(all []contest.Contender, names []string) {
	for _, name := range names {
		k := all[slices.IndexFunc(all, func(k contest.Contender) bool { return k.Name == name })]
		o.Contenders = append(o.Contenders, k)
		o.Report.Notes = append(o.Report.Notes, k.Name+": "+k.Note)
		if k.Name == all[0].Name {
			o.Report.Baseline = k.Name
		}
	}
}

// absolute resolves paths now, because a contender changes the working directory.
func absolute(paths ...*string) (err error) {
	for _, path := range paths {
		if *path == "" {
			continue
		}
		abs, err2 := filepath.Abs(*path)
		*path, err = abs, errors.Join(err, err2)
	}
	return err
}

// compare measures all, prints the table, and saves the report if asked to.
func compare(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stdout, stderr)
	if err != nil {
		return err
	}
	return o.In(func(dir string) error {
		o.Contest.Dir = dir
		for _, g := range o.groups {
			if err := o.Measure(ctx, g); err != nil {
				return err
			}
		}
		return o.Report.Write(stdout, o.JSON)
	})
}
