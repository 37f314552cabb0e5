package data_test

import (
	"bytes"
	"crypto/md5"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/bench/internal/data"
)

const (
	chunk = 1 << 20
	block = 4 << 10
)

func TestKindsCompressAsTheySay(t *testing.T) {
	for kind, want := range map[data.Kind][2]float64{
		data.Random: {0.9, 1.1}, data.Stored: {0.9, 1.1}, data.JSON: {3, 5},
	} {
		parts, free := data.NewSet(kind, 1, chunk)
		defer free()
		ratio := float64(len(parts[0])) / float64(len(s2.Encode(nil, parts[0])))
		if ratio < want[0] || ratio > want[1] {
			t.Errorf("%s compresses %.2f times, want %v", kind, ratio, want)
		}
	}
}

// Nothing that a store could cut out of a part is there twice, be it in a part or in two.
func TestNoBlockTwice(t *testing.T) {
	for _, kind := range []data.Kind{data.Random, data.JSON, data.Stored} {
		parts, free := data.NewSet(kind, 3, 40*block+100)
		defer free()
		seen := map[[md5.Size]byte]bool{}
		for _, part := range parts {
			for at := 0; at < len(part); at += block {
				sum := md5.Sum(part[at:min(at+block, len(part))])
				if seen[sum] {
					t.Fatalf("%s: the block at %d was there before", kind, at)
				}
				seen[sum] = true
			}
		}
	}
}

func TestSetsAreTheSame(t *testing.T) {
	parts, free := data.NewSet(data.Random, 2, 2*block)
	again, freeAgain := data.NewSet(data.Random, 2, 2*block)
	defer free()
	defer freeAgain()
	if !bytes.Equal(parts[1], again[1]) {
		t.Error("another set of the same kind has different bytes")
	}
}
