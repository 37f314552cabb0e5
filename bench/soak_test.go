package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

// shortSoak are arguments of a run that takes little.
var shortSoak = []string{"soak", "-duration", "500ms", "-clients", "4", "-live", "4MiB", "-most", "256KiB", "-interval", "100ms", "-expiry", "1s"}

func TestSoak(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file := filepath.Join(t.TempDir(), "soak.json")
	// Longer than a slow body takes: all clients may have one at the same time, and nothing ends
	// meanwhile.
	out := mustBench(t, append(shortSoak, "-duration", "3s", "-seed", "7", "-json", file)...)
	wantEmptyDir(t, os.Getenv("TMPDIR"))
	for _, text := range []string{"-seed 7", " live ", " on disk ", " resident ", " put ", "verified"} {
		if !strings.Contains(out, text) {
			t.Errorf("%q is missing in:\n%s", text, out)
		}
	}
	r := loadReport(t, file)
	for _, group := range []string{"disk", "backlog", "memory", "counts", "calls", "p50", "p99"} {
		if len(r.Cases(group)) < 2 {
			t.Errorf("the report has %d samples of %s", len(r.Cases(group)), group)
		}
	}
}

func TestSoakInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	stdout := &cancelOn{text: " live ", cancel: cancel}
	status := run(ctx, []string{"soak", "-duration", "1h", "-interval", "50ms", "-clients", "2", "-live", "4MiB", "-most", "256KiB"}, stdout, io.Discard)
	if status != cli.ExitInterrupted {
		t.Errorf("exit status %d", status)
	}
	wantEmptyDir(t, os.Getenv("TMPDIR"))
}

// What is wrong is the exit status, and the store stays where it was asked for.
func TestSoakFails(t *testing.T) {
	dir := t.TempDir()
	status, _, errs := bench(t, append(shortSoak, "-dir", dir, "-json", filepath.Join(dir, "missing", "file"))...)
	if status != cli.ExitFailed || !strings.Contains(errs, "is left as it is") {
		t.Errorf("exit status %d, stderr %q", status, errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v; want the store", left, err)
	}
}
