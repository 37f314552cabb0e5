/*
Package contest measures systems that store the same objects: all of them in turns, uploads by parts
and downloads. It compares the ETag of every upload, and reads back what every contender has stored.
*/
package contest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

// What is measured, and in which modes.
const (
	Upload    = "upload"
	Download  = "download"
	Plain     = "plain"
	Encrypted = "sse"
)

const (
	defaultParts = 16
	maxObject    = 4 << 30 // bytes of an object, which is kept in memory

	// warmBytes is how much is uploaded before what counts: more than the engine's chunk buffers,
	// so that they are paged in.
	warmBytes = 80 << 20
)

// MaxParallel bounds parts and readers under way at once.
const MaxParallel = 1024

// The units of what is measured, in this order.
var units = []string{"MB/s", "CPU ns/B", "heap KiB"}

// A Contest says what to measure. Those of its fields that are flags have their defaults before
// Run.
type Contest struct {
	Title    string
	Command  string // that runs it
	Baseline string // the contender that ratios are to, if it is measured
	Notes    []string

	Contenders []Contender
	LeastPart  int64 // bytes
	Logf       func(format string, args ...any)

	cli.Place
	Data     cli.List[data.Kind]
	Parallel cli.List[int] // parts under way at once
	Readers  cli.List[int] // downloads at once
	Rounds   int

	only, ops, modes cli.List[string]
	part             bytesize.Size
	parts            int // of an object; 0: as many as are under way, at least 16

	dir    string // where stores are made
	report *report.Report
}

// A group is what is compared with each other.
type group struct {
	op   string
	data data.Kind
	mode string
}

func (g group) String() string { return fmt.Sprintf("%s, %s, %s", g.op, g.data, g.mode) }

// Run measures what the arguments ask for, and prints and saves the report.
func (c *Contest) Run(
	ctx context.Context, flags *flag.FlagSet, args []string, stdout io.Writer,
) error {
	c.define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return err
	}
	for _, path := range []*string{&c.Dir, &c.JSON} { // now: a contender may change the directory
		if abs, err := filepath.Abs(*path); *path != "" && err == nil {
			*path = abs
		}
	}
	c.Contenders = slices.DeleteFunc(c.Contenders, func(k Contender) bool {
		return k.Open == nil || !slices.Contains(c.only.Values, k.Name)
	})
	most := slices.Max(c.Parallel.Values)
	groups := c.groups()
	switch n := c.partsFor(most); {
	case c.part > maxObject/bytesize.Size(n):
		return cli.Usagef("-part and -parts: %d parts of %v are more than %v",
			n, c.part, bytesize.Size(maxObject))
	case n < most:
		return cli.Usagef("-parts is %d: %d cannot be in flight", n, most)
	case len(groups) == 0:
		return cli.Usagef("nothing is left to measure: no contender, or stored data, which is" +
			" uploaded only and only plain")
	}
	c.report = report.New(c.Title, cli.Command(c.Command, flags, "dir", "json"), c.Dir)
	c.report.Notes = c.notes()
	for _, k := range c.Contenders {
		if k.Name == c.Baseline {
			c.report.Baseline = k.Name
		}
	}
	return c.In(func(dir string) error {
		c.dir = dir
		return c.report.WriteAfter(c.measureAll(ctx, groups), stdout, c.JSON)
	})
}

func (c *Contest) measureAll(ctx context.Context, groups []group) error {
	for _, g := range groups {
		if err := c.measure(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// define defines the flags.
func (c *Contest) define(flags *flag.FlagSet) {
	var names []string
	for _, k := range c.Contenders {
		names = append(names, k.Name)
	}
	c.only, c.ops = cli.Choices(names...), cli.Choices(Upload, Download)
	c.modes, c.part, c.Rounds = cli.Choices(Plain, Encrypted), 16<<20, 5
	flags.Var(&c.only, "only", "`names` of the contenders to measure")
	flags.Var(&c.ops, "op", "`operations` to measure")
	flags.Var(&c.Data, "data",
		"`kinds` of data: random bytes, lines of JSON, or random bytes that are stored already")
	flags.Var(&c.modes, "sse", "`modes`: whether stores encrypt")
	flags.Var(&c.Parallel, "parallel", "`numbers` of parts in flight")
	flags.Var(&c.Readers, "readers", "`numbers` of downloads at once")
	cli.Size(flags, &c.part, "part", bytesize.Size(c.LeastPart), maxObject,
		"`bytes` of a part, or a number with KiB, MiB or GiB")
	cli.Int(flags, &c.parts, "parts", 0, engine.MaxPartNumber,
		"parts of an object (default as many as are in flight, at least 16)")
	cli.Rounds(flags, &c.Rounds)
	c.Place.Define(flags)
}

// groups are all combinations that some contender can do. Data that is stored already is uploaded
// only, and only plain: encrypted chunks are found again within one upload only.
func (c *Contest) groups() (groups []group) {
	for _, op := range c.ops.Values {
		for _, kind := range c.Data.Values {
			for _, mode := range c.modes.Values {
				g := group{op, kind, mode}
				alone := kind == data.Stored && (op != Upload || mode != Plain)
				if !alone && slices.ContainsFunc(c.Contenders, g.open) {
					groups = append(groups, g)
				}
			}
		}
	}
	return groups
}

// open tells whether a contender takes part.
func (g group) open(k Contender) bool {
	return (g.mode == Plain || k.Encrypts) && (g.op == Upload || !k.WriteOnly)
}

// partsFor is how many parts an object has of which so many are under way at once.
func (c *Contest) partsFor(parallel int) int {
	if c.parts > 0 {
		return c.parts
	}
	return max(defaultParts, parallel)
}

func (c *Contest) notes() []string {
	notes := append(c.Notes,
		fmt.Sprintf("Objects of parts of %v. MB is 10^6 bytes.", c.part),
		"CPU is processor time of this process a byte, work in the background included; times MB/s,"+
			" over 1000, it is how many processors were busy. Heap is what was asked for, for a part"+
			" or a reader. Neither is known of what is not in process.",
		"Upload: from Initiate to Complete, to a new store into which something was uploaded"+
			" before; of stored data, the same bytes as another object. Then it is read back.",
		"Download: each reader the whole object into a buffer; it was read once before.")
	for _, k := range c.Contenders {
		notes = append(notes, k.Name+": "+k.Note)
	}
	return notes
}
