/*
Charts draws what the flag -json of the benchmarks has written, as PREFIX.svg, and prints the tables
of it for a document.

	cd bench/charts
	go run . [-o PREFIX] [-log] [-markdown] FILE.json

It is a module of its own, so that Gabion does not depend on what draws.

Exit status: 0 when all went well, 1 when something failed, 2 for wrong arguments.
*/
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main without the process around it. It returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	return cli.Conclude(context.Background(), drawFile(args, stdout), "charts", "-h", stderr)
}

// drawFile reads the report, prints the tables and draws, as the arguments ask.
func drawFile(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("charts", flag.ContinueOnError)
	prefix := flags.String("o", "", "write `PREFIX`.svg")
	log := flags.Bool("log", false, "make the scale of lines logarithmic")
	markdown := flags.Bool("markdown", false, "print the tables as Markdown")
	if err := cli.Parse(flags, args, "FILE.json", stdout); err != nil {
		return err
	}
	switch {
	case flags.NArg() != 1:
		return cli.Usagef("one FILE.json must be given to draw")
	case *prefix == "" && !*markdown:
		return cli.Usagef("-o PREFIX, where the chart goes, is missing, and so is -markdown")
	}
	r, err := report.Load(flags.Arg(0))
	if err == nil && *markdown {
		err = r.Table(stdout)
	}
	if err == nil && *prefix != "" {
		err = write(r, *log, *prefix+".svg")
	}
	return err
}

// write makes or replaces a file.
func write(r *report.Report, log bool, path string) (err error) {
	c, err := drawing(r, log)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = c.WriteTo(f)
	return err
}
