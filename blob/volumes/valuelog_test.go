package volumes_test

import (
	"bytes"
	"context"
	"os"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// TestFramesOfAllSizes puts frames that are written past the page cache and frames that are not in
// turns, while others read those before: they share blocks. All are there when the store is opened
// again, and for Badger alone.
func TestFramesOfAllSizes(t *testing.T) { forKinds(t, testFramesOfAllSizes) }

func testFramesOfAllSizes(t *testing.T, k volumes.Kind) {
	ctx, dir := context.Background(), t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, Writers: 1})
	frameOf := func(i int) (blob.ID, []byte) {
		sizes := []int{1 << 20, 5_000, 700_001, 1, 2_000_003}
		return blobtest.Frame(uint64(i), sizes[i%len(sizes)])
	}
	read := func(s blob.Store, i int, ref blob.Ref) {
		_, want := frameOf(i)
		if got, err := s.Get(ctx, ref, nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("frame %d: %d bytes were read of %d, %v", i, len(got), len(want), err)
		}
	}
	var refs []blob.Ref
	for i := range 60 {
		var reading sync.WaitGroup
		for before := max(i-2, 0); before < i; before++ {
			reading.Go(func() { read(s, before, refs[before]) })
		}
		id, frame := frameOf(i)
		ref, err := s.Put(ctx, id, frame)
		if err != nil {
			t.Fatal(err)
		}
		reading.Wait()
		refs = append(refs, ref)
	}
	_, last := frameOf(len(refs) - 1)
	checkEnds(t, onlyLog(t, dir), k, last)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if k == volumes.Badger {
		if n := plainFrames(t, dir, true, refs, frameOf); n != len(refs) {
			t.Errorf("badger finds %d frames of %d", n, len(refs))
		}
	}
	s = open(t, dir, small(k))
	defer s.Close()
	for i, ref := range refs {
		read(s, i, ref)
	}
}

// checkEnds looks for what Badger has put before the first record of a log, and for zeros behind the
// last one, which is that of a frame.
func checkEnds(t *testing.T, log string, k volumes.Kind, last []byte) {
	t.Helper()
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	const keyID, start, sum = 8, 20, 4
	if iv := content[keyID:start]; k == volumes.Badger && bytes.Equal(iv, make([]byte, len(iv))) {
		t.Error("the log begins with zeros; badger has put a random vector there")
	}
	end := bytes.LastIndex(content, last) + len(last) + sum
	if rest := content[end:]; !bytes.Equal(rest, make([]byte, len(rest))) {
		t.Error("there are other bytes than zeros behind the last record")
	}
}
