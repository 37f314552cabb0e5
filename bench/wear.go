package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"strconv"
	"sync/atomic"
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
	wearPut       = "put"
	wearComplete  = "complete"
	wearListParts = "listparts"
)

// wearOptions are the arguments of the wear command.
type wearOptions struct {
	cli.Place
	ops                      cli.List[string]
	n, window, keys, clients int
	size                     bytesize.Size
	limit                    float64
}

// runWear is the wear command.
func runWear(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	const most = 1 << 30
	o := &wearOptions{n: 1_000_000, window: 10_000, keys: 1000, clients: 16, size: 4 << 10}
	o.ops = cli.Choices(wearPut, wearComplete, wearListParts)
	flags := flag.NewFlagSet("bench wear", flag.ContinueOnError)
	flags.Var(&o.ops, "op", "`calls` to measure, each in a store of its own")
	cli.Int(flags, &o.n, "n", 2, most, "`number` of calls, whole windows, at least two")
	cli.Int(flags, &o.window, "window", 1, most/2,
		"`calls` that are compared: the first so many and the last so many")
	cli.Int(flags, &o.keys, "keys", 1, most, "`number` of keys that the calls go to in turn")
	cli.Int(flags, &o.clients, "clients", 1, contest.MaxParallel, "calls under way at once")
	cli.Size(flags, &o.size, "size", 8, 16<<20, "`bytes` of a body")
	flags.Float64Var(&o.limit, "limit", 1.2,
		"how many `times` what the first calls took the last ones may take")
	o.Define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return err
	}
	switch {
	case o.n < 2*o.window || o.n%o.window != 0: // the rest would be judged as if it were a window
		return cli.Usagef("-n is %d and -window %d, must be whole windows, at least two",
			o.n, o.window)
	case !(o.limit > 0):
		return cli.Usagef("-limit is %v, must be above 0", o.limit)
	}
	command := cli.Command("go run ./bench wear", flags, "dir", "json")
	return o.In(func(dir string) error {
		r := report.New("Calls after more and more whose effect is gone", command, dir,
			"The mean of the calls of a window. CPU is that of the process, work in the background"+
				" and the calls around the measured ones included.")
		var worn []error
		for _, op := range o.ops.Values {
			w := &wear{wearOptions: o, op: op, log: stderr, report: r}
			if err := w.measure(ctx, filepath.Join(dir, op)); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
			worn = append(worn, w.judge())
		}
		return errors.Join(append(worn, r.Write(stdout, o.JSON))...)
	})
}

// A wear is the measurement of one operation.
type wear struct {
	*wearOptions
	op     string
	log    *log.Logger
	report *report.Report

	engine *contest.Engine
	later  atomic.Int64 // how much later than the machine's the store's time is, ns
	times  []float64    // ms a call, of each window
}

// measure makes a store and all calls.
func (w *wear) measure(ctx context.Context, dir string) (err error) {
	rules := engine.OSS
	if w.op == wearComplete {
		rules = engine.S3
	}
	o := engine.Options{
		Clock: func() time.Time { return time.Now().Add(time.Duration(w.later.Load())) },
	}
	if w.engine, err = contest.OpenEngine(ctx, dir, o, rules, w.log.Printf); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.engine.Close()) }()
	for done := 0; done < w.n; done += w.window {
		if err := w.measureWindow(ctx, done); err != nil {
			return err
		}
	}
	return nil
}

// measureWindow makes the calls of a window, and takes down what they took. After it a day passes.
func (w *wear) measureWindow(ctx context.Context, done int) error {
	n := w.window
	var took atomic.Int64
	cost, err := process.Measure(func() error {
		return fanout.Each(ctx, w.clients, n, func(ctx context.Context, i int) error {
			d, err := w.call(ctx, done+i)
			took.Add(int64(d))
			return err
		})
	})
	if err != nil {
		return err
	}
	w.later.Add(int64(24 * time.Hour))
	each := milliseconds(time.Duration(took.Load())) / float64(n)
	about := report.Series{
		Group: w.op, Axis: "calls", Case: strconv.Itoa(done + n), Contender: "gabion",
	}
	w.report.Add(about, "ms", each)
	w.report.Add(about, "CPU ms", milliseconds(cost.CPU)/float64(n))
	w.times = append(w.times, each)
	w.log.Printf("%s: %d calls, %.3g ms each", w.op, done+n, each)
	return nil
}

// judge fails when the last window took longer than it may.
func (w *wear) judge() error {
	first, last := w.times[0], w.times[len(w.times)-1]
	if last > w.limit*first {
		return fmt.Errorf("%s: the last %d calls took %.3g ms each, the first %.3g: more than %v times",
			w.op, w.window, last, first, w.limit)
	}
	return nil
}

// call makes the call of number i, with what belongs to it, and returns how long it took.
func (w *wear) call(ctx context.Context, i int) (took time.Duration, err error) {
	e, key, body := w.engine, fmt.Sprintf("key/%06d", i%w.keys), make([]byte, w.size)
	binary.BigEndian.PutUint64(body, uint64(i)) // another one for every call
	begin := time.Now()
	if w.op == wearPut {
		err := e.Put(ctx, key, body)
		if err == nil {
			_, err = e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: bucket, Key: key})
		}
		return time.Since(begin), err
	}
	id, err := e.Initiate(ctx, key)
	if err != nil {
		return 0, err
	}
	etag, err := e.UploadPart(ctx, key, id, 1, body)
	if err != nil {
		return 0, err
	}
	begin = time.Now()
	if w.op == wearComplete {
		_, err := e.Complete(ctx, key, id, []string{etag})
		return time.Since(begin), err
	}
	page, err := e.ListParts(ctx, &engine.ListPartsRequest{Bucket: bucket, Key: key, UploadID: id})
	took = time.Since(begin)
	if err == nil && len(page.Parts) != 1 {
		err = fmt.Errorf("an upload of one part lists %d", len(page.Parts))
	}
	if err == nil {
		_, err = e.AbortMultipartUpload(ctx,
			&engine.AbortMultipartUploadRequest{Bucket: bucket, Key: key, UploadID: id})
	}
	return took, err
}
