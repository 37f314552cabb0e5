package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// fragileSite is a place whose power goes off at some operation on its stores.
func fragileSite(cutAt int, once bool, o engine.Options) (*site, *power) {
	p := &power{cutAt: cutAt, once: once}
	return &site{
		index:   &durableIndex{Memory: index.NewMemory(), power: p},
		blobs:   &volatileBlobs{Memory: blob.NewMemory(o.VolumeSize), power: p, dirty: map[uint64][]blob.Ref{}},
		options: o,
	}, p
}

// TestPullFaults has the first, second, third ... operation on a clone's stores fail, until a Pull
// gets through: once with an error of that one operation, and once with the power. Until then
// nobody can open the copy. Another Pull makes it good, and copies no chunk that has a record.
func TestPullFaults(t *testing.T) {
	o := engine.Options{ChunkSize: 64 << 10, VolumeSize: 1 << 20, Keys: keys(t)}
	from := inMemory(t, o).open(t)
	furnish(t, from)
	for name, once := range map[string]bool{"one error": true, "power": false} {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				to, power := fragileSite(at, once, o)
				through := pullBroken(t, from, to, power)
				if t.Failed() {
					t.Fatalf("operation %d failed", at)
				}
				if through {
					t.Logf("a Pull takes %d operations", at-1)
					if at < 15 {
						t.Errorf("a Pull took only %d operations: the test has lost its grip", at)
					}
					return
				}
			}
		})
	}
}

// pullBroken has a Pull fail, unless there is no such operation as is to fail, and another succeed.
func pullBroken(t *testing.T, from *engine.Engine, to *site, power *power) (through bool) {
	t.Helper()
	c, err := to.tryClone(t)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Pull(t.Context(), from, nil)
	if through = err == nil; !through && !errors.Is(err, errPower) {
		t.Errorf("Pull: %v", err)
	}
	mustCloseClone(t, c)
	power.restore()
	there := recorded(t, to.index)
	if !through {
		if there < 0 { // not even begun
			return false
		}
		if err := to.tryOpen(t.Context()); !errors.Is(err, engine.ErrUnfinishedClone) {
			t.Errorf("opening a copy that is not complete: %v", err)
		}
		c = to.clone(t)
		res := mustPull(t, c, from)
		mustCloseClone(t, c)
		if total := stats(t, from).Chunks; there+res.Chunks != total {
			t.Errorf("of %d chunks %d were there, and %d were pulled again", total, there, res.Chunks)
		}
	}
	e, err := engine.OpenStores(t.Context(), to.index, to.blobs, &to.options)
	if err != nil {
		t.Fatal(err)
	}
	mustBeSame(t, from, e)
	mustReclaim(t, e) // frames without a record are garbage like any other
	mustClose(t, e)
	return through
}

// TestPullGoesOn cuts the power amid a Pull of more chunks than share a sync. The next one copies
// those that have no record.
func TestPullGoesOn(t *testing.T) {
	o := engine.Options{Compression: engine.CompressionNone, ChunkSize: 1 << 20}
	from := inMemory(t, o).open(t)
	const chunks = 80
	mustObject(t, from, "bucket", "key", "", random(1, chunks<<20))
	to, power := fragileSite(chunks/2, false, o)
	c := to.clone(t)
	if _, err := c.Pull(t.Context(), from, nil); !errors.Is(err, errPower) {
		t.Fatalf("Pull without power: %v", err)
	}
	mustCloseClone(t, c)
	power.restore()
	there := recorded(t, to.index)
	c = to.clone(t)
	if res := mustPull(t, c, from); there < chunks/4 || there+res.Chunks != chunks {
		t.Errorf("of %d chunks %d were there, and %d were pulled again", chunks, there, res.Chunks)
	}
	mustCloseClone(t, c)
	mustBeSame(t, from, to.open(t))
}

// scarceSite is a place that says what room it has.
func scarceSite(free int64, o engine.Options) (*site, *scarceBlobs) {
	blobs := &scarceBlobs{blob.NewMemory(0), free}
	return &site{index: index.NewMemory(), blobs: blobs, options: o}, blobs
}

// TestPullWithoutSpace pulls to a place that is down to the reserve, and again when there is space.
func TestPullWithoutSpace(t *testing.T) {
	o := engine.Options{Keys: keys(t)}
	from := inMemory(t, o).open(t)
	furnish(t, from)
	to, blobs := scarceSite(engine.DefaultReserveSpace-1, o)
	c, err := to.tryClone(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Pull(t.Context(), from, nil); !errors.Is(err, engine.ErrNoSpace) {
		t.Errorf("Pull without space: %v", err)
	}
	blobs.free = engine.DefaultReserveSpace
	mustPull(t, c, from)
	mustCloseClone(t, c)
}

// recorded counts the chunks that an index knows, -1 if it has nothing at all.
func recorded(t *testing.T, idx index.Store) (n int64) {
	t.Helper()
	err := idx.View(context.Background(), func(r index.Reader) error {
		empty := true
		for range r.Scan(nil, nil) {
			empty = false
			break
		}
		if empty {
			n = -1
		}
		for _, err := range index.Scan(r, index.Chunks()) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
