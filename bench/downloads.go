package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

// downloads measures a group: every contestant stores one object, which is then read again and
// again.
func (c *contest) downloads(ctx context.Context, g group) (err error) {
	keys, err := c.keyring(g.sse)
	if err != nil {
		return err
	}
	d := &downloads{contest: c, group: g, parts: c.options.partsFor(1)}
	defer func() { err = errors.Join(err, d.close()) }()
	bodies := c.bodies(g.data, d.parts, c.stamps)
	c.stamps++
	for _, k := range storing() {
		c.out.notef("%v: storing an object in %s", g, k.name)
		s, err := k.open(ctx, filepath.Join(c.dir, k.name), keys, c.out)
		if err != nil {
			return err
		}
		d.sessions = append(d.sessions, s)
		if _, err := s.upload(ctx, "object", bodies, engineParts); err != nil {
			return fmt.Errorf("%v: %s: %w", g, k.name, err)
		}
		if err := verifyDownload(ctx, s, bodies); err != nil {
			return fmt.Errorf("%v: %s: %w", g, k.name, err)
		}
	}
	return d.measure(ctx)
}

// downloads is a group of downloads.
type downloads struct {
	*contest
	group    group
	parts    int
	sessions []session // of storing, in its order
}

// measure measures all numbers of readers.
func (d *downloads) measure(ctx context.Context) error {
	var allocated allocations
	for _, readers := range d.options.parallel.Values {
		d.out.notef("%v: readers: %d", d.group, readers)
		var runs []report.Run
		taken := make([][]float64, len(d.sessions))
		for i, k := range storing() {
			runs = append(runs, report.Run{Name: k.name, Measure: func(ctx context.Context) (float64, error) {
				before := totalAllocated()
				rate, err := d.timed(ctx, d.sessions[i], readers)
				taken[i] = append(taken[i], float64(totalAllocated()-before))
				return rate, err
			}})
		}
		about := report.Series{Group: d.group.String(), Axis: "readers", Case: strconv.Itoa(readers), Unit: "MB/s"}
		if err := d.report.Measure(ctx, d.options.rounds, about, runs, report.Settle); err != nil {
			return err
		}
		for i, k := range storing() {
			allocated.add(k.name, taken[i], readers)
		}
	}
	d.report.Notes = append(d.report.Notes, fmt.Sprintf("%v: %v.", d.group, &allocated))
	return nil
}

// timed has so many readers read the object and returns the MB/s of all.
func (d *downloads) timed(ctx context.Context, s session, readers int) (float64, error) {
	length := int64(d.parts) * int64(d.options.part)
	begin := time.Now()
	err := fanout.Each(ctx, readers, readers, func(ctx context.Context, _ int) error {
		var sink counter
		if err := s.download(ctx, &sink); err != nil {
			return err
		}
		if int64(sink) != length {
			return fmt.Errorf("%d bytes came, wanted are %d", sink, length)
		}
		return nil
	})
	return megabytes(length*int64(readers), time.Since(begin)), err
}

// close closes and removes the stores.
func (d *downloads) close() (err error) {
	for i, s := range d.sessions {
		err = errors.Join(err, s.close(), os.RemoveAll(filepath.Join(d.dir, storing()[i].name)))
	}
	return err
}

// counter counts what is written.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// verifyDownload compares the object with its parts, which also brings it into the page cache.
func verifyDownload(ctx context.Context, s session, parts [][]byte) error {
	rest := &comparison{parts: slices.Clone(parts)}
	if err := s.download(ctx, rest); err != nil {
		return err
	}
	for _, part := range rest.parts {
		if len(part) > 0 {
			return errors.New("the object is shorter than its parts")
		}
	}
	return nil
}

// comparison is a writer that takes only what parts hold.
type comparison struct {
	parts [][]byte // what has not come yet; its own
}

func (c *comparison) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		for len(c.parts) > 0 && len(c.parts[0]) == 0 {
			c.parts = c.parts[1:]
		}
		if len(c.parts) == 0 {
			return n, errors.New("the object is longer than its parts")
		}
		m := min(len(p), len(c.parts[0]))
		if !bytes.Equal(p[:m], c.parts[0][:m]) {
			return n, errors.New("the object differs from its parts")
		}
		p, c.parts[0] = p[m:], c.parts[0][m:]
		n += m
	}
	return n, nil
}
