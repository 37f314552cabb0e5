package lease_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/index"
)

// A world is what a fleet has together: an index, and a store of volumes with one or more chunks
// each. In the index an object names a content, which has one chunk.
//
//	o name       content
//	c content    chunk
type world struct {
	*testing.T
	index index.Store

	mu       sync.Mutex // guards the fields below
	volumes  map[uint64][]index.ChunkID
	last     uint64 // the number of a volume
	happened map[string]int
}

func objectKey(name string) []byte  { return []byte("o" + name) }
func contentKey(id [16]byte) []byte { return append([]byte("c"), id[:]...) }

// count counts what has happened.
func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happened[what]++
}

// store writes a volume.
func (w *world) store(chunks ...index.ChunkID) (volume uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	w.volumes[w.last] = chunks
	return w.last
}

func (w *world) remove(volume uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.volumes, volume)
	w.happened["removed"]++
}

// list returns the volumes that are there.
func (w *world) list() []uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.volumes))
}

// has says whether a chunk can be read in a volume.
func (w *world) has(volume uint64, chunk index.ChunkID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.volumes[volume], chunk)
}

// check looks whether all that is named is there. Nothing is removed meanwhile.
func (w *world) check() {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.index.View(context.Background(), func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.Chunks()) {
			if err != nil {
				return err
			}
			id, err := index.ParseChunkKey(entry.Key)
			if err != nil {
				return err
			}
			if v := entry.Record.Volume; !slices.Contains(w.volumes[v], id) {
				w.Errorf("chunk %c is not in volume %d", id[0], v)
			}
		}
		for object, err := range r.Scan(objectKey(""), objectKey("\xff")) {
			if err != nil {
				return err
			}
			if _, _, err := chunkOf(r, [16]byte(object.Value)); err != nil {
				w.Errorf("object %s has no chunk: %v", object.Key, err)
			}
		}
		return nil
	})
	if err != nil {
		w.Error(err)
	}
}

// wantTidy wants every volume to have something that lives, and the trash to be empty.
func (w *world) wantTidy() {
	w.Helper()
	err := w.index.View(context.Background(), func(r index.Reader) error {
		for _, v := range w.list() {
			if living, err := livingIn(r, v); len(living) == 0 {
				w.Errorf("nothing lives in volume %d: %v", v, err)
			}
		}
		ends, err := index.TrashQueue().Ends(r)
		if ends.Head != ends.Tail {
			w.Errorf("%d contents wait to be swept", ends.Tail-ends.Head)
		}
		return err
	})
	if err != nil {
		w.Error(err)
	}
}

// chunkOf returns the chunk of a content, and its record.
func chunkOf(r index.Reader, content [16]byte) (id index.ChunkID, rec index.Chunk, err error) {
	value, err := r.Get(contentKey(content))
	if err != nil {
		return id, rec, err
	}
	id = index.ChunkID(value)
	rec, err = index.Get(r, index.ChunkKey(id))
	return id, rec, err
}

// livingIn returns the chunks that have their record in a volume.
func livingIn(r index.Reader, volume uint64) (living []index.ChunkID, err error) {
	for entry, err := range index.Scan(r, index.Chunks()) {
		if err != nil {
			return nil, err
		}
		id, err := index.ParseChunkKey(entry.Key)
		if err != nil {
			return nil, err
		}
		if entry.Record.Volume == volume {
			living = append(living, id)
		}
	}
	return living, nil
}

// putObject names a content whose chunk was found or stored in a volume.
func putObject(
	tx index.Tx, name string, content [16]byte, chunk index.ChunkID, place uint64,
) error {
	rec, err := index.Get(tx, index.ChunkKey(chunk))
	if errors.Is(err, index.ErrNotFound) {
		rec, err = index.Chunk{Volume: place}, nil
	}
	rec.Refs++
	return errors.Join(
		err, deleteObject(tx, name), tx.Put(objectKey(name), content[:]),
		tx.Put(contentKey(content), chunk[:]), index.Put(tx, index.ChunkKey(chunk), &rec),
	)
}

// deleteObject discards what an object names, if there is one.
func deleteObject(tx index.Tx, name string) error {
	content, err := tx.Get(objectKey(name))
	if errors.Is(err, index.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = index.Push(tx, index.TrashQueue(), &index.Trash{
		Kind: index.TrashContent, ID: [16]byte(content),
	})
	return errors.Join(err, tx.Delete(objectKey(name)))
}

// sweepContent sweeps the oldest content in the trash.
func sweepContent(tx index.Tx) error {
	trash, err := index.Oldest(tx, index.TrashQueue())
	if err != nil {
		return err
	}
	chunk, rec, err := chunkOf(tx, trash.ID)
	if err != nil {
		return err
	}
	if rec.Refs--; rec.Refs > 0 {
		err = index.Put(tx, index.ChunkKey(chunk), &rec)
	} else {
		err = index.Delete(tx, index.ChunkKey(chunk))
	}
	return errors.Join(err, tx.Delete(contentKey(trash.ID)), index.Pop(tx, index.TrashQueue()))
}
