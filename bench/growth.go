package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

// growthOptions are the arguments of the growth command.
type growthOptions struct {
	cli.Place
	chunks              cli.List[int]
	chunkSize, partSize bytesize.Size
	rounds              int
}

// runGrowth is the growth command.
func runGrowth(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	const most = 1 << 30 // chunks
	o := &growthOptions{chunkSize: 4 << 10, partSize: 1 << 20, rounds: 7}
	o.chunks = cli.Counts(0, most, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
	flags := flag.NewFlagSet("bench growth", flag.ContinueOnError)
	flags.Var(&o.chunks, "chunks", "`numbers` of stored chunks at which to measure")
	cli.Size(flags, &o.chunkSize, "chunk-size", 1, engine.MaxPartSize, "`bytes` of a chunk")
	cli.Size(flags, &o.partSize, "part-size", 1, engine.MaxPartSize,
		"`bytes` of a part that is measured")
	cli.Rounds(flags, &o.rounds)
	o.Define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return err
	}
	slices.Sort(o.chunks.Values)
	title := fmt.Sprintf("Parts of %v into stores of more and more chunks of %v",
		o.partSize, o.chunkSize)
	command := cli.Command("go run ./bench growth", flags, "dir", "json")
	return o.In(func(dir string) error {
		r := report.New(title, command, dir, "Parts are random and durable; those that are measured"+
			" come one at a time, all dirty pages written before each.",
			"MB/s are those of the upload that made the store. CPU is that of the process, work in"+
				" the background included.")
		if err := o.measure(ctx, r, dir, stderr); err != nil {
			return err
		}
		return r.Write(stdout, o.JSON)
	})
}

// measure makes a store for each number of chunks, and then measures parts into all of them in
// turns: one store that grows would have each number at another time, when the machine may do other
// things.
func (o *growthOptions) measure(
	ctx context.Context, r *report.Report, dir string, stderr *log.Logger,
) (err error) {
	var stores []*growth
	defer func() {
		for _, g := range stores {
			err = errors.Join(err, g.engine.Close())
		}
	}()
	var runs []report.Run
	for _, chunks := range o.chunks.Values {
		name := strconv.Itoa(chunks)
		g, err := openGrowth(ctx, filepath.Join(dir, name), int64(o.chunkSize), stderr)
		if err != nil {
			return err
		}
		stores = append(stores, g)
		took, err := g.fill(ctx, int64(chunks))
		if err != nil {
			return fmt.Errorf("%d chunks: %w", chunks, err)
		}
		stats, err := g.engine.Stats(ctx, &engine.StatsRequest{})
		if err != nil {
			return err
		}
		stderr.Printf("%d chunks are stored", chunks)
		about := report.Series{Group: "a part", Axis: "chunks", Case: name, Contender: "gabion"}
		runs = append(runs, g.run(about, int64(o.partSize)))
		about.Group = "the store"
		r.Add(about, "MB/s", process.Rate(stats.StoredBytes, took))
		r.Add(about, "index MiB", float64(stats.IndexBytes)/(1<<20))
		r.Add(about, "store MiB", float64(stats.DiskBytes)/(1<<20))
	}
	return r.Interleave(ctx, o.rounds, []string{"ms", "CPU ms"}, runs, process.Settle)
}

// A growth is a store that was made to grow.
type growth struct {
	engine    *contest.Engine
	chunkSize int64
	source    *rand.ChaCha8 // of bytes that no part before has had
}

func openGrowth(
	ctx context.Context, dir string, chunkSize int64, stderr *log.Logger,
) (*growth, error) {
	options := engine.Options{ChunkSize: int(chunkSize)}
	e, err := contest.OpenEngine(ctx, dir, options, engine.OSS, stderr.Printf)
	return &growth{e, chunkSize, rand.NewChaCha8([32]byte{})}, err
}

// fill stores so many chunks, as one object, and returns how long that took.
func (g *growth) fill(ctx context.Context, chunks int64) (time.Duration, error) {
	if chunks == 0 {
		return 0, nil
	}
	// Parts are whole chunks, so that their number comes out, and large enough for any number.
	size := chunks * g.chunkSize
	least := max(engine.DefaultPartSize, size/engine.MaxPartNumber)
	begin := time.Now()
	_, err := g.engine.Upload(ctx, &engine.UploadRequest{
		Bucket: bucket, Key: "fill", Body: io.LimitReader(g.source, size), Size: size,
		PartSize: (least/g.chunkSize + 1) * g.chunkSize,
	})
	return time.Since(begin), err
}

// run is one part into the store.
func (g *growth) run(about report.Series, partSize int64) report.Run {
	const key = "part"
	body, id := make([]byte, partSize), ""
	return report.Run{
		Series: about,
		Prepare: func(ctx context.Context) (err error) {
			g.source.Read(body) // never fails
			id, err = g.engine.Initiate(ctx, key)
			return err
		},
		Measure: func(ctx context.Context) ([]float64, error) {
			cost, err := process.Measure(func() error {
				_, err := g.engine.UploadPart(ctx, key, id, 1, body)
				return err
			})
			return []float64{milliseconds(cost.Time), milliseconds(cost.CPU)}, err
		},
	}
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }
