package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// TestFullRounds fills small file systems until nothing more is taken, deletes all objects but one,
// and reclaims, round after round: with the default options, and at every other size with log
// volumes. Each time nine tenths of what was deleted must come back on disk, without help. In the
// rounds called foreign, another process takes the disk to its last block when it is full, and
// gives 8 MiB back. GABION_FILLS, when it is more than 1, sets the number of rounds and has them
// run at more sizes, on ext4, too.
func TestFullRounds(t *testing.T) {
	n := rounds(t, "GABION_FILLS", 1)
	sizes, kinds := []int{240}, []string{"tmpfs"}
	if n > 1 {
		sizes, kinds = []int{300, 700, 1000, 2000}, []string{"tmpfs", "ext4"}
	} else {
		n = 2
	}
	for _, kind := range kinds {
		for i, size := range sizes {
			t.Run(fmt.Sprintf("%s %d MB", kind, size), func(t *testing.T) {
				f := &fullRounds{mount: disktest.Mount(t, kind, int64(size)*1_000_000), kept: map[string]uint64{}}
				f.e = open(t, f.store(), &engine.Options{Volumes: volumeKinds[i%len(volumeKinds)]})
				mustBucket(t, f.e, fullBucket)
				for round := range n {
					for _, form := range []string{"alone", "foreign", triedBefore} {
						f.round(t, round, form)
						if t.Failed() {
							t.Fatalf("round %d, %s, failed", round, form)
						}
					}
				}
			})
		}
	}
}

const (
	roundObject = 4 << 20
	roundKept   = 5 // objects that stay
	givenBack   = 8 << 20

	// triedBefore is the form in which the deletions come while the disk is full to its last block.
	triedBefore = "foreign, deletes tried before"
)

// fullRounds is a small file system, the store on it, and the objects that stay, with their seeds.
type fullRounds struct {
	mount string
	e     *engine.Engine
	kept  map[string]uint64
	seed  uint64
}

func (f *fullRounds) store() string { return filepath.Join(f.mount, "store") }

func (f *fullRounds) foreign() string { return filepath.Join(f.mount, "foreign") }

func (f *fullRounds) round(t *testing.T, round int, form string) {
	t.Helper()
	objects := f.fill(t, round, form)
	if form != "alone" {
		disktest.TakeAll(t, f.foreign())
		if form != "foreign" {
			for key := range objects {
				// Whatever comes of it, the other takes that, too.
				if err := f.delete(key); err != nil && !errors.Is(err, engine.ErrNoSpace) {
					t.Errorf("DeleteObject on the full disk: %v", err)
				}
			}
			if _, err := f.e.Reclaim(context.Background(), &engine.ReclaimRequest{}); err != nil && !errors.Is(err, engine.ErrNoSpace) {
				t.Errorf("Reclaim on the full disk: %v", err)
			}
		}
		f.giveBack(t)
	}
	free := f.free(t)
	for key := range objects {
		if err := f.delete(key); err != nil {
			t.Fatalf("DeleteObject: %v", err)
		}
	}
	res, err := f.e.Reclaim(context.Background(), &engine.ReclaimRequest{})
	if err != nil {
		t.Errorf("Reclaim: %v", err)
	}
	back := f.free(t) - free
	if want := int64(len(objects)) * roundObject * 9 / 10; back < want && form != triedBefore {
		t.Errorf("%d bytes came back of %d objects, wanted are %d; reclaimed is %+v", back, len(objects), want, res)
	}
	if s := stats(t, f.e); s.DeadBytes > int64(len(objects))*roundObject/10 {
		t.Errorf("%d bytes are dead, of %d objects deleted", s.DeadBytes, len(objects))
	}
	if err := os.Remove(f.foreign()); err != nil && form != "alone" {
		t.Error(err)
	}
	for key, seed := range f.kept {
		if !bytes.Equal(readAll(t, f.e, fullBucket, key), random(seed, roundObject)) {
			t.Errorf("object %s reads back wrong", key)
		}
	}
}

// fill puts objects until the disk is full, and returns those that are to be deleted.
func (f *fullRounds) fill(t *testing.T, round int, form string) map[string]uint64 {
	t.Helper()
	objects := map[string]uint64{}
	for n := 0; ; n++ {
		f.seed++
		key := fmt.Sprintf("%04d %s %d", round, form, n)
		_, err := f.e.PutObject(context.Background(), &engine.PutObjectRequest{
			Bucket: fullBucket, Key: key, Body: bytes.NewReader(random(f.seed, roundObject)),
		})
		if errors.Is(err, engine.ErrNoSpace) {
			break
		}
		if err != nil {
			t.Fatalf("a write was refused with another error: %v", err)
		}
		objects[key] = f.seed
	}
	if len(objects) < 5 {
		t.Fatalf("only %d objects fit", len(objects))
	}
	for key, seed := range objects { // any one stays
		f.kept[key] = seed
		delete(objects, key)
		break
	}
	if len(f.kept) > roundKept {
		oldest := slices.Min(slices.Collect(maps.Keys(f.kept)))
		objects[oldest] = f.kept[oldest]
		delete(f.kept, oldest)
	}
	return objects
}

func (f *fullRounds) delete(key string) error {
	_, err := f.e.DeleteObject(context.Background(), &engine.DeleteObjectRequest{Bucket: fullBucket, Key: key})
	return err
}

// free is the free space, with what the engine has set aside.
func (f *fullRounds) free(t *testing.T) int64 {
	t.Helper()
	space, err := disk.SpaceOf(f.mount)
	if err != nil {
		t.Fatal(err)
	}
	if reserve, err := os.Stat(filepath.Join(f.store(), "RESERVE")); err == nil {
		space.Bytes += disk.Allocated(reserve)
	}
	return space.Bytes
}

// giveBack has the other process take what has become free, to the last block, and then give some
// back.
func (f *fullRounds) giveBack(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile(f.foreign(), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	chunk := make([]byte, 64<<10)
	for n := len(chunk); n >= 4096; {
		if _, err := file.Write(chunk[:n]); disk.IsNoSpace(err) {
			n /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(info.Size() - givenBack); err != nil {
		t.Fatal(err)
	}
}
