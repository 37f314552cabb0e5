package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/chart"
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

// write prints the table and writes the files that the options name.
func write(o *options, r *report.Report, stdout io.Writer) error {
	if err := r.Table(stdout); err != nil {
		return err
	}
	if o.json != "" {
		if err := writeTo(o.json, r.WriteJSON); err != nil {
			return err
		}
	}
	if o.chart == "" {
		return nil
	}
	d, err := chart.Draw(r, nil)
	if err != nil {
		return err
	}
	return errors.Join(writeTo(o.chart+".svg", d.SVG), writeTo(o.chart+".png", d.PNG))
}

// writeTo makes or replaces a file.
func writeTo(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}
