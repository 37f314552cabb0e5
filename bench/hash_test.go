package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

func TestHashTables(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hash.json")
	out := mustBench(t, "hash", "-size", "70000", "-churn", "3000", "-streams", "1,3,12", "-rounds", "2", "-json", file)
	for _, want := range []string{"CPUs", "go1", "median of 2 rounds", "-churn 3000 -rounds 2 -size 70000 -streams 1,3,12"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	r := loadReport(t, file)
	if got, want := r.Groups(), []string{"hashes of 70000", "hashes of 3000"}; !slices.Equal(got, want) {
		t.Errorf("groups are %q, want %q", got, want)
	}
	for _, group := range r.Groups() {
		for _, streams := range []string{"1", "3", "12"} {
			for _, contender := range []string{"ours", "crypto/md5", "md5-simd"} {
				if s := r.Find(group, streams, contender, "MB/s"); s == nil || len(s.Values) != 2 || s.Median() <= 0 {
					t.Errorf("%s, %s streams, %s: %v, want two rates", group, streams, contender, s)
				}
			}
		}
	}
}

func TestHashWithoutChurn(t *testing.T) {
	out := mustBench(t, "hash", "-size", "1000", "-churn", "0", "-streams", "1", "-rounds", "1")
	if n := strings.Count(out, "hashes of "); n != 1 {
		t.Errorf("%d tables, want 1:\n%s", n, out)
	}
}

func TestHashFindsWrongDigest(t *testing.T) {
	all := implementations()
	all[1] = implementation{"forgery", func() (func() hashing, func()) {
		return func() hashing {
			h := standard()
			return hashing{h, func() md5Sum {
				sum := h.end()
				sum[3]++
				return sum
			}}
		}, func() {}
	}}
	r := &report.Report{}
	err := r.Interleave(t.Context(), 1, []string{"MB/s"}, hashRuns(all, makeBuffers(2, 10), 10, 10), nil)
	if err == nil || !strings.Contains(err.Error(), "2 streams: forgery, round 1: the digests differ") {
		t.Errorf("got %v", err)
	}
}

// A stream hashes all its bytes, in parts of which the last may be shorter, and no write but the
// last of a part ends within a block.
func TestHashParts(t *testing.T) {
	for _, test := range []struct {
		buffer     int
		size, part int64
		want       []int64 // lengths of the parts
	}{
		{10, 10, 10, []int64{10}},
		{10, 10, 4, []int64{4, 4, 2}},
		{10, 12, 4, []int64{4, 4, 4}},
		{1000, 9000, 3000, []int64{3000, 3000, 3000}},
		{hashBuffer, hashBuffer + 1, hashBuffer, []int64{hashBuffer, 1}},
		{hashBuffer, 2*hashBuffer + 5, 2*hashBuffer + 5, []int64{2*hashBuffer + 5}},
	} {
		var lengths []int64
		begin := func() hashing {
			lengths = append(lengths, 0)
			length := &lengths[len(lengths)-1]
			return hashing{writer(func(p []byte) {
				if *length%md5.BlockSize != 0 && *length >= hashWrite {
					t.Errorf("a write begins at %d", *length)
				}
				if *length > 0 && test.part <= int64(min(test.buffer, hashWrite)) {
					t.Errorf("a part that fits in the buffer is cut at %d", *length)
				}
				*length += int64(len(p))
			}), func() (none md5Sum) { return none }}
		}
		if _, err := hashStream(t.Context(), begin, make([]byte, test.buffer), test.size, test.part); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(lengths, test.want) {
			t.Errorf("%d bytes in parts of %d: hashes of %d, want %d", test.size, test.part, lengths, test.want)
		}
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func TestHashStreamGoesThroughBufferAgain(t *testing.T) {
	buffer := makeBuffers(1, hashWrite+100)[0]
	for _, size := range []int{1, hashWrite, len(buffer) - 1, len(buffer), len(buffer) + 1, 3*len(buffer) + 7} {
		want := md5.Sum(bytes.Repeat(buffer, 4)[:size])
		got, err := hashStream(t.Context(), standard, buffer, int64(size), int64(size))
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%d bytes: got %X, %v; want %X", size, got, err, want)
		}
	}
}

func TestHashInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if status := run(ctx, []string{"hash", "-size", "1KiB"}, &out, &errs); status != cli.ExitInterrupted {
		t.Errorf("exit status %d, stderr %q", status, &errs)
	}
	if _, err := hashStream(ctx, standard, make([]byte, 1), 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
