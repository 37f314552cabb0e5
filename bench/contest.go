package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/crypto"
)

// warmBytes is how much is uploaded before what counts: more than the engine's chunk buffers, so
// that they are paged in.
const warmBytes = 80 << 20

// A contest measures the contestants and adds to a report.
type contest struct {
	options *engineOptions
	dir     string
	report  *report.Report
	out     *console

	set    *data.Set
	kind   data.Kind // of set
	stamps uint32    // rounds of set that were used
}

// bodies returns parts of a kind, as they are in a round.
func (c *contest) bodies(kind data.Kind, n int, round uint32) [][]byte {
	if c.kind != kind {
		c.close() // so that there are never two
		c.set, c.kind = data.NewSet(kind, c.options.mostParts(), int(c.options.part)), kind
	}
	return c.set.Parts(n, round)
}

// close gives the memory back.
func (c *contest) close() {
	if c.set != nil {
		c.set.Close()
		c.set = nil
	}
}

// measure adds one group to the report.
func (c *contest) measure(ctx context.Context, g group) error {
	if g.op == opDownload {
		return c.downloads(ctx, g)
	}
	var allocated allocations
	for _, parallel := range c.options.parallel.Values {
		c.out.notef("%v: parts in flight: %d", g, parallel)
		if err := c.uploads(ctx, g, parallel, &allocated); err != nil {
			return err
		}
	}
	c.report.Notes = append(c.report.Notes, fmt.Sprintf("%v: %v.", g, &allocated))
	return nil
}

// keyring opens the key ring of sealing contestants; nil for others.
func (c *contest) keyring(sse string) (*crypto.Keyring, error) {
	if sse == plain {
		return nil, nil
	}
	return openKeyring(filepath.Join(c.dir, "keyring"), true)
}

// uploads measures one case and notes what is allocated for a part.
func (c *contest) uploads(ctx context.Context, g group, parallel int, allocated *allocations) error {
	keys, err := c.keyring(g.sse)
	if err != nil {
		return err
	}
	u := c.newUploads(g, keys, parallel)
	var runs []report.Run
	for _, k := range uploading() {
		runs = append(runs, u.run(k))
	}
	about := report.Series{Group: g.String(), Axis: "parts in flight", Case: strconv.Itoa(parallel), Unit: "MB/s"}
	if err := c.report.Measure(ctx, c.options.rounds, about, runs, report.Settle); err != nil {
		return err
	}
	for _, k := range storing() {
		allocated.add(k.name, u.allocated[k.name], u.parts)
	}
	return nil
}

// uploads is one case: a number of parts in flight.
type uploads struct {
	*contest
	group    group
	keys     *crypto.Keyring
	parallel int
	parts    int

	first     uint32 // of the rounds of the data: each round takes one to warm up, and one that counts
	seen      map[uint32]*outcome
	allocated map[string][]float64 // bytes, by contestant
}

func (c *contest) newUploads(g group, keys *crypto.Keyring, parallel int) *uploads {
	u := &uploads{
		contest: c, group: g, keys: keys, parallel: parallel, parts: c.options.partsFor(parallel),
		first: c.stamps, seen: map[uint32]*outcome{}, allocated: map[string][]float64{},
	}
	c.stamps += 2 * uint32(c.options.rounds)
	return u
}

// run is the part of one contestant, which has a new store every time.
func (u *uploads) run(k contestant) report.Run {
	var s session
	round := u.first
	dir := filepath.Join(u.dir, "store")
	return report.Run{
		Name: k.name,
		Prepare: func(ctx context.Context) (err error) {
			if s, err = k.open(ctx, dir, u.keys, u.out); err != nil {
				return err
			}
			if u.group.data == data.Stored {
				_, err = s.upload(ctx, "before", u.bodies(u.group.data, u.parts, round+1), u.parallel)
				return err
			}
			warm := min(u.parts, max(1, warmBytes/int(u.options.part)))
			_, err = s.upload(ctx, "before", u.bodies(u.group.data, warm, round), u.parallel)
			return err
		},
		Measure: func(ctx context.Context) (float64, error) {
			rate, err := u.timed(ctx, k.name, s, round+1)
			round += 2
			return rate, err
		},
		Finish: func() (err error) {
			if s != nil {
				err = s.close()
				s = nil
			}
			return errors.Join(err, os.RemoveAll(dir))
		},
	}
}

// timed uploads the data of a round and returns MB/s. All contestants must find the same digests.
func (u *uploads) timed(ctx context.Context, name string, s session, round uint32) (float64, error) {
	bodies := u.bodies(u.group.data, u.parts, round)
	allocated := totalAllocated()
	begin := time.Now()
	got, err := s.upload(ctx, "object", bodies, u.parallel)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	u.allocated[name] = append(u.allocated[name], float64(totalAllocated()-allocated))
	want := u.seen[round]
	if want == nil {
		u.seen[round], want = got, got
	}
	if err := want.compare(got); err != nil {
		return 0, err
	}
	if want.crc64 == nil {
		want.crc64 = got.crc64
	}
	return megabytes(int64(u.parts)*int64(u.options.part), took), nil
}

// An outcome is what a contestant says about an object.
type outcome struct {
	md5   []md5Sum // of the parts
	crc64 *uint64  // of the object; nil if the contestant does not compute it
}

func (o *outcome) compare(got *outcome) error {
	if !slices.Equal(o.md5, got.md5) {
		return errors.New("the MD5 of a part differs from that of who was measured before")
	}
	if o.crc64 != nil && got.crc64 != nil && *o.crc64 != *got.crc64 {
		return errors.New("the CRC-64 differs from that of who was measured before")
	}
	return nil
}
