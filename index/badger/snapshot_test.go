package badger_test

import (
	"bytes"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// TestCommonPrefix compares it with all short keys over a small alphabet, which has the largest
// byte.
func TestCommonPrefix(t *testing.T) {
	keys := [][]byte{{}}
	for from := 0; len(keys[from]) < 3; from++ {
		for _, c := range []byte{0, 1, 2, 0xFE, 0xFF} {
			keys = append(keys, append(bytes.Clone(keys[from]), c))
		}
	}
	longest := 0
	for _, start := range keys {
		for _, end := range append(keys, nil) {
			prefix := badger.CommonPrefix(start, end)
			longest = max(longest, len(prefix))
			for _, key := range keys {
				in := bytes.Compare(start, key) <= 0 && (end == nil || bytes.Compare(key, end) < 0)
				if in && !bytes.HasPrefix(key, prefix) {
					t.Fatalf("%x is in %x to %x, but does not begin with %x", key, start, end, prefix)
				}
			}
		}
	}
	if longest != 3 {
		t.Errorf("the longest prefix has %d bytes, want 3", longest)
	}
	for _, rg := range []index.Range[index.Part]{index.PartsOf(index.ContentID{'a'}), index.AllParts()} {
		if p := badger.CommonPrefix(rg.Start, rg.End); !bytes.Equal(p, rg.Start) {
			t.Errorf("the prefix of %q is %q", rg.Start, p)
		}
	}
}
