package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"slices"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

const (
	algorithm = "AES256"
	maxBodies = 4 << 30 // bytes of all parts of one measurement: they are kept in memory

	megabyteNote = "MB is 10^6 bytes."
	storedNote   = "Stored data is uploaded only, and only plain: encrypted chunks are found again within one upload only, and downloads are those of random data."
)

// runEngine is the engine command.
func runEngine(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	ops := cli.Choices(contest.Upload, contest.Download)
	c := &contest.Contest{
		Data: cli.Choices(data.Random, data.JSON, data.Stored), Modes: cli.Choices(contest.Plain, algorithm),
		Parallel: cli.Counts(1, contest.MaxParallel, 1, 4, 16, 64), Fresh: true, Logf: stderr.Printf,
	}
	flags := flag.NewFlagSet("bench engine", flag.ContinueOnError)
	flags.Var(&ops, "op", "`operations` to measure; -parallel are readers of downloads, too")
	c.Define(flags, engine.OSS.MinPartSize(), maxBodies)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return err
	}
	var groups []contest.Group
	for _, op := range ops.Values {
		groups = append(groups, c.Groups(op)...)
	}
	switch most := slices.Max(c.Parallel.Values); {
	case c.Parts > 0 && c.Parts < most && slices.Contains(ops.Values, contest.Upload):
		return cli.Usagef("-parts is %d: %d can not be in flight", c.Parts, most)
	case len(groups) == 0:
		return cli.Usagef("nothing is left to measure: %s", storedNote)
	}
	c.Readers = c.Parallel.Values
	c.Contenders = append([]contest.Contender{contest.Gabion(engine.OSS, c.Logf)}, lesser()...)
	c.Report = report.New(fmt.Sprintf("Parts of %v through the engine, and the least that they take", c.Part),
		cli.Command("go run ./bench engine", flags, "dir", "json"), c.Dir, megabyteNote,
		"Allocated: heap that was asked for, for a part or a reader.",
		"Uploads: from Initiate to Complete, every part durable. floor: the same digests, compression, sealing, volumes and syncs, without engine and index; hashing: MD5, CRC-64 and chunk addresses, nothing stored; crypto/md5: that alone.",
		"Downloads: each reader reads the whole object, which the page cache holds, every chunk verified.", storedNote)
	c.Report.Baseline = floorName
	return c.Run(ctx, groups, maxBodies, stdout)
}
