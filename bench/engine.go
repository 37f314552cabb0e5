package main

import (
	"context"
	"flag"
	"io"
	"log"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/engine"
)

// runEngine is the engine command.
func runEngine(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	c := &contest.Contest{
		Title:     "The engine, and what uploads cannot be faster than",
		Command:   "go run ./bench engine",
		Baseline:  "gabion",
		LeastPart: engine.OSS.MinPartSize(),
		Logf:      stderr.Printf,
		Data:      cli.Choices(data.Random, data.JSON, data.Stored),
		Parallel:  cli.Counts(1, contest.MaxParallel, 1, 4, 16, 64),
		Readers:   cli.Counts(1, contest.MaxParallel, 1, 4, 16),
	}
	c.Contenders = append(contest.Gabions(engine.OSS, stderr.Printf), contest.Limits()...)
	return c.Run(ctx, flag.NewFlagSet("bench engine", flag.ContinueOnError), args, stdout)
}
