package main

import (
	"errors"
	"flag"
	"io"
	"os"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

const megabyteNote = "MB is 10^6 bytes."

// output is where a report goes beside standard output. What is "" is not written.
type output struct {
	json  string // file
	chart string // prefix of files
}

func (o *output) define(flags *flag.FlagSet) {
	flags.StringVar(&o.json, "json", "", "also write the value of every round to `FILE`, which the chart command reads")
	flags.StringVar(&o.chart, "chart", "", "also draw `PREFIX`.svg and PREFIX.png")
}

// write prints the table and writes the files.
func (o *output) write(r *report.Report, stdout io.Writer) error {
	if err := r.Table(stdout); err != nil {
		return err
	}
	return o.files(r)
}

// files writes the files that were asked for.
func (o *output) files(r *report.Report) error {
	if o.json != "" {
		if err := writeFile(o.json, r.WriteJSON); err != nil {
			return err
		}
	}
	if o.chart != "" {
		return writeCharts(r, o.chart, nil)
	}
	return nil
}

// writeFile makes or replaces a file.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}
