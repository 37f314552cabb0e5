/*
Charts draws what the flag -json of the benchmarks has written, as PREFIX.svg and PREFIX.png, and prints
the tables of it for a document. Several reports of one machine are drawn as one.

	cd bench/charts
	go run . [-o PREFIX] [-log] [-markdown] FILE.json...

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

const synopsis = "[-o PREFIX] [-log] [-markdown] FILE.json..."

// options are the arguments.
type options struct {
	prefix   string
	log      bool
	markdown bool
	files    []string
}

func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("charts", flag.ContinueOnError)
	flags.StringVar(&o.prefix, "o", "", "write `PREFIX`.svg and PREFIX.png")
	flags.BoolVar(&o.log, "log", false, "make the scale of lines logarithmic")
	flags.BoolVar(&o.markdown, "markdown", false, "print the tables as Markdown")
	// Flags are taken behind files, too: what is made from them is often named last.
	for {
		if err := cli.Parse(flags, args, synopsis, stdout); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			break
		}
		o.files, args = append(o.files, flags.Arg(0)), flags.Args()[1:]
	}
	switch {
	case len(o.files) == 0:
		return nil, cli.Usagef("no FILE.json is given to draw")
	case o.prefix == "" && !o.markdown:
		return nil, cli.Usagef("-o PREFIX, where the charts go, is missing, and so is -markdown")
	}
	return o, nil
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main without the process around it. It returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	return cli.Conclude(context.Background(), drawFiles(args, stdout), "charts", "-h", stderr)
}

// drawFiles reads the reports, prints the tables and writes the charts, as the arguments ask.
func drawFiles(args []string, stdout io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	var reports []*report.Report
	for _, file := range o.files {
		r, err := report.Load(file)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	r, err := report.Merge(reports...)
	if err != nil {
		return err
	}
	if o.markdown {
		if err := r.Table(stdout); err != nil {
			return err
		}
	}
	if o.prefix == "" {
		return nil
	}
	for _, format := range []string{"svg", "png"} {
		if err := write(r, o.log, o.prefix, format); err != nil {
			return err
		}
	}
	return nil
}

// write makes or replaces a file.
func write(r *report.Report, log bool, prefix, format string) (err error) {
	c, err := drawing(r, log, format)
	if err != nil {
		return err
	}
	f, err := os.Create(prefix + "." + format)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = c.WriteTo(f)
	return err
}
