/*
Package contest measures systems that store the same objects: all of them in turns, uploads by parts
and downloads. It compares the ETag of every upload, and reads back what it measures downloads of.
*/
package contest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

// What is measured.
const (
	Upload   = "upload"
	Download = "download"
)

const (
	objectKey    = "object"
	defaultParts = 16
	partsAxis    = "parts in flight"
	readersAxis  = "readers"

	// warmBytes is how much is uploaded before what counts: more than the engine's chunk buffers,
	// so that they are paged in.
	warmBytes = 80 << 20
)

// MaxParallel bounds parts and readers under way at once.
const MaxParallel = 1024

// Plain is the mode of stores that do not encrypt.
const Plain = "plain"

// A Group is what is compared with each other.
type Group struct {
	Op   string
	Data data.Kind
	Mode string // Plain, or another one, in which stores encrypt
}

func (g Group) String() string { return fmt.Sprintf("%s, %s, %s", g.Op, g.Data, g.Mode) }

// A Contest says how to measure. All fields must be set, those up to Rounds by flags.
type Contest struct {
	cli.Place
	Data     cli.List[data.Kind]
	Modes    cli.List[string]
	Parallel cli.List[int] // parts under way at once
	Part     bytesize.Size
	Parts    int // of an object; 0: as many as are under way, at least 16
	Rounds   int

	Readers    []int // downloads at once
	Contenders []Contender
	Report     *report.Report
	Logf       func(format string, args ...any)

	// Fresh gives each upload a new store, in which something was stored before, has readers only
	// count what comes, and adds to the report what is allocated. Otherwise all uploads of a group
	// go to one store and are removed, and readers copy what comes into a buffer.
	Fresh bool

	dir   string // where stores are made
	stamp uint32 // of the last bytes that were stored: see data.Set
}

// Define defines the flags; the lists have their defaults.
func (c *Contest) Define(flags *flag.FlagSet, leastPart int64, mostObject bytesize.Size) {
	c.Part, c.Rounds = 16<<20, 5
	flags.Var(&c.Data, "data", "`kinds` of data: random bytes, lines of JSON, or random bytes that are stored already")
	flags.Var(&c.Modes, "sse", "`modes`: whether stores encrypt")
	flags.Var(&c.Parallel, "parallel", "`numbers` of parts in flight")
	cli.Size(flags, &c.Part, "part", bytesize.Size(leastPart), mostObject, "`bytes` of a part, or a number with KiB, MiB or GiB")
	cli.Int(flags, &c.Parts, "parts", 0, engine.MaxPartNumber, "parts of an object (default as many as are in flight, at least 16)")
	cli.Rounds(flags, &c.Rounds)
	c.Place.Define(flags)
}

// Groups are all combinations of an operation with data and modes. Data that is stored already is
// uploaded only, and only plain: encrypted chunks are found again within one upload only.
func (c *Contest) Groups(op string) (groups []Group) {
	for _, kind := range c.Data.Values {
		for _, mode := range c.Modes.Values {
			if kind != data.Stored || op == Upload && mode == Plain {
				groups = append(groups, Group{op, kind, mode})
			}
		}
	}
	return groups
}

// Run measures groups, prints the tables and saves the report. Objects of more than most bytes are
// wrong arguments.
func (c *Contest) Run(ctx context.Context, groups []Group, most bytesize.Size, stdout io.Writer) error {
	if n := c.partsFor(slices.Max(c.Parallel.Values)); c.Part > most/bytesize.Size(n) {
		return cli.Usagef("-part and -parts: %d parts of %v are more than %v", n, c.Part, most)
	}
	return c.In(func(dir string) error {
		c.dir = dir
		for _, g := range groups {
			if err := c.measure(ctx, g); err != nil {
				return err
			}
		}
		return c.Report.Write(stdout, c.JSON)
	})
}

// partsFor is how many parts an object has of which so many are under way at once.
func (c *Contest) partsFor(parallel int) int {
	if c.Parts > 0 {
		return c.Parts
	}
	return max(defaultParts, parallel)
}

// next is the number of a round whose bytes no store has seen.
func (c *Contest) next() uint32 {
	c.stamp++
	return c.stamp
}

// measure adds a group to the report.
func (c *Contest) measure(ctx context.Context, g Group) (err error) {
	b := &bout{Contest: c, group: g}
	defer func() {
		for _, v := range slices.Backward(b.rivals) {
			err = errors.Join(err, v.close())
		}
	}()
	for _, k := range c.Contenders {
		if g.Mode != Plain && !k.Encrypts || g.Op == Download && k.WriteOnly {
			continue
		}
		v := &rival{Contender: k, dir: filepath.Join(c.dir, k.Name), encrypt: g.Mode != Plain}
		b.rivals = append(b.rivals, v)
		if c.Fresh && g.Op == Upload {
			continue
		}
		if err := v.open(ctx); err != nil {
			return err
		}
	}
	// Not closed after an error: an upload that was given up may be reading.
	b.set = data.NewSet(g.Data, c.partsFor(slices.Max(c.Parallel.Values)), int(c.Part))
	cases, axis, runs := c.Parallel.Values, partsAxis, b.uploads
	if g.Op == Download {
		cases, axis, runs = c.Readers, readersAxis, b.downloads
	}
	for _, n := range cases {
		c.Logf("%v: %s: %d", g, axis, n)
		measured, err := runs(ctx, n)
		if err != nil {
			return fmt.Errorf("%v, %d %s: %w", g, n, axis, err)
		}
		about := report.Series{Group: g.String(), Axis: axis, Case: strconv.Itoa(n), Unit: "MB/s"}
		if err := c.Report.Measure(ctx, c.Rounds, about, measured, process.Settle); err != nil {
			return err
		}
		about.Group, about.Unit = about.Group+", allocated", "KiB"
		for _, v := range b.rivals {
			if about.Contender, about.Values, v.allocated = v.Name, v.allocated, nil; c.Fresh && !v.WriteOnly {
				c.Report.Series = append(c.Report.Series, about)
			}
		}
	}
	b.set.Close()
	return nil
}

// A rival is a contender and its store, nil if that is not open.
type rival struct {
	Contender
	dir     string
	encrypt bool
	store   Store

	allocated []float64 // KiB of Go's heap that were asked for, for a part or a reader, round by round
}

// timed measures what handles so many bytes, in parts or by readers, of which there are shares.
func (v *rival) timed(bytes int64, shares int, do func() (time.Duration, error)) (rate float64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	took, err := do()
	runtime.ReadMemStats(&after)
	v.allocated = append(v.allocated, float64(after.TotalAlloc-before.TotalAlloc)/1024/float64(shares))
	return Rate(bytes, took), err
}

func (v *rival) open(ctx context.Context) error {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return err
	}
	s, err := v.Open(ctx, v.dir, v.encrypt)
	if err != nil {
		return fmt.Errorf("%s: %w", v.Name, err)
	}
	v.store = s
	return nil
}

// close closes the store and removes it.
func (v *rival) close() (err error) {
	if v.store != nil {
		err, v.store = v.store.Close(), nil
	}
	return errors.Join(err, os.RemoveAll(v.dir))
}

// A bout is the measurement of a group.
type bout struct {
	*Contest
	group  Group
	set    *data.Set
	rivals []*rival
	object *object // that all have, of downloads
}

// take makes an object of bytes that no store has seen.
func (b *bout) take(ctx context.Context, parts int) (*object, error) {
	return newObject(ctx, b.set.Parts(parts, b.next()))
}

// try has every rival store an object and give the same bytes back, as is not measured.
func (b *bout) try(ctx context.Context, o *object, parallel int) error {
	for _, v := range b.rivals {
		_, err := o.upload(ctx, v.store, parallel)
		if err == nil {
			err = o.verify(ctx, v.store)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
	}
	return nil
}

// uploads are the runs of one number of parts under way.
func (b *bout) uploads(ctx context.Context, parallel int) ([]report.Run, error) {
	parts := b.partsFor(parallel)
	if !b.Fresh {
		o, err := b.take(ctx, parts)
		if err != nil {
			return nil, err
		}
		if err := b.try(ctx, o, parallel); err != nil {
			return nil, err
		}
	}
	var o *object // all of a round store the same bytes
	before, turns := b.next(), 0
	runs := make([]report.Run, len(b.rivals))
	for i, v := range b.rivals {
		runs[i] = report.Run{
			Name: v.Name,
			Prepare: func(ctx context.Context) (err error) {
				if turns++; o == nil || turns%len(runs) == 1 || len(runs) == 1 {
					if o, err = b.take(ctx, parts); err != nil {
						return err
					}
				}
				if !b.Fresh {
					return v.store.Remove(ctx, objectKey)
				}
				return b.fresh(ctx, v, o, before, parallel)
			},
			Measure: func(ctx context.Context) (float64, error) {
				return v.timed(o.size, parts, func() (time.Duration, error) { return o.upload(ctx, v.store, parallel) })
			},
		}
		if b.Fresh {
			runs[i].Finish = v.close
		}
	}
	return runs, nil
}

// fresh gives a rival a new store that has stored something: where stored data is measured, what
// comes again then.
func (b *bout) fresh(ctx context.Context, v *rival, o *object, before uint32, parallel int) error {
	if err := v.open(ctx); err != nil {
		return err
	}
	parts, number := o.parts, b.stamp
	if b.group.Data != data.Stored {
		parts = b.set.Parts(min(len(parts), max(1, warmBytes/int(b.Part))), before)
	}
	_, _, err := upload(ctx, v.store, "before", parts, parallel)
	b.set.Parts(len(o.parts), number)
	return err
}

// downloads are the runs of so many readers. Each has read the object once just before it is
// measured, so that the page cache has it.
func (b *bout) downloads(ctx context.Context, readers int) ([]report.Run, error) {
	if b.object == nil {
		o, err := b.take(ctx, b.partsFor(1))
		if err != nil {
			return nil, err
		}
		if err := b.try(ctx, o, b.Parallel.Values[0]); err != nil {
			return nil, err
		}
		b.object = o
	}
	runs := make([]report.Run, len(b.rivals))
	for i, v := range b.rivals {
		runs[i] = report.Run{
			Name: v.Name,
			Prepare: func(ctx context.Context) error {
				_, err := b.object.download(ctx, v.store, 1, !b.Fresh)
				return err
			},
			Measure: func(ctx context.Context) (float64, error) {
				return v.timed(int64(readers)*b.object.size, readers, func() (time.Duration, error) {
					return b.object.download(ctx, v.store, readers, !b.Fresh)
				})
			},
		}
	}
	return runs, nil
}

// Rate is that of n bytes in a time, in 10^6 bytes a second.
func Rate(n int64, took time.Duration) float64 { return float64(n) / 1e6 / max(took.Seconds(), 1e-9) }
