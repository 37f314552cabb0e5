package main

import (
	"fmt"
	"io"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

// newReport makes a report without series. dir is where the stores are.
func newReport(o *options, dir string) *report.Report {
	r := &report.Report{
		Title:   "Gabion and others",
		Command: o.command,
		Date:    time.Now(),
		Machine: report.ThisMachine(dir),
	}
	for _, c := range o.contenders {
		if c.name == "gabion" {
			r.Baseline = c.name
		}
	}
	r.Notes = append(r.Notes, fmt.Sprintf(
		"objects of parts of %v; upload: from Initiate to the end of Complete; download: each reader the whole object, page cache warm; MB is 10^6 bytes", o.part))
	for _, c := range o.contenders {
		r.Notes = append(r.Notes, c.name+": "+c.note)
	}
	return r
}

// write prints the table and saves the report if the options name a file.
func write(o *options, r *report.Report, stdout io.Writer) error {
	if err := r.Table(stdout); err != nil {
		return err
	}
	if o.json == "" {
		return nil
	}
	return r.Save(o.json)
}
