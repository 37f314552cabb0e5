package main

import (
	"context"
	"flag"
	"io"
	"os"

	"github.com/gabion-storage/gabion/bench/internal/chart"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

const chartSynopsis = "[-o PREFIX] [-log] [-markdown] FILE.json..."

// chartOptions are the arguments of the chart command.
type chartOptions struct {
	prefix   string
	log      bool
	markdown bool
	files    []string
}

func parseChart(args []string, stdout io.Writer) (*chartOptions, error) {
	o := &chartOptions{}
	flags := flag.NewFlagSet("bench chart", flag.ContinueOnError)
	flags.StringVar(&o.prefix, "o", "", "write `PREFIX`.svg and PREFIX.png")
	flags.BoolVar(&o.log, "log", false, "make the scale of lines logarithmic")
	flags.BoolVar(&o.markdown, "markdown", false, "print the tables as Markdown")
	// Flags are taken behind files, too: what is made from them is often named last.
	for {
		if err := cli.Parse(flags, args, chartSynopsis, stdout); err != nil {
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

// runChart is the chart command.
func runChart(_ context.Context, args []string, stdout io.Writer, _ *console) error {
	o, err := parseChart(args, stdout)
	if err != nil {
		return err
	}
	var reports []*report.Report
	for _, file := range o.files {
		r, err := readReport(file)
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
		if err := r.Markdown(stdout); err != nil {
			return err
		}
	}
	if o.prefix == "" {
		return nil
	}
	return writeCharts(r, o.prefix, &chart.Options{Log: o.log})
}

// readReport reads what the flag -json has written.
func readReport(path string) (*report.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	r, err := report.ReadJSON(f)
	if err != nil {
		return nil, &os.PathError{Op: "reading", Path: path, Err: err}
	}
	return r, nil
}

// writeCharts writes prefix.svg and prefix.png.
func writeCharts(r *report.Report, prefix string, o *chart.Options) error {
	d, err := chart.Draw(r, o)
	if err != nil {
		return err
	}
	if err := writeFile(prefix+".svg", d.SVG); err != nil {
		return err
	}
	return writeFile(prefix+".png", d.PNG)
}
