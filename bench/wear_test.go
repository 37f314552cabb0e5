package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

func TestWear(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file := filepath.Join(t.TempDir(), "wear.json")
	out := mustBench(t, "wear", "-n", "30", "-window", "10", "-keys", "3", "-clients", "4", "-limit", "1e9", "-json", file)
	wantEmptyDir(t, os.Getenv("TMPDIR"))
	for _, text := range []string{"put:", "complete:", "listparts:", "CPU ms"} {
		if !strings.Contains(out, text) {
			t.Errorf("%q is missing in:\n%s", text, out)
		}
	}
	r := loadReport(t, file)
	if got, want := r.Cases("put"), []string{"10", "20", "30"}; !slices.Equal(got, want) {
		t.Errorf("measured after %v calls, want %v", got, want)
	}
}

// Calls that took too long are the exit status, and the report is there all the same.
func TestWearFails(t *testing.T) {
	status, out, errs := bench(t, "wear", "-op", "listparts", "-n", "20", "-window", "10", "-limit", "1e-9")
	if status != cli.ExitFailed || !strings.Contains(errs, "listparts: the last 10 calls") || !strings.Contains(out, "listparts:") {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, out, errs)
	}
}

func TestWearJudges(t *testing.T) {
	for _, test := range []struct {
		times []float64
		worn  bool
	}{
		{[]float64{1, 1}, false},
		{[]float64{1, 5, 1.2}, false},
		{[]float64{1, 1, 1.21}, true},
		{[]float64{2, 1, 1}, false},
	} {
		w := &wear{wearOptions: &wearOptions{window: 10, limit: 1.2}, op: wearPut, times: test.times}
		if err := w.judge(); (err != nil) != test.worn {
			t.Errorf("%v: %v", test.times, err)
		}
	}
}
