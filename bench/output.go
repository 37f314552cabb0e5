package main

import (
	"flag"
	"io"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

const megabyteNote = "MB is 10^6 bytes."

// An output is the file that a report goes to beside standard output; "" for none.
type output string

func (o *output) define(flags *flag.FlagSet) {
	flags.StringVar((*string)(o), "json", "", "also write the value of every round to `FILE`, which bench/charts draws")
}

// write prints the table and writes the file.
func (o output) write(r *report.Report, stdout io.Writer) error {
	if err := r.Table(stdout); err != nil {
		return err
	}
	return o.save(r)
}

// save writes the file if it was asked for.
func (o output) save(r *report.Report) error {
	if o == "" {
		return nil
	}
	return r.Save(string(o))
}
