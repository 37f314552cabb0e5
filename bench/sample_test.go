package main

import (
	"bytes"
	"compress/flate"
	"testing"
)

func TestSampleIsReproducible(t *testing.T) {
	const n = 1<<20 + 1
	first := sample(n)
	if len(first) != n || !bytes.Equal(first, sample(n)) {
		t.Errorf("got %d bytes, want %d twice and equal", len(first), n)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(first)
	w.Close()
	if share := float64(packed.Len()) / n; share < 0.6 || share > 0.95 {
		t.Errorf("it packs to %.0f %%, want some, but not much", 100*share)
	}
}
