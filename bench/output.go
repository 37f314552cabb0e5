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
	json string // file
}

func (o *output) define(flags *flag.FlagSet) {
	flags.StringVar(&o.json, "json", "", "also write the values of each round to `FILE`, for the chart command")
}

// write prints the table and writes the files.
func (o *output) write(r *report.Report, stdout io.Writer) error {
	if err := r.Table(stdout); err != nil {
		return err
	}
	if o.json == "" {
		return nil
	}
	return writeFile(o.json, r.WriteJSON)
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
