package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"slices"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

const (
	plain     = "plain"
	algorithm = "AES256"
	maxBodies = 4 << 30 // bytes of all parts of one measurement: they are kept in memory

	megabyteNote = "MB is 10^6 bytes."
	storedNote   = "Stored data is uploaded only, and only plain: encrypted chunks are found again within one upload only, and downloads are those of random data."
)

// engineOptions are the arguments of the engine command.
type engineOptions struct {
	contest.Contest
	cli.Place
	groups []contest.Group
}

func parseEngine(args []string, stdout io.Writer) (*engineOptions, error) {
	ops, kinds, sse := cli.Choices(contest.Upload, contest.Download), cli.Choices(data.Random, data.JSON, data.Stored), cli.Choices(plain, algorithm)
	parallel, part := cli.Counts(1, contest.MaxParallel, 1, 4, 16, 64), bytesize.Size(16<<20)
	o := &engineOptions{Contest: contest.Contest{Rounds: 5, Fresh: true}}
	flags := flag.NewFlagSet("bench engine", flag.ContinueOnError)
	flags.Var(&ops, "op", "`operations` to measure")
	flags.Var(&kinds, "data", "`kinds` of data: random bytes, lines of JSON, or random bytes that are stored already")
	flags.Var(&sse, "sse", "`encryptions` to measure with")
	flags.Var(&parallel, "parallel", "`numbers` of parts in flight, and of readers at once, to measure")
	cli.Size(flags, &part, "part", bytesize.Size(engine.OSS.MinPartSize()), maxBodies, "`bytes` of a part, or a number with KiB, MiB or GiB")
	cli.Int(flags, &o.Parts, "parts", 0, engine.MaxPartNumber, "parts of an object (default 16, or as many as there are in flight)")
	cli.Rounds(flags, &o.Rounds)
	o.Place.Define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return nil, err
	}
	o.Parallel, o.Readers, o.Part = parallel.Values, parallel.Values, int(part)
	for _, op := range ops.Values {
		for _, kind := range kinds.Values {
			for _, mode := range sse.Values {
				if kind != data.Stored || op == contest.Upload && mode == plain {
					o.groups = append(o.groups, contest.Group{Op: op, Data: kind, Mode: mode, Encrypt: mode != plain})
				}
			}
		}
	}
	switch most := slices.Max(o.Parallel); {
	case o.Parts > 0 && o.Parts < most && slices.Contains(ops.Values, contest.Upload):
		return nil, cli.Usagef("-parts is %d: %d can not be in flight", o.Parts, most)
	case len(o.groups) == 0:
		return nil, cli.Usagef("nothing is left to measure: %s", storedNote)
	}
	o.Report = report.New(fmt.Sprintf("Parts of %v through the engine, and the least that they take", part),
		cli.Command("go run ./bench engine", flags, "dir", "json"), o.Place.Dir, megabyteNote,
		"Allocated: heap that was asked for, for a part or a reader.",
		"Uploads: from Initiate to Complete, every part durable. floor: the same digests, compression, sealing, volumes and syncs, without engine and index; hashing: MD5, CRC-64 and chunk addresses, nothing stored; crypto/md5: that alone.",
		"Downloads: each reader reads the whole object, which the page cache holds, every chunk verified.", storedNote)
	o.Report.Baseline = floorName
	return o, o.CheckParts(maxBodies)
}

// runEngine is the engine command.
func runEngine(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	o, err := parseEngine(args, stdout)
	if err != nil {
		return err
	}
	o.Logf = stderr.Printf
	o.Contenders = append([]contest.Contender{contest.Gabion(engine.OSS, o.Logf)}, lesser()...)
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
