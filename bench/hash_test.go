package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestHashTable(t *testing.T) {
	out := mustBench(t, "hash", "-size", "70000", "-streams", "1,3,12", "-rounds", "2")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 7 {
		t.Fatalf("got %d lines, want 7:\n%s", len(lines), out)
	}
	if !strings.Contains(lines[0], "CPUs") || !strings.Contains(lines[0], "go1") {
		t.Errorf("the first line does not tell the machine: %q", lines[0])
	}
	for i, streams := range []string{"1", "3", "12"} {
		row := lines[4+i]
		if !regexp.MustCompile(`^ +` + streams + ` +\d+ +\d+ +\d+\.\d\d$`).MatchString(row) {
			t.Errorf("the row of %s streams is %q", streams, row)
		}
		if len(row) != len(lines[3]) {
			t.Errorf("row %q is not aligned with %q", row, lines[3])
		}
	}
}

// forged is an MD5 whose digests are wrong.
type forged struct{ standardMD5 }

func (f forged) Sum() [md5.Size]byte {
	sum := f.standardMD5.Sum()
	sum[3]++
	return sum
}

func TestHashFindsWrongDigest(t *testing.T) {
	o := &hashOptions{size: 10, streams: streamCounts{2}, rounds: 1}
	wrong := func() digester { return forged{standard().(standardMD5)} }
	var out, stderr bytes.Buffer
	err := measure(t.Context(), o, wrong, &out)
	if status := report(t.Context(), "hash", err, newConsole(&stderr)); status != exitFailed {
		t.Errorf("exit status %d, want %d", status, exitFailed)
	}
	if !strings.Contains(stderr.String(), "2 streams: stream 1: the digests differ") {
		t.Errorf("stderr is %q", &stderr)
	}
}

func TestHashStreamGoesThroughBufferAgain(t *testing.T) {
	buffer := makeBuffers(1, hashWrite+100)[0]
	for _, size := range []int{1, hashWrite, len(buffer) - 1, len(buffer), len(buffer) + 1, 3*len(buffer) + 7} {
		want := md5.Sum(bytes.Repeat(buffer, 4)[:size])
		got, err := hashStream(t.Context(), standard, buffer, int64(size))
		if err != nil || got != want {
			t.Errorf("%d bytes: got %X, %v; want %X", size, got, err, want)
		}
	}
}

func TestHashInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if status := run(ctx, []string{"hash", "-size", "1KiB"}, &out, &errs); status != exitInterrupted {
		t.Errorf("exit status %d, stderr %q", status, &errs)
	}
	if _, err := hashStream(ctx, standard, make([]byte, 1), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{4, 2}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 100, 2}, 3},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
}

func TestCPUModel(t *testing.T) {
	const info = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU @ 2.00GHz\nflags : a\n"
	if got, want := cpuModel(info), "Some CPU @ 2.00GHz"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := cpuModel(""); got != "" {
		t.Errorf("of nothing: got %q", got)
	}
}
