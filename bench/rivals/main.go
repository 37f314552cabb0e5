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
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/gabion-storage/gabion/bench/internal/cli"
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

// compare measures all, prints the table, and saves the report if asked to.
func compare(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, contenders(), stdout)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "gabion-rivals-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &runner{options: o, dir: dir, report: newReport(o, dir), log: stderr}
	if err := r.all(ctx); err != nil {
		return err
	}
	return write(o, r.report, stdout)
}
