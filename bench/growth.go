package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

const (
	growthFillers = 4 // parts under way at once while the store grows
	maxChunks     = 1 << 30
)

// growthOptions are the arguments of the growth command.
type growthOptions struct {
	cli.Place
	chunks              cli.List[int]
	chunkSize, partSize bytesize.Size
	rounds              int
	command             string
}

func parseGrowth(args []string, stdout io.Writer) (*growthOptions, error) {
	o := &growthOptions{chunkSize: 4 << 10, partSize: 1 << 20, rounds: 7}
	o.chunks = cli.Counts(0, maxChunks, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
	flags := flag.NewFlagSet("bench growth", flag.ContinueOnError)
	flags.Var(&o.chunks, "chunks", "`numbers` of stored chunks at which to measure")
	cli.Size(flags, &o.chunkSize, "chunk-size", 1, engine.MaxPartSize, "`bytes` of a chunk, or a number with KiB or MiB")
	cli.Size(flags, &o.partSize, "part-size", 1, engine.MaxPartSize, "`bytes` of a part that is measured")
	cli.Rounds(flags, &o.rounds)
	o.Define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return nil, err
	}
	slices.Sort(o.chunks.Values)
	o.command = cli.Command("go run ./bench growth", flags, "dir", "json")
	return o, nil
}

// runGrowth is the growth command.
func runGrowth(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) (err error) {
	o, err := parseGrowth(args, stdout)
	if err != nil {
		return err
	}
	return o.In(func(dir string) error {
		r := report.New(fmt.Sprintf("Parts of %v into stores of more and more chunks of %v", o.partSize, o.chunkSize), o.command, dir,
			"Parts are random and durable; those that are measured come one at a time, all dirty pages written before each.",
			fmt.Sprintf("Growing is how the store got to this number of chunks: %d parts at once.", growthFillers),
			"CPU is that of the process, work in the background included.", megabyteNote)
		if err := o.measure(ctx, r, dir, stderr); err != nil {
			return err
		}
		return r.Write(stdout, o.JSON)
	})
}

// measure makes a store for each number of chunks, and then measures parts into all of them in
// turns: one store that grows would have each number at another time, when the machine may do other
// things.
func (o *growthOptions) measure(ctx context.Context, r *report.Report, dir string, stderr *log.Logger) (err error) {
	var stores []*growth
	defer func() {
		for _, g := range stores {
			err = errors.Join(err, g.engine.Close())
		}
	}()
	runs := make([]report.Run, len(o.chunks.Values))
	for i, chunks := range o.chunks.Values {
		g, err := openGrowth(ctx, filepath.Join(dir, strconv.Itoa(chunks)), int64(o.chunkSize), stderr)
		if err != nil {
			return err
		}
		stores = append(stores, g)
		if err := g.fill(ctx, int64(chunks), int64(o.partSize)); err != nil {
			return fmt.Errorf("%d chunks: %w", chunks, err)
		}
		stderr.Printf("%d chunks are stored", chunks)
		runs[i] = g.run(int64(o.partSize))
	}
	times, err := report.Interleave(ctx, o.rounds, runs, process.Settle)
	if err != nil {
		return err
	}
	for i, g := range stores {
		rates := make([]float64, o.rounds)
		for n, ms := range times[i] {
			rates[n] = float64(o.partSize) / 1e3 / ms
		}
		for _, s := range []report.Series{
			{Group: "a part", Unit: "ms", Contender: "time", Values: times[i]},
			{Group: "a part", Unit: "ms", Contender: "CPU", Values: g.cpu},
			{Group: "rate", Unit: "MB/s", Contender: "part by part", Values: rates},
			{Group: "rate", Unit: "MB/s", Contender: "growing", Values: g.rate},
			{Group: "disk", Unit: "MiB", Contender: "index", Values: []float64{float64(g.size.IndexBytes) / (1 << 20)}},
			{Group: "disk", Unit: "MiB", Contender: "store", Values: []float64{float64(g.size.DiskBytes) / (1 << 20)}},
		} {
			if s.Axis, s.Case = "chunks", strconv.Itoa(o.chunks.Values[i]); len(s.Values) > 0 {
				r.Series = append(r.Series, s)
			}
		}
	}
	return nil
}

// A growth is a store that was made to grow.
type growth struct {
	engine    *engine.Engine
	chunkSize int64
	upload    string // id of the open upload, "" when there is none
	number    int    // of the last part of upload
	seed      uint64 // of the last part of all

	rate []float64           // MB/s while it grew, none when it did not have to
	size *engine.StatsResult // when it had grown
	cpu  []float64           // ms a part
}

func openGrowth(ctx context.Context, dir string, chunkSize int64, stderr *log.Logger) (*growth, error) {
	e, err := contest.OpenEngine(ctx, dir, engine.Options{ChunkSize: int(chunkSize)}, engine.OSS, stderr.Printf)
	return &growth{engine: e, chunkSize: chunkSize}, err
}

// fill stores parts of random bytes until there are so many chunks.
func (g *growth) fill(ctx context.Context, chunks, partSize int64) (err error) {
	if g.size, err = g.engine.Stats(ctx, &engine.StatsRequest{}); err != nil {
		return err
	}
	if total := (chunks - g.size.Chunks) * g.chunkSize; total > 0 {
		partSize = max(partSize/g.chunkSize, 1) * g.chunkSize // whole chunks, so that their number comes out
		var turn sync.Mutex                                   // next and source are for one at a time
		clock := time.Now()
		err = fanout.Each(ctx, growthFillers, int((total+partSize-1)/partSize), func(ctx context.Context, i int) error {
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
		if err != nil {
			return err
		}
		g.rate = []float64{contest.Rate(total, time.Since(clock))}
	}
	g.size, err = g.engine.Stats(ctx, &engine.StatsRequest{})
	return err
}

// run is one part into the store. Its value is in milliseconds.
func (g *growth) run(partSize int64) report.Run {
	body := make([]byte, partSize)
	var req *engine.UploadPartRequest
	return report.Run{
		Name: fmt.Sprintf("%d chunks", g.size.Chunks),
		Prepare: func(ctx context.Context) (err error) {
			g.source().Read(body) // never fails
			req, err = g.next(ctx)
			return err
		},
		Measure: func(ctx context.Context) (float64, error) {
			req.Body = bytes.NewReader(body)
			before, clock := process.CPUTime(), time.Now()
			_, err := g.engine.UploadPart(ctx, req)
			took := time.Since(clock)
			g.cpu = append(g.cpu, milliseconds(process.CPUTime()-before))
			return milliseconds(took), err
		},
	}
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

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
