package main

import (
	"context"
	"errors"
	"io"
	"log"
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

// soakOf is a short soak of a store below a directory. What it logs goes to log.
func soakOf(t *testing.T, dir string, out, logged io.Writer) *soaking {
	t.Helper()
	s, err := parseSoak(shortSoak[1:], out)
	if err != nil {
		t.Fatal(err)
	}
	s.dir, s.log = dir, log.New(logged, "", 0)
	return s
}

// onText calls do, once, when what is written to it contains a text.
type onText struct {
	text string
	do   func()
}

func (o *onText) Write(p []byte) (int, error) {
	if do := o.do; do != nil && strings.Contains(string(p), o.text) {
		o.do = nil
		do()
	}
	return len(p), nil
}

// What the store reports is a failure, whenever it does: also while the store is opened, while
// everything is read once more and checked, and while it is closed.
func TestSoakHearsAlarms(t *testing.T) {
	alarm := errors.New("the store reports something")
	for _, when := range []string{"reading everything", "checking"} {
		t.Run(when, func(t *testing.T) {
			var out strings.Builder
			var s *soaking
			s = soakOf(t, t.TempDir(), &out, &onText{when, func() { s.world.Fail(alarm) }})
			err := s.run(t.Context())
			if !errors.Is(err, alarm) || strings.Contains(out.String(), "verified") {
				t.Errorf("%v, want %v; it says:\n%s", err, alarm, &out)
			}
		})
	}
	t.Run("opening", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "store"), 0o755); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := soakOf(t, dir, &onText{" keys in ", cancel}, io.Discard) // when it is open
		err := s.run(ctx)
		if err == nil || !strings.Contains(err.Error(), "others can read") {
			t.Errorf("%v, want that others can look into the store", err)
		}
	})
	t.Run("closing", func(t *testing.T) {
		s := soakOf(t, t.TempDir(), io.Discard, io.Discard)
		closing := closer(func() error { s.world.Fail(alarm); return nil })
		if err := s.conclude(nil, closing); !errors.Is(err, alarm) {
			t.Errorf("%v, want %v", err, alarm)
		}
		if err := s.conclude(alarm, closing); err == nil || err.Error() != alarm.Error() {
			t.Errorf("%v, want %v once", err, alarm)
		}
	})
}

type closer func() error

func (c closer) Close() error { return c() }
