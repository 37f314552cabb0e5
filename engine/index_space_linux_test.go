package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

const (
	inlinedBucket = "small"
	inlinedObject = 30 << 10
)

// putInlined puts objects of 30 KiB, numbered from first, until there are enough or the disk is
// full, and returns how many there are.
func putInlined(t *testing.T, e *engine.Engine, first, enough int) int {
	t.Helper()
	var next atomic.Int64
	next.Store(int64(first))
	var all sync.WaitGroup
	done := make(chan int, enough+16)
	for range 16 {
		all.Go(func() {
			for {
				n := int(next.Add(1) - 1)
				if n >= first+enough {
					return
				}
				_, err := e.PutObject(context.Background(), &engine.PutObjectRequest{
					Bucket: inlinedBucket, Key: inlinedKey(n), Body: bytes.NewReader(random(uint64(n), inlinedObject)),
				})
				if err != nil {
					if !errors.Is(err, engine.ErrNoSpace) {
						t.Errorf("PutObject: %v", err)
					}
					next.Store(int64(first + enough))
					return
				}
				done <- n
			}
		})
	}
	all.Wait()
	close(done)
	put := 0
	for range done {
		put++
	}
	return put
}

func inlinedKey(n int) string { return fmt.Sprintf("%08d", n) }

// deleteInlined deletes every object of the bucket whose turn it is.
func deleteInlined(t *testing.T, e *engine.Engine, turn func(n int) bool) (deleted, left int) {
	t.Helper()
	n := 0
	for o, err := range e.Objects(context.Background(), &engine.ListObjectsRequest{Bucket: inlinedBucket}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; turn(n) {
			mustDelete(t, e, inlinedBucket, o.Key)
			deleted++
		} else {
			left++
		}
	}
	return deleted, left
}

func diskUsage(t *testing.T, dir string) int64 {
	t.Helper()
	used, err := disk.Usage(dir)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// TestReclaimIndex deletes objects that are in the index. Their space has to come back, and to stay
// away after reopening.
func TestReclaimIndex(t *testing.T) {
	const objects, least = 1500, 30 << 20
	dir := t.TempDir()
	e := open(t, dir, nil)
	mustBucket(t, e, inlinedBucket)
	if n := putInlined(t, e, 0, objects); n != objects {
		t.Fatalf("%d objects", n)
	}
	full := diskUsage(t, filepath.Join(dir, "index"))
	deleteInlined(t, e, func(int) bool { return true })
	if s := stats(t, e); s.IndexBytes < objects*inlinedObject || s.IndexDead < objects*inlinedObject || s.IndexDead > s.IndexBytes {
		t.Errorf("of the index's %d bytes %d are said to be dead, of %d objects of %d", s.IndexBytes, s.IndexDead, objects, inlinedObject)
	}
	mustReclaim(t, e)
	if s := stats(t, e); s.IndexDead > 4<<20 {
		t.Errorf("%d bytes of the index are said to be dead still", s.IndexDead)
	}
	emptied := diskUsage(t, filepath.Join(dir, "index"))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, nil)
	reopened := diskUsage(t, filepath.Join(dir, "index"))
	t.Logf("the index takes %d bytes with %d objects, %d without, %d reopened", full, objects, emptied, reopened)
	if full < objects*inlinedObject || full-emptied < least || full-reopened < least {
		t.Error("the space does not come back")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullOfSmallObjects fills a small disk with objects that fit the index, deletes a third of
// them and reclaims, over and over. 90 % of what was deleted has to come back each time.
// GABION_SMALL_FILLS sets the number of rounds.
func TestFullOfSmallObjects(t *testing.T) {
	dir := filepath.Join(disktest.Mount(t, "tmpfs", 320<<20), "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e := open(t, dir, &engine.Options{ReserveSpace: 64 << 20, VolumeSize: 16 << 20})
	mustBucket(t, e, inlinedBucket)
	first := 0
	for round := range rounds(t, "GABION_SMALL_FILLS", 2) {
		put := putInlined(t, e, first, 1<<20)
		first += 1 << 20
		full, inIndex := diskUsage(t, dir), diskUsage(t, filepath.Join(dir, "index"))
		deleted, left := deleteInlined(t, e, func(n int) bool { return n%3 == 0 })
		mustReclaim(t, e)
		freed := full - diskUsage(t, dir)
		t.Logf("round %d: %d put, %d bytes on disk, %d deleted, %d left, %d bytes came back; the index had %d and has %d",
			round, put, full, deleted, left, freed, inIndex, diskUsage(t, filepath.Join(dir, "index")))
		// So much that it could not be compacted any more when others have filled the rest.
		if inIndex > 120<<20 {
			t.Errorf("round %d: %d bytes are in the index", round, inIndex)
		}
		// What Reclaim copies goes to new volumes, two at most, which have up to 10 MiB each set
		// aside: for what comes next, and for closing them.
		const begun = 2 * 10 << 20
		if put == 0 || freed < int64(deleted)*inlinedObject*9/10-begun {
			t.Errorf("round %d: %d objects deleted, %d bytes came back", round, deleted, freed)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
