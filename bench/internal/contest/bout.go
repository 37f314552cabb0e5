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

// Run is a run of a contender, each round in a new store below dir. prepare does what is not
// measured.
func (k Contender) Run(
	about report.Series, dir string, encrypt bool,
	prepare func(context.Context, Store) error,
	measure func(context.Context, Store) ([]float64, error),
) report.Run {
	var store Store // nil: not open
	about.Contender, dir = k.Name, filepath.Join(dir, "measured")
	return report.Run{
		Series: about,
		Prepare: func(ctx context.Context) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			s, err := k.Open(ctx, dir, encrypt)
			if err != nil {
				return err
			}
			store = s
			return prepare(ctx, store)
		},
		Measure: func(ctx context.Context) ([]float64, error) { return measure(ctx, store) },
		Finish: func() (err error) {
			if store != nil {
				err, store = store.Close(), nil
			}
			return errors.Join(err, os.RemoveAll(dir))
		},
	}
}

// measure adds a group to the report.
func (c *Contest) measure(ctx context.Context, g group) error {
	most := c.partsFor(slices.Max(c.Parallel.Values))
	warm := min(most, max(1, warmBytes/int(c.part)))
	parts, free := data.NewSet(g.data, most+warm, int(c.part))
	cases, axis := c.Parallel.Values, "parts in flight"
	if g.op == Download {
		cases, axis = c.Readers.Values, "readers"
	}
	for _, n := range cases {
		c.Logf("%v: %s: %d", g, axis, n)
		b := &bout{before: parts[most:], parallel: n}
		if g.op == Download {
			b.parallel = c.Parallel.Values[0]
			for range n {
				b.sinks = append(b.sinks, NewSink())
			}
		}
		var err error
		if b.object, err = newObject(ctx, parts[:c.partsFor(b.parallel)]); err != nil {
			return err
		}
		if g.data == data.Stored {
			b.before = b.object.parts
		}
		about := report.Series{Group: g.String(), Axis: axis, Case: strconv.Itoa(n)}
		var runs []report.Run
		for _, k := range c.Contenders {
			if g.open(k) {
				runs = append(runs, b.run(k, about, c.dir, g.mode != Plain))
			}
		}
		if err := c.report.Interleave(ctx, c.Rounds, units, runs, process.Settle); err != nil {
			return err
		}
	}
	free() // not after an error: an upload that was given up may be reading
	return nil
}

// A bout is what all contenders of a group do in one case. What they upload they must give back,
// which is not measured.
type bout struct {
	object   *object
	before   [][]byte // of what is uploaded before it
	parallel int      // parts under way
	sinks    []*Sink  // of downloads; none: uploads are measured
}

func (b *bout) run(k Contender, about report.Series, dir string, encrypt bool) report.Run {
	if b.sinks == nil {
		return k.Run(about, dir, encrypt,
			func(ctx context.Context, s Store) error {
				_, err := upload(ctx, s, "before", b.before, b.parallel)
				return err
			},
			func(ctx context.Context, s Store) ([]float64, error) {
				cost, err := process.Measure(func() error {
					return b.object.upload(ctx, s, b.parallel)
				})
				if err == nil && !k.WriteOnly {
					err = b.object.verify(ctx, s)
				}
				return k.values(cost, b.object.size, len(b.object.parts)), err
			})
	}
	return k.Run(about, dir, encrypt,
		func(ctx context.Context, s Store) error {
			if err := b.object.upload(ctx, s, b.parallel); err != nil {
				return fmt.Errorf("upload: %w", err)
			}
			return b.object.verify(ctx, s) // the page cache has it then
		},
		func(ctx context.Context, s Store) ([]float64, error) {
			cost, err := process.Measure(func() error { return b.object.download(ctx, s, b.sinks) })
			return k.values(cost, int64(len(b.sinks))*b.object.size, len(b.sinks)), err
		})
}

// values are those of a cost, in the order of units, of n bytes in shares.
func (k *Contender) values(c process.Cost, n int64, shares int) []float64 {
	values := []float64{process.Rate(n, c.Time)}
	if !k.Remote {
		perByte, share := float64(c.CPU)/float64(n), float64(c.Heap)/1024/float64(shares)
		values = append(values, perByte, share)
	}
	return values
}
