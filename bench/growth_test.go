package main

import (
	"context"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/engine"
)

func TestGrowth(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "growth.json")
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	out := mustBench(t, "growth", "-chunks", "0,10,50", "-part-size", "40000", "-rounds", "2", "-dir", store, "-json", file)
	wantEmptyDir(t, store)
	r := loadReport(t, file)
	if got, want := r.Cases("a part"), []string{"0", "10", "50"}; !slices.Equal(got, want) {
		t.Errorf("measured at %v chunks, want %v", got, want)
	}
	for _, test := range []struct {
		group, case_, unit string
		values             int
	}{
		{"a part", "0", "ms", 2},
		{"a part", "50", "CPU ms", 2},
		{"the store", "50", "MB/s", 1},
		{"the store", "0", "index MiB", 1},
		{"the store", "50", "store MiB", 1},
	} {
		s := r.Find(test.group, test.case_, "gabion", test.unit)
		if s == nil || len(s.Values) != test.values {
			t.Errorf("%s, %s, %s: got %+v, want %d values", test.group, test.case_, test.unit, s, test.values)
		}
	}
	if !strings.Contains(out, "store MiB") {
		t.Errorf("the table does not name all units:\n%s", out)
	}
}

// The chunks must not be duplicates of each other, or nothing would grow, and must be whole, though
// they are more than fit in one part.
func TestGrowthReachesMark(t *testing.T) {
	for _, chunks := range []int64{1, 77, 2500} {
		g := openTestGrowth(t)
		if _, err := g.fill(t.Context(), chunks); err != nil {
			t.Fatal(err)
		}
		stats, err := g.engine.Stats(t.Context(), &engine.StatsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if stats.Chunks != chunks || stats.References != chunks || stats.StoredBytes < chunks*g.chunkSize {
			t.Errorf("of %d chunks there are %d, %d uses, %d bytes", chunks, stats.Chunks, stats.References, stats.StoredBytes)
		}
	}
}

func TestGrowthInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &cancelOn{text: "10 chunks", cancel: cancel}
	status := run(ctx, []string{"growth", "-chunks", "10,1000000000", "-rounds", "1"}, io.Discard, stderr)
	if status != cli.ExitInterrupted {
		t.Errorf("exit status %d, stderr %q", status, &stderr.written)
	}
	wantEmptyDir(t, os.Getenv("TMPDIR"))
}

func openTestGrowth(t *testing.T) *growth {
	t.Helper()
	g, err := openGrowth(t.Context(), filepath.Join(t.TempDir(), "store"), 4<<10, log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}
