package disk_test

import (
	"bytes"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestBehind: after a write of some of the pieces, the others are written from where it ended.
func TestBehind(t *testing.T) {
	const all = "0123456789"
	for n := range len(all) + 1 {
		pieces := [][]byte{nil, []byte(all[:3]), nil, nil, []byte(all[3:4]), []byte(all[4:]), nil}
		left := disk.Behind(pieces, n)
		if got := string(bytes.Join(left, nil)); got != all[n:] {
			t.Errorf("behind %d of %q lies %q", n, all, got)
		}
		if len(left) > 0 && len(left[0]) == 0 {
			t.Errorf("behind %d of %q an empty piece comes first", n, all)
		}
	}
}
