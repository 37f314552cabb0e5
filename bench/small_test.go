package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

func TestSmallMeasuresAll(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "small.json")
	out := mustBench(t, "small", "-n", "10", "-size", "1,100KiB", "-clients", "1,3", "-rounds", "2", "-dir", dir, "-json", file)
	wantEmptyDir(t, dir)
	for _, want := range []string{"ratio to files", "p99 µs", "disk: the disk's limit"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	r := loadReport(t, file)
	want := []string{"put, 1", "put, 100KiB", "get, 1", "get, 100KiB", "head, 1", "head, 100KiB"}
	if got := r.Groups(); !slices.Equal(got, want) {
		t.Errorf("groups are %q, want %q", got, want)
	}
	for _, group := range r.Groups() {
		contenders := []string{"gabion", "gabion-format", "gabion-log", "files", "disk"}
		if !strings.HasPrefix(group, smallPut) {
			contenders = contenders[:4]
		}
		if got := r.Contenders(group); !slices.Equal(got, contenders) {
			t.Errorf("%s: measured are %q, want %q", group, got, contenders)
		}
		for _, clients := range []string{"1", "3"} {
			for _, contender := range contenders {
				for _, unit := range []string{"1/s", "p50 µs", "p99 µs", "CPU µs"} {
					if s := r.Find(group, clients, contender, unit); s == nil || len(s.Values) != 2 {
						t.Errorf("%s, %s, %s, %s: %v, want two values", group, clients, contender, unit, s)
					}
				}
			}
		}
	}
}

// diary is a store that notes its calls.
type diary struct {
	mu    sync.Mutex // guards calls
	calls map[string]int
	contest.ObjectStore
}

func (d *diary) note(call, key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[call+" "+key]++
}

func (d *diary) Put(_ context.Context, key string, _ []byte) error { d.note("put", key); return nil }
func (d *diary) Head(_ context.Context, key string) (int64, error) {
	d.note("head", key)
	return 10, nil
}
func (d *diary) Download(_ context.Context, key string, w io.Writer) error {
	d.note("get", key)
	_, err := w.Write(make([]byte, 10))
	return err
}
func (d *diary) Close() error { d.note("close", ""); return nil }

// A store holds as many objects as there are calls. Puts go to further keys, gets and heads to
// these, each once, though the clients do not share them evenly.
func TestSmallCalls(t *testing.T) {
	for _, op := range []string{smallPut, smallGet, smallHead} {
		d := &diary{calls: map[string]int{}}
		var bodies [][]byte // one a client, which stamps it
		for range smallFillers {
			bodies = append(bodies, make([]byte, 10))
		}
		k := contest.Contender{Open: func(context.Context, string, bool) (contest.Store, error) { return d, nil }}
		c := &smallCalls{op: op, clients: 1, bodies: bodies, took: make([]time.Duration, 7)}
		for range bodies {
			c.sinks = append(c.sinks, contest.NewSink())
		}
		run := k.Run(report.Series{}, t.TempDir(), false, c.fill, c.measure)
		if err := run.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		values, err := run.Measure(t.Context())
		if err != nil || len(values) != len(smallUnits) || values[1] > values[2] {
			t.Errorf("%s: measured %v, %v", op, values, err)
		}
		if err := run.Finish(); err != nil {
			t.Error(err)
		}
		want, first := map[string]int{"close ": 1}, 0
		if op == smallPut {
			first = 7
		}
		for i := range 7 {
			want[fmt.Sprintf("put %08d", i)] = 1
			want[fmt.Sprintf("%s %08d", op, first+i)] = 1
		}
		if !maps.Equal(d.calls, want) {
			t.Errorf("%s: calls %v, want %v", op, d.calls, want)
		}
	}
}

// forgetful loses the last byte of what it gives back.
type forgetful struct{ contest.ObjectStore }

func (forgetful) Head(context.Context, string) (int64, error) { return 9, nil }
func (forgetful) Download(_ context.Context, _ string, w io.Writer) error {
	_, err := w.Write(make([]byte, 9))
	return err
}

func TestSmallFindsWrongSize(t *testing.T) {
	for _, op := range []string{smallGet, smallHead} {
		err := call(t.Context(), forgetful{}, op, "key", make([]byte, 10), contest.NewSink())
		if err == nil || err.Error() != "9 bytes came, must be 10" {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// TestSmallInterrupted: what was measured until then is printed.
func TestSmallInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &cancelOn{text: "get, 4KiB: clients: 1", cancel: cancel}
	var out bytes.Buffer
	args := []string{"small", "-size", "4KiB", "-n", "64", "-clients", "1", "-rounds", "1", "-dir", dir}
	if status := run(ctx, args, &out, stderr); status != cli.ExitInterrupted ||
		!strings.Contains(out.String(), "put, 4KiB") || !strings.Contains(out.String(), "Not all was measured") {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, &out, &stderr.written)
	}
	wantEmptyDir(t, dir)
}
