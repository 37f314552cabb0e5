package contest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

// measure adds a group to the report.
func (c *Contest) measure(ctx context.Context, g group) (err error) {
	b := &bout{Contest: c, group: g}
	defer func() {
		for _, v := range slices.Backward(b.rivals) {
			err = errors.Join(err, v.close())
		}
	}()
	most := c.partsFor(slices.Max(c.Parallel.Values))
	warm := min(most, max(1, warmBytes/int(c.part)))
	parts, free := data.NewSet(g.data, most+warm, int(c.part))
	b.parts, b.before = parts[:most], parts[most:]
	if err := b.begin(ctx); err != nil {
		return fmt.Errorf("%v: %w", g, err)
	}
	cases, axis, runs := c.Parallel.Values, "parts in flight", b.uploads
	if g.op == Download {
		cases, axis, runs = c.Readers.Values, "readers", b.downloads
	}
	for _, n := range cases {
		c.Logf("%v: %s: %d", g, axis, n)
		about := report.Series{Group: g.String(), Axis: axis, Case: strconv.Itoa(n)}
		measured, err := runs(ctx, n, about)
		if err == nil {
			err = c.report.Interleave(ctx, c.Rounds, units, measured, process.Settle)
		}
		if err != nil {
			return err
		}
	}
	free() // not after an error: an upload that was given up may be reading
	return nil
}

// A rival is a contender and its store, nil if that is not open.
type rival struct {
	Contender
	dir     string
	encrypt bool
	store   Store
}

func (v *rival) open(ctx context.Context) error {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return err
	}
	s, err := v.Open(ctx, v.dir, v.encrypt)
	if err == nil {
		v.store = s
	}
	return err
}

// close closes the store and removes it.
func (v *rival) close() (err error) {
	if v.store != nil {
		err, v.store = v.store.Close(), nil
	}
	return errors.Join(err, os.RemoveAll(v.dir))
}

// values are those of a cost, in the order of units, of n bytes in shares.
func (v *rival) values(c process.Cost, n int64, shares int) []float64 {
	values := []float64{process.Rate(n, c.Time)}
	if !v.Remote {
		perByte, share := float64(c.CPU)/float64(n), float64(c.Heap)/1024/float64(shares)
		values = append(values, perByte, share)
	}
	return values
}

// A bout is the measurement of a group.
type bout struct {
	*Contest
	group  group
	parts  [][]byte // of objects
	before [][]byte // of what is uploaded before them
	rivals []*rival
	object *object // that all have, of downloads
}

// begin has every rival store an object and give the same bytes back. For downloads it stays.
func (b *bout) begin(ctx context.Context) (err error) {
	parallel := b.Parallel.Values[0]
	b.object, err = newObject(ctx, b.parts[:b.partsFor(parallel)])
	for _, k := range b.Contenders {
		if err != nil || !b.group.open(k) {
			continue
		}
		dir := filepath.Join(b.dir, k.Name)
		v := &rival{Contender: k, dir: dir, encrypt: b.group.mode != Plain}
		b.rivals = append(b.rivals, v)
		if err = v.open(ctx); err == nil {
			err = b.object.upload(ctx, v.store, parallel)
		}
		if err == nil && !k.WriteOnly {
			err = b.object.verify(ctx, v.store)
		}
		if b.group.op == Upload {
			err = errors.Join(err, v.close())
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	return err
}

// uploads are the runs of one number of parts under way, each to a new store.
func (b *bout) uploads(
	ctx context.Context, parallel int, about report.Series,
) ([]report.Run, error) {
	o, err := newObject(ctx, b.parts[:b.partsFor(parallel)])
	if err != nil {
		return nil, err
	}
	before := b.before
	if b.group.data == data.Stored {
		before = o.parts
	}
	var runs []report.Run
	for _, v := range b.rivals {
		about.Contender = v.Name
		runs = append(runs, report.Run{
			Series: about,
			Prepare: func(ctx context.Context) error {
				if err := v.open(ctx); err != nil {
					return err
				}
				_, err := upload(ctx, v.store, "before", before, parallel)
				return err
			},
			Measure: func(ctx context.Context) ([]float64, error) {
				cost, err := process.Measure(func() error { return o.upload(ctx, v.store, parallel) })
				return v.values(cost, o.size, len(o.parts)), err
			},
			Finish: v.close,
		})
	}
	return runs, nil
}

// downloads are the runs of so many readers. Each has read the object once just before it is
// measured, so that the page cache has it.
func (b *bout) downloads(
	_ context.Context, readers int, about report.Series,
) (runs []report.Run, _ error) {
	sinks := make([]*Sink, readers)
	for i := range sinks {
		sinks[i] = NewSink()
	}
	for _, v := range b.rivals {
		about.Contender = v.Name
		runs = append(runs, report.Run{
			Series: about,
			Prepare: func(ctx context.Context) error {
				return b.object.download(ctx, v.store, sinks[:1])
			},
			Measure: func(ctx context.Context) ([]float64, error) {
				cost, err := process.Measure(func() error {
					return b.object.download(ctx, v.store, sinks)
				})
				return v.values(cost, int64(readers)*b.object.size, readers), err
			},
		})
	}
	return runs, nil
}
