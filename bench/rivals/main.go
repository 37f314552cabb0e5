/*
Rivals runs the same uploads and downloads through Gabion and through others, in turns.

	cd bench/rivals
	go run . [-minio PATH] [FLAGS]

It is a module of its own, so that Gabion depends on none of its rivals. README.md says what the
numbers mean, who syncs what, and who verifies; -h explains the flags.

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
	"syscall"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/engine"
)

const bucket = contest.Bucket

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends even a clean-up that hangs
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	logf := func(format string, args ...any) { fmt.Fprintf(stderr, "rivals: "+format+"\n", args...) }
	c := &contest.Contest{
		Title:      "Gabion and others",
		Command:    "go run .",
		Baseline:   "gabion",
		Contenders: contenders(logf),
		LeastPart:  engine.S3.MinPartSize(),
		Logf:       logf,
		Data:       cli.Choices(data.Random, data.JSON),
		Parallel:   cli.Counts(1, contest.MaxParallel, 16),
		Readers:    cli.Counts(1, contest.MaxParallel, 4),
	}
	server := &c.Contenders[len(c.Contenders)-1]
	flags := flag.NewFlagSet("rivals", flag.ContinueOnError)
	flags.Func("minio", "`path` of a MinIO server's binary, without which minio is left out",
		func(path string) (err error) {
			if path, err = filepath.Abs(path); err == nil { // contenders change the directory
				*server, c.Command = minioServer(path), "go run . -minio PATH"
			}
			return err
		})
	err := c.Run(ctx, flags, args, stdout)
	return cli.Conclude(ctx, err, "rivals", "-h", stderr)
}

// contenders are all of them, ours first and MinIO, whose binary is not known yet, last.
func contenders(logf func(format string, args ...any)) []contest.Contender {
	return append(
		contest.Gabions(engine.S3, logf),
		contest.Files(), versity(), contest.Disk(), minioServer(""),
	)
}
