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
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

const (
	bucket    = contest.Bucket
	minioName = "minio"

	// maxObject keeps an object within what gofakes3 can store with bolt: one value of less than 2
	// GiB.
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

// parse makes the contest that the arguments ask for, and says what to measure.
func parse(args []string, stdout, stderr io.Writer) (*contest.Contest, []contest.Group, error) {
	c := &contest.Contest{
		Data: cli.Choices(data.Random, data.JSON), Modes: cli.Choices(contest.Plain, "sse"),
		Parallel: cli.Counts(1, contest.MaxParallel, 16),
		Logf:     func(format string, args ...any) { fmt.Fprintf(stderr, "rivals: "+format+"\n", args...) },
	}
	var names []string
	for _, k := range contenders("", nil) {
		names = append(names, k.Name)
	}
	only, minio, readers := cli.Choices(names...), "", cli.Counts(0, contest.MaxParallel, 4)
	flags := flag.NewFlagSet("rivals", flag.ContinueOnError)
	c.Define(flags, engine.S3.MinPartSize(), maxObject)
	flags.Var(&readers, "readers", "`numbers` of downloads at once; 0 leaves them out")
	flags.Var(&only, "only", "`names` of the contenders; minio is left out without -minio")
	flags.StringVar(&minio, minioName, "", "`path` of a MinIO server's binary")
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return nil, nil, err
	}
	for _, path := range []*string{&c.Dir, &c.JSON, &minio} { // now, because a contender changes the working directory
		if abs, err := filepath.Abs(*path); *path != "" && err == nil {
			*path = abs
		}
	}
	command := cli.Command("go run .", flags, "dir", "json", minioName)
	if minio != "" {
		command += " -minio PATH"
	}
	c.Report = report.New("Gabion and others", command, c.Dir, fmt.Sprintf(
		"objects of parts of %v; upload: from Initiate to the end of Complete; download: each reader the whole object, page cache warm; MB is 10^6 bytes", c.Part))
	all := contenders(minio, c.Logf)
	for _, name := range only.Values {
		if name == minioName && minio == "" {
			continue
		}
		k := all[slices.Index(names, name)]
		c.Contenders = append(c.Contenders, k)
		c.Report.Notes = append(c.Report.Notes, k.Name+": "+k.Note)
		if k.Name == names[0] {
			c.Report.Baseline = k.Name
		}
	}
	encrypts := func(k contest.Contender) bool { return k.Encrypts }
	switch {
	case len(c.Contenders) == 0:
		return nil, nil, cli.Usagef("-only names minio: that needs -minio PATH")
	case !slices.Contains(c.Modes.Values, contest.Plain) && !slices.ContainsFunc(c.Contenders, encrypts):
		return nil, nil, cli.Usagef("none of the contenders encrypts")
	}
	groups := c.Groups(contest.Upload)
	if c.Readers = readers.Values; !slices.Contains(c.Readers, 0) {
		groups = append(groups, c.Groups(contest.Download)...)
	}
	return c, groups, nil
}

// compare measures all, prints the table, and saves the report if asked to.
func compare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, groups, err := parse(args, stdout, stderr)
	if err != nil {
		return err
	}
	return c.Run(ctx, groups, maxObject, stdout)
}
