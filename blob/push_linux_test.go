package blob_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
)

// residentKiB is how much of the files matching pattern is in this process's memory maps.
func residentKiB(t *testing.T, pattern string) (total int) {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	within := false
	for line := range strings.Lines(string(smaps)) {
		fields := strings.Fields(line)
		if !strings.HasSuffix(fields[0], ":") {
			within, _ = filepath.Match(pattern, fields[len(fields)-1])
		}
		var n int
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); err == nil && within {
			total += n
		}
	}
	return total
}

// TestPush writes so much that pushes take the value log out of the memory map while other frames are
// written and read, and looks whether they do.
func TestPush(t *testing.T) {
	const writers, frames, size = 4, 100, 150_000 // 57 MiB
	dir := t.TempDir()
	s := open(t, dir, &blob.Options{Writers: 1, VolumeSize: 128 << 20})
	defer s.Close()
	refs := make([][]blob.Ref, writers)
	check := func(w int, i int) {
		_, want := blobtest.Frame(uint64(w*frames+i), size)
		if got, err := s.Get(context.Background(), refs[w][i], nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("frame %d of writer %d: %d bytes, %v", i, w, len(got), err)
		}
	}
	var working sync.WaitGroup
	for w := range writers {
		working.Go(func() {
			for i := range frames {
				id, frame := blobtest.Frame(uint64(w*frames+i), size)
				ref, err := s.Put(context.Background(), id, frame)
				if err != nil {
					t.Error(err)
					return
				}
				refs[w] = append(refs[w], ref)
				if i%10 == 9 {
					check(w, i-5)
				}
			}
		})
	}
	working.Wait()
	if n := residentKiB(t, filepath.Join(dir, "*", "*.vlog")); n > writers*frames*size/2>>10 {
		t.Errorf("%d KiB of the value log are still mapped", n)
	}
	for w := range writers {
		for i := range refs[w] {
			check(w, i)
		}
	}
}
