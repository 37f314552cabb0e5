package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	growthFillers  = 4 // parts under way at once while the store grows
	maxMark        = 1 << 30
	growthSynopsis = "[-chunks 1000,3000,...,1000000] [-chunk-size 4KiB] [-part-size 1MiB] [-rounds 7] [-dir DIR] [-json FILE]"
)

// growthOptions are the arguments of the growth command.
type growthOptions struct {
	marks     cli.List[int64]
	chunkSize bytesize.Size
	partSize  bytesize.Size
	rounds    int
	dir       string // where the stores are made; "" is the directory of temporary files
	output    output
}

// chunkMarks is a flag: numbers of chunks in a store, ascending. marks are its default.
func chunkMarks(marks ...int64) cli.List[int64] {
	return cli.List[int64]{Values: marks, Parse: func(word string, before []int64) (int64, error) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || n < 0 || n > maxMark {
			return 0, fmt.Errorf("%q is not a number of chunks, 0 to %d", word, maxMark)
		}
		if last := len(before) - 1; last >= 0 && n <= before[last] {
			return 0, fmt.Errorf("%d does not come after %d, but numbers of chunks must ascend", n, before[last])
		}
		return n, nil
	}}
}

func parseGrowth(args []string, stdout io.Writer) (*growthOptions, error) {
	o := &growthOptions{
		marks:     chunkMarks(1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
		chunkSize: 4 << 10, partSize: 1 << 20,
	}
	flags := flag.NewFlagSet("bench growth", flag.ContinueOnError)
	flags.Var(&o.marks, "chunks", "`numbers` of stored chunks at which to measure, ascending")
	flags.Var(&o.chunkSize, "chunk-size", "`bytes` of a chunk, or a number with KiB or MiB")
	flags.Var(&o.partSize, "part-size", "`bytes` of a part that is measured")
	flags.IntVar(&o.rounds, "rounds", 7, "parts to measure at each number, of which the median counts")
	flags.StringVar(&o.dir, "dir", "", "`directory` in which the stores are made, and removed at the end; by default that of temporary files")
	o.output.define(flags)
	if err := cli.Parse(flags, args, growthSynopsis, stdout); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, cli.Usagef("%q: the growth command takes flags only", flags.Arg(0))
	case o.chunkSize < 1:
		return nil, cli.Usagef("-chunk-size is %v, must be at least 1 byte", o.chunkSize)
	case o.partSize < 1 || o.partSize > engine.MaxPartSize:
		return nil, cli.Usagef("-part-size is %v, must be 1 byte to %v", o.partSize, bytesize.Size(engine.MaxPartSize))
	}
	return o, checkRounds(o.rounds)
}

// runGrowth is the growth command.
func runGrowth(ctx context.Context, args []string, stdout io.Writer, out *console) (err error) {
	o, err := parseGrowth(args, stdout)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "gabion-growth-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := measureGrowth(ctx, o, dir, out)
	if err != nil {
		return err
	}
	return o.output.write(r, stdout)
}

// measureGrowth makes a store for each mark, and then measures parts into all of them in turns: one store
// that grows would have each number of chunks at another time, when the machine may do other things.
func measureGrowth(ctx context.Context, o *growthOptions, dir string, out *console) (_ *report.Report, err error) {
	points := make([]growthPoint, len(o.marks.Values))
	defer func() {
		for i := range points {
			if g := points[i].growth; g != nil {
				err = errors.Join(err, g.engine.Close())
			}
		}
	}()
	runs := make([]report.Run, len(points))
	for i, mark := range o.marks.Values {
		p := &points[i]
		p.mark = mark
		if p.growth, err = openGrowth(ctx, filepath.Join(dir, strconv.FormatInt(mark, 10)), o, out); err != nil {
			return nil, err
		}
		if err := p.fill(ctx, int64(o.partSize)); err != nil {
			return nil, fmt.Errorf("%d chunks: %w", mark, err)
		}
		out.notef("%d chunks are stored", mark)
		runs[i] = p.run(int64(o.partSize))
	}
	times, err := report.Interleave(ctx, o.rounds, runs, report.Settle)
	if err != nil {
		return nil, err
	}
	r := &report.Report{
		Title:   fmt.Sprintf("Parts of %s into stores of more and more chunks of %s", bytesize.Human(int64(o.partSize)), bytesize.Human(int64(o.chunkSize))),
		Command: fmt.Sprintf("go run ./bench growth -chunks %v -chunk-size %v -part-size %v -rounds %d", o.marks, o.chunkSize, o.partSize, o.rounds),
		Date:    time.Now().UTC().Truncate(time.Second),
		Machine: report.ThisMachine(dir),
		Notes: []string{
			"Parts are random and durable; those that are measured come one at a time, all dirty pages written before each.",
			fmt.Sprintf("Growing is how the store got to this number of chunks: %d parts at once.", growthFillers),
			"CPU is that of the process, work in the background included.",
			megabyteNote,
		},
	}
	for i := range points {
		r.Series = append(r.Series, points[i].series(times[i], int64(o.partSize))...)
	}
	return r, nil
}

// A growth makes a store larger and larger.
type growth struct {
	engine    *engine.Engine
	index     string // directory
	chunkSize int64
	upload    string // id of the open upload, "" when there is none
	number    int    // of the last part of upload
	seed      uint64 // of the last part of all
}

func openGrowth(ctx context.Context, dir string, o *growthOptions, out *console) (*growth, error) {
	e, err := engine.Open(ctx, dir, &engine.Options{
		ChunkSize: int(o.chunkSize),
		Events:    &engine.Events{Alarm: func(err error) { out.notef("the store reports: %v", err) }},
	})
	if errors.Is(err, engine.ErrInvalidArgument) {
		return nil, cli.Usagef("%v", err)
	}
	if err != nil {
		return nil, err
	}
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: bucket}); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return &growth{engine: e, index: filepath.Join(dir, "index"), chunkSize: int64(o.chunkSize)}, nil
}

// A growthPoint is what was measured at one number of chunks.
type growthPoint struct {
	*growth
	mark  int64     // chunks, before the first part is measured
	cpu   []float64 // ms a part; none where the system does not tell
	rate  float64   // MB/s up to here, 0 when the store did not have to grow
	files struct {  // bytes on disk
		index, store int64
	}
}

// fill grows the store to its mark.
func (p *growthPoint) fill(ctx context.Context, partSize int64) (err error) {
	if p.rate, err = p.growTo(ctx, p.mark, partSize); err != nil {
		return err
	}
	stats, err := p.engine.Stats(ctx, &engine.StatsRequest{})
	if err != nil {
		return err
	}
	p.files.store = stats.DiskBytes
	p.files.index, err = disk.Usage(p.index)
	return err
}

// run is one part into the store. Its value is in milliseconds.
func (p *growthPoint) run(partSize int64) report.Run {
	body := make([]byte, partSize)
	var req *engine.UploadPartRequest
	return report.Run{
		Name: strconv.FormatInt(p.mark, 10) + " chunks",
		Prepare: func(ctx context.Context) (err error) {
			p.source().Read(body) // never fails
			req, err = p.next(ctx)
			return err
		},
		Measure: func(ctx context.Context) (float64, error) {
			req.Body = bytes.NewReader(body)
			before, known := processTime()
			clock := time.Now()
			_, err := p.engine.UploadPart(ctx, req)
			took := time.Since(clock)
			if after, _ := processTime(); known {
				p.cpu = append(p.cpu, milliseconds(after-before))
			}
			return milliseconds(took), err
		},
	}
}

// series returns the point as series of a report, those of the same unit in one group. times are in
// milliseconds.
func (p *growthPoint) series(times []float64, partSize int64) (all []report.Series) {
	add := func(group, unit, contender string, values ...float64) {
		if len(values) > 0 {
			all = append(all, report.Series{
				Group: group, Axis: "chunks", Case: strconv.FormatInt(p.mark, 10), Contender: contender, Unit: unit, Values: values,
			})
		}
	}
	add("a part", "ms", "time", times...)
	add("a part", "ms", "CPU", p.cpu...)
	rates := make([]float64, len(times))
	for i, ms := range times {
		rates[i] = float64(partSize) / 1e3 / ms
	}
	add("rate", "MB/s", "part by part", rates...)
	if p.rate > 0 {
		add("rate", "MB/s", "growing", p.rate)
	}
	add("disk", "MiB", "index", float64(p.files.index)/(1<<20))
	add("disk", "MiB", "store", float64(p.files.store)/(1<<20))
	return all
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

// growTo stores parts of random bytes until there are so many chunks, and returns how fast.
func (g *growth) growTo(ctx context.Context, mark, partSize int64) (rate float64, err error) {
	stats, err := g.engine.Stats(ctx, &engine.StatsRequest{})
	if err != nil {
		return 0, err
	}
	total := (mark - stats.Chunks) * g.chunkSize
	if total <= 0 {
		return 0, nil
	}
	partSize = max(partSize/g.chunkSize, 1) * g.chunkSize // whole chunks, so that their number comes out
	parts := int((total + partSize - 1) / partSize)
	var turn sync.Mutex // next and source are for one at a time
	clock := time.Now()
	err = fanout.Each(ctx, growthFillers, parts, func(ctx context.Context, i int) error {
		turn.Lock()
		req, err := g.next(ctx)
		body := io.LimitReader(g.source(), min(partSize, total-int64(i)*partSize))
		turn.Unlock()
		if err != nil {
			return err
		}
		req.Body = body
		_, err = g.engine.UploadPart(ctx, req)
		return err
	})
	return megabytes(total, time.Since(clock)), err
}

// next is a request for the next part, of a new upload when the last one has no more numbers.
func (g *growth) next(ctx context.Context) (*engine.UploadPartRequest, error) {
	const key = "growth"
	if g.upload == "" || g.number == engine.MaxPartNumber {
		up, err := g.engine.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: bucket, Key: key})
		if err != nil {
			return nil, err
		}
		g.upload, g.number = up.UploadID, 0
	}
	g.number++
	return &engine.UploadPartRequest{Bucket: bucket, Key: key, UploadID: g.upload, PartNumber: g.number}, nil
}

// source returns bytes that no part before has had.
func (g *growth) source() *rand.ChaCha8 {
	g.seed++
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], g.seed)
	return rand.NewChaCha8(key)
}
