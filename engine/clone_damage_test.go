package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// lossyBlobs cannot read some chunks, wherever they are.
type lossyBlobs struct {
	lastingBlobs

	mu   sync.Mutex // guards lost
	lost map[blob.Ref]bool
}

func (s *lossyBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost[ref] {
		return nil, &blob.CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "lost"}
	}
	return s.lastingBlobs.Get(ctx, ref, buf)
}

// lose has every chunk that is stored by now lost.
func (s *lossyBlobs) lose(t *testing.T, idx index.Store) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, rec := range chunkRecords(t, idx) {
		s.lost[blob.Ref{ID: blob.ID(id), Volume: rec.Volume, Offset: rec.Offset, Size: rec.Stored}] = true
		if err := s.Seal(t.Context(), rec.Volume); err != nil { // what is stored again lies elsewhere
			t.Fatal(err)
		}
	}
}

// TestPullDamaged pulls from a store that has lost the chunks of an object. Pull and the copy say
// which one is hit, and the rest is copied. Who stores the same bytes again heals it: in the copy,
// and in the store before another Pull.
func TestPullDamaged(t *testing.T) {
	o := engine.Options{ChunkSize: 32 << 10}
	hit, sound := random(1, 100<<10), random(2, 100<<10)
	for name, inStore := range map[string]bool{"healed in the copy": false, "healed in the store": true} {
		t.Run(name, func(t *testing.T) {
			blobs := &lossyBlobs{lastingBlobs: lastingBlobs{blob.NewMemory(0)}, lost: map[blob.Ref]bool{}}
			source := &site{index: lastingIndex{index.NewMemory()}, blobs: blobs, options: o}
			from, to := mustOpen(t, source), inMemory(t, o)
			mustObject(t, from, "bucket", "hit", "", hit)
			blobs.lose(t, source.index)
			mustObject(t, from, "bucket", "sound", "", sound)
			c := to.clone(t)
			res, err := c.Pull(t.Context(), from, nil)
			if err != nil {
				t.Fatal(err)
			}
			tellsOf(t, "Pull", res.Problems, "hit")
			if inStore {
				mustObject(t, from, "bucket", "again", "", hit)
				mustPull(t, c, from)
			}
			mustCloseClone(t, c)
			copied := mustOpen(t, to)
			if !inStore {
				check, err := copied.Check(t.Context(), &engine.CheckRequest{Data: true})
				if err != nil {
					t.Fatal(err)
				}
				tellsOf(t, "Check of the copy", check.Problems, "hit")
				mustObject(t, copied, "bucket", "again", "", hit)
			}
			for key, want := range map[string][]byte{"hit": hit, "sound": sound} {
				if !bytes.Equal(readAll(t, copied, "bucket", key), want) {
					t.Errorf("object %q reads back wrong", key)
				}
			}
			checkStore(t, copied)
			mustClose(t, copied)
			mustClose(t, from)
		})
	}
}

// mustOpen opens a store in memory that the test expects to be damaged.
func mustOpen(t *testing.T, s *site) *engine.Engine {
	t.Helper()
	e, err := engine.OpenStores(t.Context(), s.index, s.blobs, &s.options)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tellsOf wants problems of an object, and of no other.
func tellsOf(t *testing.T, who string, problems []engine.Problem, key string) {
	t.Helper()
	of := func(p engine.Problem) bool { return p.Kind == engine.DataLost && p.Key == key }
	if !slices.ContainsFunc(problems, of) {
		t.Errorf("%s tells of nothing that %q has lost", who, key)
	}
	for _, p := range problems {
		if p.Key != "" && !of(p) {
			t.Errorf("%s tells of %v", who, p)
		}
	}
}

// wrongBlobs give other frames than those that were put, and do not know it.
type wrongBlobs struct {
	lastingBlobs

	mu    sync.Mutex // guards wrong
	wrong map[blob.Ref]bool
}

func (s *wrongBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	frame, err := s.lastingBlobs.Get(ctx, ref, buf)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.wrong[ref] {
		frame[len(frame)/2] ^= 1
	}
	return frame, err
}

// TestPullWrongFrames pulls from a store whose frames are whole by their checksums, but of which
// the store knows that they are not what they should be, be that found out before they were copied
// or behind that. The clone must know it, too, until the store has them anew.
func TestPullWrongFrames(t *testing.T) {
	for name, earlier := range map[string]bool{"known before": false, "found out after a Pull": true} {
		t.Run(name, func(t *testing.T) { pullWrongFrames(t, earlier) })
	}
}

func pullWrongFrames(t *testing.T, earlier bool) {
	o := engine.Options{ChunkSize: 32 << 10}
	blobs := &wrongBlobs{lastingBlobs: lastingBlobs{blob.NewMemory(0)}, wrong: map[blob.Ref]bool{}}
	source := &site{index: lastingIndex{index.NewMemory()}, blobs: blobs, options: o}
	from, to := mustOpen(t, source), inMemory(t, o)
	hit, sound := random(1, 100<<10), random(2, 100<<10)
	mustObject(t, from, "bucket", "hit", "", hit)
	for id, rec := range chunkRecords(t, source.index) {
		blobs.wrong[blob.Ref{ID: blob.ID(id), Volume: rec.Volume, Offset: rec.Offset, Size: rec.Stored}] = true
		if err := blobs.Seal(t.Context(), rec.Volume); err != nil { // what is stored again lies elsewhere
			t.Fatal(err)
		}
	}
	mustObject(t, from, "bucket", "sound", "", sound)
	c := to.clone(t)
	if earlier {
		mustPull(t, c, from) // nobody knows yet
	}
	if _, err := from.Check(t.Context(), &engine.CheckRequest{Data: true}); err != nil {
		t.Fatal(err)
	}
	known := damagedChunks(t, source.index)
	if known == 0 {
		t.Fatal("the store does not know of its damage")
	}
	for range 2 {
		res, err := c.Pull(t.Context(), from, nil)
		if err != nil {
			t.Fatal(err)
		}
		tellsOf(t, "Pull", res.Problems, "hit")
		if n := damagedChunks(t, to.index); n != known {
			t.Errorf("the clone knows of %d damaged chunks, the store of %d", n, known)
		}
	}
	mustObject(t, from, "bucket", "again", "", hit)
	mustPull(t, c, from)
	mustCloseClone(t, c)
	copied := mustOpen(t, to)
	if n := damagedChunks(t, to.index); n != 0 {
		t.Errorf("of healed chunks %d are damaged in the copy", n)
	}
	for key, want := range map[string][]byte{"hit": hit, "again": hit, "sound": sound} {
		if !bytes.Equal(readAll(t, copied, "bucket", key), want) {
			t.Errorf("object %q reads back wrong", key)
		}
	}
	checkStore(t, copied)
	mustClose(t, copied)
	mustClose(t, from)
}

// chunkRecords lists the chunks of a store.
func chunkRecords(t *testing.T, idx index.Store) map[index.ChunkID]index.Chunk {
	t.Helper()
	all := map[index.ChunkID]index.Chunk{}
	err := idx.View(t.Context(), func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.Chunks()) {
			if err != nil {
				return err
			}
			id, err := index.ParseChunkKey(entry.Key)
			if err != nil {
				return err
			}
			all[id] = entry.Record
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// damagedChunks counts the chunks that are known to be damaged.
func damagedChunks(t *testing.T, idx index.Store) (n int) {
	t.Helper()
	for _, rec := range chunkRecords(t, idx) {
		if rec.Damaged {
			n++
		}
	}
	return n
}

// TestPullAfterLoss has a clone lose its volumes. The next Pull copies again what was in them.
func TestPullAfterLoss(t *testing.T) {
	o := engine.Options{ChunkSize: 32 << 10}
	from, to := inMemory(t, o).open(t), inMemory(t, o)
	mustObject(t, from, "bucket", "key", "", random(1, 128<<10))
	c := to.clone(t)
	mustPull(t, c, from)
	mustCloseClone(t, c)
	volumes, err := to.blobs.Volumes(t.Context())
	if err != nil || len(volumes) == 0 {
		t.Fatalf("the clone has volumes %v, %v", volumes, err)
	}
	for _, v := range volumes {
		if err := errors.Join(to.blobs.Seal(t.Context(), v.ID), to.blobs.Remove(t.Context(), v.ID)); err != nil {
			t.Fatal(err)
		}
	}
	c = to.clone(t)
	if res := mustPull(t, c, from); res.Chunks != 4 {
		t.Errorf("pulled again were %d chunks of 4", res.Chunks)
	}
	mustCloseClone(t, c)
	mustBeSame(t, from, to.open(t))
}

// TestPullDamagedRecords pulls from a store with a damaged record in its index. The copy says of it
// what the store says, but what an earlier Pull has copied is not made worse.
func TestPullDamagedRecords(t *testing.T) {
	for _, record := range []string{"object", "chunk"} {
		t.Run(record+", pulled for the first time", func(t *testing.T) {
			pullDamagedRecord(t, record, false)
		})
		t.Run(record+", pulled again", func(t *testing.T) { pullDamagedRecord(t, record, true) })
	}
}

func pullDamagedRecord(t *testing.T, record string, earlier bool) {
	o := engine.Options{ChunkSize: 32 << 10}
	source, to := inMemory(t, o), inMemory(t, o)
	from := mustOpen(t, source)
	mustObject(t, from, "bucket", "hit", "", random(1, 100<<10))
	hit := []byte(index.ObjectKey("bucket", "hit"))
	if record == "chunk" {
		hit = index.Chunks().Start
	}
	key := firstKey(t, source.index, hit)
	mustObject(t, from, "bucket", "sound", "", random(2, 100<<10))
	c := to.clone(t)
	if earlier {
		mustPull(t, c, from)
	}
	damageRecord(t, source.index, key)
	for range 2 { // the second has nothing to do
		res, err := c.Pull(t.Context(), from, nil)
		if err != nil {
			t.Fatal(err)
		}
		tellsOf(t, "Pull", res.Problems, "hit")
	}
	mustCloseClone(t, c)
	copied := mustOpen(t, to)
	if earlier {
		checkStore(t, copied)
	} else {
		check, err := copied.Check(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		tellsOf(t, "Check of the copy", check.Problems, "hit")
	}
	mustClose(t, copied)
	mustClose(t, from)
}

// firstKey is the first key of an index from another on.
func firstKey(t *testing.T, idx index.Store, start []byte) (key []byte) {
	t.Helper()
	err := idx.View(t.Context(), func(r index.Reader) error {
		for item, err := range r.Scan(start, nil) {
			key = item.Key
			return err
		}
		return index.ErrNotFound
	})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// damageRecord damages a record.
func damageRecord(t *testing.T, idx index.Store, key []byte) {
	t.Helper()
	err := idx.Update(t.Context(), func(tx index.Tx) error {
		value, err := tx.Get(key)
		if err != nil {
			return err
		}
		value[len(value)/2] ^= 1
		return tx.Put(key, value)
	})
	if err != nil {
		t.Fatal(err)
	}
}
