package main

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
)

func TestSampleIsReproducible(t *testing.T) {
	const n = 1<<20 + 1
	var first, second, shorter bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := writeSample(t.Context(), w, n); err != nil {
			t.Fatal(err)
		}
	}
	if first.Len() != n || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("got %d and %d bytes, want %d twice and equal", first.Len(), second.Len(), n)
	}
	if err := writeSample(t.Context(), &shorter, n/3); err != nil || !bytes.HasPrefix(first.Bytes(), shorter.Bytes()) {
		t.Errorf("a shorter sample is no prefix of a longer one (%v)", err)
	}

	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(first.Bytes())
	w.Close()
	if share := float64(packed.Len()) / n; share < 0.6 || share > 0.95 {
		t.Errorf("it packs to %.0f %%, want some, but not much", 100*share)
	}
}

func TestSampleHonoursContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := writeSample(ctx, io.Discard, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEach(t *testing.T) {
	var sum atomic.Int64
	err := fanout.Each(t.Context(), 3, 100, func(_ context.Context, i int) error {
		sum.Add(int64(i))
		return nil
	})
	if err != nil || sum.Load() != 4950 {
		t.Errorf("the sum is %d, %v; want 4950", sum.Load(), err)
	}

	first := errors.New("first")
	err = fanout.Each(t.Context(), 4, 100, func(ctx context.Context, i int) error {
		if i == 1 {
			return first
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err != first {
		t.Errorf("got %v, want the first error", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = fanout.Each(ctx, 4, 100, func(context.Context, int) error { return errors.New("called") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context has ended", err)
	}
}
