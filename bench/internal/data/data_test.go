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
		set := data.NewSet(kind, 1, chunk)
		defer set.Close()
		part := set.Parts(1, 1)[0]
		ratio := float64(len(part)) / float64(len(s2.Encode(nil, part)))
		if ratio < want[0] || ratio > want[1] {
			t.Errorf("%s compresses %.2f times, want %v", kind, ratio, want)
		}
	}
}

// Nothing that a store could cut out of a part is there twice: not in a part, not in two parts, not
// in two rounds.
func TestNoBlockTwice(t *testing.T) {
	for _, kind := range []data.Kind{data.Random, data.JSON, data.Stored} {
		set := data.NewSet(kind, 3, 40*block+100)
		defer set.Close()
		seen := map[[md5.Size]byte]bool{}
		for _, round := range []uint32{0, 1, 2, 1 << 31} {
			for _, part := range set.Parts(3, round) {
				for at := 0; at < len(part); at += block {
					sum := md5.Sum(part[at:min(at+block, len(part))])
					if seen[sum] {
						t.Fatalf("%s, round %d: the block at %d was there before", kind, round, at)
					}
					seen[sum] = true
				}
			}
		}
	}
}

func TestRoundsComeBack(t *testing.T) {
	set, again := data.NewSet(data.Random, 2, 2*block), data.NewSet(data.Random, 2, 2*block)
	defer set.Close()
	defer again.Close()
	first := bytes.Clone(set.Parts(2, 7)[1])
	if bytes.Equal(set.Parts(2, 8)[1], first) {
		t.Error("two rounds have the same bytes")
	}
	if !bytes.Equal(set.Parts(2, 7)[1], first) {
		t.Error("one round has different bytes")
	}
	if !bytes.Equal(again.Parts(2, 7)[1], first) {
		t.Error("another set of the same kind has different bytes")
	}
}
