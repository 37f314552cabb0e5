package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

const (
	smallPut  = "put"
	smallGet  = "get"
	smallHead = "head"

	smallFillers = 16 // clients that store what is there before
)

// The units of what is measured, in this order.
var smallUnits = []string{"1/s", "p50 µs", "p99 µs", "CPU µs"}

// A small is the small command: calls of one size by some clients at once.
type small struct {
	cli.Place
	contenders []contest.Contender
	ops        cli.List[string]
	sizes      cli.List[bytesize.Size]
	clients    cli.List[int]
	n, rounds  int
	report     *report.Report
	log        *log.Logger
}

// runSmall is the small command.
func runSmall(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	s := &small{n: 1000, rounds: 5, log: stderr}
	s.contenders = append(
		contest.Gabions(engine.OSS, stderr.Printf), contest.Files(), contest.Disk(),
	)
	s.ops = cli.Choices(smallPut, smallGet, smallHead)
	s.sizes = cli.Sizes(1, 64<<20, 4<<10, 100<<10, 1<<20)
	s.clients = cli.Counts(1, contest.MaxParallel, 1, 16, 64)
	flags := flag.NewFlagSet("bench small", flag.ContinueOnError)
	flags.Var(&s.ops, "op", "`calls` to measure")
	flags.Var(&s.sizes, "size", "`sizes` of objects, in bytes or with KiB or MiB")
	flags.Var(&s.clients, "clients", "`numbers` of calls under way at once")
	cli.Int(flags, &s.n, "n", 1, math.MaxInt32, "`number` of calls in a measurement")
	cli.Rounds(flags, &s.rounds)
	s.Define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return err
	}
	if most := slices.Max(s.clients.Values); s.n < most {
		return cli.Usagef("-n is %d: %d cannot be under way", s.n, most)
	}
	s.report = report.New("Small objects", cli.Command("go run ./bench small", flags, "dir", "json"),
		s.Dir, fmt.Sprintf("Each measurement is %d calls, to a new store that holds as many objects; the"+
			" page cache holds them. Puts go to further keys, gets and heads to these.", s.n),
		"CPU is processor time of this process a call, work in the background included.")
	s.report.Baseline = "files"
	for _, k := range s.contenders {
		s.report.Notes = append(s.report.Notes, k.Name+": "+k.Note)
	}
	return s.In(func(dir string) error {
		return s.report.WriteAfter(s.measureAll(ctx, dir), stdout, s.JSON)
	})
}

func (s *small) measureAll(ctx context.Context, dir string) error {
	for _, op := range s.ops.Values {
		for _, size := range s.sizes.Values {
			if err := s.measure(ctx, dir, op, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure adds a group to the report.
func (s *small) measure(ctx context.Context, dir, op string, size bytesize.Size) error {
	most := max(slices.Max(s.clients.Values), smallFillers)
	bodies, free := data.NewSet(data.Random, most, int(size))
	for _, clients := range s.clients.Values {
		about := report.Series{
			Group: fmt.Sprintf("%s, %v", op, size), Axis: "clients", Case: strconv.Itoa(clients),
		}
		s.log.Printf("%s: clients: %d", about.Group, clients)
		c := &smallCalls{op: op, clients: clients, bodies: bodies, took: make([]time.Duration, s.n)}
		for range bodies {
			c.sinks = append(c.sinks, contest.NewSink())
		}
		var runs []report.Run
		for _, k := range s.contenders {
			if op == smallPut || !k.WriteOnly {
				runs = append(runs, k.Run(about, dir, false, c.fill, c.measure))
			}
		}
		if err := s.report.Interleave(ctx, s.rounds, smallUnits, runs, process.Settle); err != nil {
			return err
		}
	}
	free() // not after an error: a call that was given up may be reading
	return nil
}

// smallCalls are what is measured of each store: as many calls as there is room in took.
type smallCalls struct {
	op      string
	clients int
	bodies  [][]byte        // one a client, and
	sinks   []*contest.Sink // likewise
	took    []time.Duration
}

// fill puts as many objects as there will be calls.
func (c *smallCalls) fill(ctx context.Context, s contest.Store) error {
	return c.all(ctx, s.(contest.ObjectStore), smallPut, smallFillers, 0)
}

// measure makes the calls.
func (c *smallCalls) measure(ctx context.Context, s contest.Store) ([]float64, error) {
	first := 0
	if c.op == smallPut {
		first = len(c.took)
	}
	cost, err := process.Measure(func() error {
		return c.all(ctx, s.(contest.ObjectStore), c.op, c.clients, first)
	})
	slices.Sort(c.took)
	n, µs := float64(len(c.took)), float64(time.Microsecond)
	return []float64{
		n / cost.Time.Seconds(), float64(report.Percentile(c.took, 50)) / µs,
		float64(report.Percentile(c.took, 99)) / µs, float64(cost.CPU) / µs / n,
	}, err
}

// all makes all calls, each client its share, to objects from number first on.
func (c *smallCalls) all(
	ctx context.Context, s contest.ObjectStore, op string, clients, first int,
) error {
	return fanout.Each(ctx, clients, clients, func(ctx context.Context, client int) error {
		body, sink := c.bodies[client], c.sinks[client]
		for i := client; i < len(c.took) && ctx.Err() == nil; i += clients {
			key := fmt.Sprintf("%08d", first+i)
			data.Stamp(body, first+i)
			begin := time.Now()
			if err := call(ctx, s, op, key, body, sink); err != nil {
				return fmt.Errorf("%s %s: %w", op, key, err)
			}
			c.took[i] = time.Since(begin)
		}
		return nil
	})
}

// call makes one call. It fails when other than as many bytes are there.
func call(
	ctx context.Context, s contest.ObjectStore, op, key string, body []byte, sink *contest.Sink,
) (err error) {
	var size int64
	switch op {
	case smallPut:
		return s.Put(ctx, key, body)
	case smallHead:
		size, err = s.Head(ctx, key)
	default:
		sink.N = 0
		err = s.Download(ctx, key, sink)
		size = sink.N
	}
	if err == nil && size != int64(len(body)) {
		err = fmt.Errorf("%d bytes came, must be %d", size, len(body))
	}
	return err
}
