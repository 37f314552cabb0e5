package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

const (
	opUpload   = "upload"
	opDownload = "download"
	plain      = "plain"

	enginePart  = 16 << 20
	engineParts = 16      // at least, of one measurement
	maxBodies   = 4 << 30 // bytes of all parts of one measurement: they are kept in memory

	engineSynopsis = "[-op upload,download] [-data random,json,stored] [-sse plain,AES256] [-parallel 1,4,16,64]" +
		" [-part 16MiB] [-parts N] [-rounds 5] [-dir DIR] [-json FILE]"
)

// engineOptions are the arguments of the engine command.
type engineOptions struct {
	ops, data, sse cli.List[string]
	parallel       cli.List[int]
	part           bytesize.Size
	parts          int // 0: see partsFor
	rounds         int
	dir            string
	output         output
}

func parseEngine(args []string, stdout io.Writer) (*engineOptions, error) {
	o := &engineOptions{
		ops:      choices(opUpload, opDownload),
		data:     choices(string(data.Random), string(data.JSON), string(data.Stored)),
		sse:      choices(plain, algorithm),
		parallel: counts(maxParallel, 1, 4, 16, 64),
		part:     enginePart,
	}
	flags := flag.NewFlagSet("bench engine", flag.ContinueOnError)
	flags.Var(&o.ops, "op", "`operations` to measure")
	flags.Var(&o.data, "data", "`kinds` of data: random bytes, lines of JSON, or random bytes that are stored already")
	flags.Var(&o.sse, "sse", "`encryptions` to measure with")
	flags.Var(&o.parallel, "parallel", "`numbers` of parts in flight, and of readers at once, to measure")
	flags.Var(&o.part, "part", "`bytes` of a part, or a number with KiB, MiB or GiB")
	flags.IntVar(&o.parts, "parts", 0, "parts of an object (default 16, or as many as there are in flight)")
	flags.IntVar(&o.rounds, "rounds", 5, "measurements of each, of which the median counts")
	flags.StringVar(&o.dir, "dir", "", "working `directory`, which must not be there and is removed at the end (default a temporary one)")
	o.output.define(flags)
	if err := cli.Parse(flags, args, engineSynopsis, stdout); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, cli.Usagef("%q: the engine command takes flags only", flags.Arg(0))
	}
	return o, o.check()
}

func (o *engineOptions) check() error {
	most := slices.Max(o.parallel.Values)
	switch least := bytesize.Size(engine.OSS.MinPartSize()); {
	case o.part < least || o.part > maxBodies:
		return cli.Usagef("-part is %v, must be %v to %v", o.part, least, bytesize.Size(maxBodies))
	case o.parts < 0 || o.parts > engine.MaxPartNumber:
		return cli.Usagef("-parts is %d, must be 1 to %d", o.parts, engine.MaxPartNumber)
	case o.parts > 0 && o.parts < most && slices.Contains(o.ops.Values, opUpload):
		return cli.Usagef("-parts is %d: %d can not be in flight", o.parts, most)
	case o.part > maxBodies/bytesize.Size(o.mostParts()):
		return cli.Usagef("-part and -parts: %d parts of %v are more than the %v that are kept in memory", o.mostParts(), o.part, bytesize.Size(maxBodies))
	case len(o.groups()) == 0:
		return cli.Usagef("nothing is left to measure: %s", storedNote)
	}
	return checkRounds(o.rounds)
}

// partsFor is how many parts an object has when so many are in flight.
func (o *engineOptions) partsFor(parallel int) int {
	if o.parts > 0 {
		return o.parts
	}
	return max(engineParts, parallel)
}

func (o *engineOptions) mostParts() int { return o.partsFor(slices.Max(o.parallel.Values)) }

// A group is what is compared with each other.
type group struct {
	op   string
	data data.Kind
	sse  string
}

func (g group) String() string { return fmt.Sprintf("%s, %s, %s", g.op, g.data, g.sse) }

const storedNote = "Stored data is uploaded only, and only plain: encrypted chunks are found again within one upload only, and downloads are those of random data."

// groups are all combinations that there are.
func (o *engineOptions) groups() (groups []group) {
	for _, op := range o.ops.Values {
		for _, kind := range o.data.Values {
			for _, sse := range o.sse.Values {
				g := group{op, data.Kind(kind), sse}
				if g.data != data.Stored || op == opUpload && sse == plain {
					groups = append(groups, g)
				}
			}
		}
	}
	return groups
}

// command is what measures the same again.
func (o *engineOptions) command() string {
	text := fmt.Sprintf("go run ./bench engine -op %v -data %v -sse %v -parallel %v -part %v -rounds %d",
		o.ops, o.data, o.sse, o.parallel, o.part, o.rounds)
	if o.parts > 0 {
		text += " -parts " + strconv.Itoa(o.parts)
	}
	return text
}

// makeDir makes the working directory, a temporary one for "". One that is there is refused, because it is removed at the
// end.
func makeDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "gabion-bench-")
	}
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("-dir %s is there already: it is removed at the end, so it must be a new one", dir)
	}
	return dir, err
}

// runEngine is the engine command.
func runEngine(ctx context.Context, args []string, stdout io.Writer, stderr *console) (err error) {
	o, err := parseEngine(args, stdout)
	if err != nil {
		return err
	}
	dir, err := makeDir(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c := &contest{options: o, dir: dir, out: stderr, report: &report.Report{
		Title:    fmt.Sprintf("Parts of %s through the engine, and the least that they take", bytesize.Human(int64(o.part))),
		Command:  o.command(),
		Date:     time.Now().UTC().Truncate(time.Second),
		Machine:  report.ThisMachine(dir),
		Baseline: floorName,
		Notes:    o.notes(),
	}}
	for _, g := range o.groups() {
		// After an error the data stays: an upload that was given up may still read it.
		if err := c.measure(ctx, g); err != nil {
			return err
		}
	}
	c.close()
	return o.output.write(c.report, stdout)
}

// notes say what a reader of the report must know.
func (o *engineOptions) notes() []string {
	notes := []string{megabyteNote, "Allocated: bytes of heap that were asked for, for a part or a reader, in the order of the cases."}
	if slices.Contains(o.ops.Values, opUpload) {
		notes = append(notes, "Uploads: from Initiate to Complete, every part durable. floor: the same digests, compression, sealing, volumes and syncs, without engine and index; hashing: MD5, CRC-64 and chunk addresses, nothing stored; crypto/md5: that alone.")
	}
	if slices.Contains(o.ops.Values, opDownload) {
		notes = append(notes, "Downloads: each reader reads the whole object, which the page cache holds, every chunk verified.")
	}
	if slices.Contains(o.data.Values, string(data.Stored)) {
		notes = append(notes, storedNote)
	}
	return notes
}
