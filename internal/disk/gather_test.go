package disk_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestWritePieces writes more pieces than the system takes at once, and empty ones among them.
func TestWritePieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 1023, 1024, 1025, 5000} {
		pieces := make([][]byte, n)
		for i := range pieces {
			pieces[i] = bytes.Repeat([]byte{byte(i + 1)}, rng.IntN(3)*rng.IntN(5000))
		}
		const off = 4097
		want := append(make([]byte, off), bytes.Join(pieces, nil)...)
		f, err := os.Create(filepath.Join(t.TempDir(), "file"))
		if err != nil {
			t.Fatal(err)
		}
		if err := disk.WritePieces(f, pieces, off); err != nil {
			t.Fatalf("%d pieces: %v", n, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(f.Name())
		if err != nil || !bytes.Equal(got, want) && len(want) > off {
			t.Errorf("%d pieces: the file has %d bytes, want %d, or others: %v", n, len(got), len(want), err)
		}
		if err := disk.WritePieces(f, [][]byte{{1}}, off); err == nil {
			t.Error("a closed file can be written")
		}
	}
}
