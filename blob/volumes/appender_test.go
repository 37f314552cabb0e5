package volumes_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestAppend writes pieces of many sizes to files past the page cache, where there are such, and to
// others: what lies there is the same.
func TestAppend(t *testing.T) {
	dir, err := disk.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
	const at = 3 * disk.BlockSize
	sizes := []int{0, 1, 44, 4095, 4096, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1<<20 - 1, 1 << 20, 1<<20 + 4096, 3<<20 + 5}
	rng := rand.New(rand.NewPCG(1, 2))
	var runs [][]int
	for _, n := range sizes {
		runs = append(runs, []int{n}, []int{44, n, 4}, []int{44, n, 4, 44, n, 4}, []int{n, 1<<20 + 4096 - 1, n})
	}
	for range 20 {
		var run []int
		for range rng.IntN(10) {
			run = append(run, sizes[rng.IntN(len(sizes))])
		}
		runs = append(runs, run)
	}
	for name, create := range map[string]func(string) (*os.File, error){"direct": dir.CreateDirect, "cached": dir.Create} {
		t.Run(name, func(t *testing.T) {
			for _, run := range runs {
				var pieces [][]byte
				for i, n := range run {
					_, piece := blobtest.Frame(uint64(i), n)
					pieces = append(pieces, piece)
				}
				want := append(make([]byte, at), bytes.Join(pieces, nil)...)
				want = append(want, make([]byte, disk.RoundUp(int64(len(want)))-int64(len(want)))...)
				f, err := create("file")
				if err != nil {
					t.Fatal(err)
				}
				end, err := volumes.Append(f, at, pieces)
				if err != nil || end != int64(len(want)) {
					t.Fatalf("%v: it ends at %d, want %d: %v", run, end, len(want), err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir.Path(), "file")
				got, err := os.ReadFile(path)
				if err != nil || !bytes.Equal(got, want) && len(want) > at {
					t.Fatalf("%v: the file has %d bytes, want %d, or others: %v", run, len(got), len(want), err)
				}
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
