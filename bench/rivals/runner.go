package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

const (
	unit        = "MB/s"
	partsAxis   = "parts in flight"
	readersAxis = "readers"
)

// A runner measures what the options ask for.
type runner struct {
	options *options
	dir     string
	report  *report.Report
	log     io.Writer
	stamp   uint32 // of the last bytes that were stored: see data.Set
}

// A rival is a contender whose store is open.
type rival struct {
	contender
	store store
}

// all measures in all modes. In the report, downloads come behind all uploads.
func (r *runner) all(ctx context.Context) error {
	for _, m := range r.options.sse.Values {
		if len(r.options.in(m)) == 0 {
			continue
		}
		if err := r.mode(ctx, m); err != nil {
			return err
		}
	}
	r.report.Series = slices.Concat(r.series(partsAxis), r.series(readersAxis))
	return nil
}

// series returns those of one axis.
func (r *runner) series(axis string) []report.Series {
	return slices.DeleteFunc(slices.Clone(r.report.Series), func(s report.Series) bool { return s.Axis != axis })
}

// mode opens the stores, measures and closes them.
func (r *runner) mode(ctx context.Context, m mode) (err error) {
	dir := filepath.Join(r.dir, string(m))
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var rivals []rival
	defer func() {
		for _, v := range slices.Backward(rivals) {
			err = errors.Join(err, v.store.close())
		}
	}()
	for _, c := range r.options.in(m) {
		p := place{dir: filepath.Join(dir, c.name), encrypt: m == encrypted, minio: r.options.minio}
		if err := os.MkdirAll(p.dir, 0o700); err != nil {
			return err
		}
		s, err := c.open(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		rivals = append(rivals, rival{c, s})
	}
	for _, kind := range r.options.data.Values {
		if err := r.kind(ctx, m, kind, rivals); err != nil {
			return err
		}
	}
	return nil
}

// kind measures with one kind of data: uploads, then downloads of one object.
func (r *runner) kind(ctx context.Context, m mode, kind data.Kind, rivals []rival) error {
	o := r.options
	// Not closed after an error: an upload that was given up may be reading.
	set := data.NewSet(kind, o.partsFor(slices.Max(o.parallel.Values)), int(o.part))
	about := report.Series{Group: fmt.Sprintf("upload, %s, %s", kind, m), Axis: partsAxis, Unit: unit}
	for _, parallel := range o.parallel.Values {
		about.Case = strconv.Itoa(parallel)
		if err := r.uploads(ctx, about, set, parallel, rivals); err != nil {
			return err
		}
	}
	if o.readers > 0 {
		about = report.Series{Group: fmt.Sprintf("download, %s, %s", kind, m), Axis: readersAxis, Unit: unit, Case: strconv.Itoa(o.readers)}
		if err := r.downloads(ctx, about, set, rivals); err != nil {
			return err
		}
	}
	set.Close()
	return nil
}

// next returns an object of bytes that no store has seen.
func (r *runner) next(set *data.Set, parts int) (object, error) {
	r.stamp++
	return newObject("object", set.Parts(parts, r.stamp))
}

// uploads measures one number of parts under way. Before that every rival stores an object that is
// not measured, whose bytes are verified.
func (r *runner) uploads(ctx context.Context, about report.Series, set *data.Set, parallel int, rivals []rival) error {
	fmt.Fprintf(r.log, "rivals: %s, %s %s\n", about.Group, about.Case, about.Axis)
	parts := r.options.partsFor(parallel)
	warm, err := r.next(set, parts)
	if err != nil {
		return err
	}
	for _, v := range rivals {
		_, err := warm.upload(ctx, v.store, parallel)
		if err == nil {
			err = errors.Join(warm.verify(ctx, v.store), v.store.remove(ctx, warm.key))
		}
		if err != nil {
			return fmt.Errorf("%s, %s %s: %s: %w", about.Group, about.Case, about.Axis, v.name, err)
		}
	}
	var o object
	turns := 0 // all of a round store the same bytes
	runs := make([]report.Run, len(rivals))
	for i, v := range rivals {
		runs[i] = report.Run{Name: v.name}
		runs[i].Prepare = func(context.Context) (err error) {
			if turns%len(rivals) == 0 {
				o, err = r.next(set, parts)
			}
			turns++
			return err
		}
		runs[i].Measure = func(ctx context.Context) (float64, error) {
			took, err := o.upload(ctx, v.store, parallel)
			if err != nil {
				return 0, err
			}
			return rate(o.size, took), v.store.remove(ctx, o.key)
		}
	}
	return r.report.Measure(ctx, r.options.rounds, about, runs, report.Settle)
}

// downloads measures reading one object that all rivals have. Each reads it once before it is
// measured, so that the page cache has it.
func (r *runner) downloads(ctx context.Context, about report.Series, set *data.Set, rivals []rival) (err error) {
	fmt.Fprintf(r.log, "rivals: %s, %s %s\n", about.Group, about.Case, about.Axis)
	o, err := r.next(set, r.options.partsFor(1))
	if err != nil {
		return err
	}
	runs := make([]report.Run, len(rivals))
	for i, v := range rivals {
		if _, err := o.upload(ctx, v.store, r.options.parallel.Values[0]); err != nil {
			return fmt.Errorf("%s: %s: %w", about.Group, v.name, err)
		}
		defer func() { err = errors.Join(err, v.store.remove(context.WithoutCancel(ctx), o.key)) }()
		if err := o.verify(ctx, v.store); err != nil {
			return fmt.Errorf("%s: %s: %w", about.Group, v.name, err)
		}
		runs[i] = report.Run{Name: v.name}
		runs[i].Prepare = func(ctx context.Context) error {
			_, err := o.downloads(ctx, v.store, 1)
			return err
		}
		runs[i].Measure = func(ctx context.Context) (float64, error) {
			took, err := o.downloads(ctx, v.store, r.options.readers)
			if err != nil {
				return 0, err
			}
			return rate(int64(r.options.readers)*o.size, took), nil
		}
	}
	return r.report.Measure(ctx, r.options.rounds, about, runs, report.Settle)
}

// rate returns MB/s, where MB is 10^6 bytes.
func rate(bytes int64, took time.Duration) float64 { return float64(bytes) / 1e6 / took.Seconds() }
