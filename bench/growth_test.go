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
	for _, text := range []string{"chunks", "part by part", "index"} {
		if !strings.Contains(out, text) {
			t.Errorf("the table does not name %q:\n%s", text, out)
		}
	}
	r := loadReport(t, file)
	if got, want := r.Cases("a part"), []string{"0", "10", "50"}; !slices.Equal(got, want) {
		t.Errorf("measured at %v chunks, want %v", got, want)
	}
	for _, test := range []struct {
		group, case_, contender string
		values                  int // 0: none
	}{
		{"a part", "0", "time", 2},
		{"rate", "0", "part by part", 2},
		{"rate", "0", "growing", 0},
		{"rate", "50", "growing", 1},
		{"disk", "50", "index", 1},
		{"disk", "50", "store", 1},
	} {
		s := r.Find(test.group, test.case_, test.contender)
		if (s != nil) != (test.values > 0) || s != nil && len(s.Values) != test.values {
			t.Errorf("%s, %s, %s: got %+v, want %d values", test.group, test.case_, test.contender, s, test.values)
		}
	}
}

// The parts must not be duplicates of each other, or nothing would grow, and must be whole.
func TestGrowthReachesMark(t *testing.T) {
	g := openTestGrowth(t)
	for _, mark := range []int64{1, 25, 26, 77} {
		if err := g.fill(t.Context(), mark, 10*g.chunkSize); err != nil {
			t.Fatal(err)
		}
		stats, err := g.engine.Stats(t.Context(), &engine.StatsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if stats.Chunks != mark || stats.References != mark || stats.StoredBytes < mark*g.chunkSize {
			t.Errorf("at %d chunks there are %d, %d uses, %d bytes", mark, stats.Chunks, stats.References, stats.StoredBytes)
		}
	}
}

// An upload has only so many parts.
func TestGrowthGoesOnInNextUpload(t *testing.T) {
	g := openTestGrowth(t)
	first, err := g.next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.number = engine.MaxPartNumber - 1
	last, err := g.next(t.Context())
	if err != nil || last.UploadID != first.UploadID || last.PartNumber != engine.MaxPartNumber {
		t.Errorf("the last part of an upload is %+v, %v", last, err)
	}
	next, err := g.next(t.Context())
	if err != nil || next.UploadID == first.UploadID || next.PartNumber != 1 {
		t.Errorf("the part after it is %+v, %v", next, err)
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
