package engine_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// Stores in memory that outlive an engine's Close.
type (
	lastingIndex struct{ index.Store }
	lastingBlobs struct{ *blob.Memory }
)

func (lastingIndex) Close() error { return nil }
func (lastingBlobs) Close() error { return nil }

// openStores opens an engine on two stores; the test's cleanup checks and closes it.
func openStores(t *testing.T, idx index.Store, blobs blob.Store, o *engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.OpenStores(t.Context(), idx, blobs, o)
	if err != nil {
		t.Fatalf("OpenStores: %v", err)
	}
	t.Cleanup(func() {
		checkStore(t, e)
		if err := e.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
		checkLeftovers(t, e)
	})
	return e
}

// TestOpenStoresAgain closes and opens a store in memory. What was stored is there, and Close has
// closed both stores.
func TestOpenStoresAgain(t *testing.T) {
	idx, blobs := index.NewMemory(), blob.NewMemory(0)
	body := random(1, 300_000)
	e := openStores(t, lastingIndex{idx}, lastingBlobs{blobs}, nil)
	mustObject(t, e, "bucket", "key", "", body)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openStores(t, idx, blobs, nil)
	if !bytes.Equal(readAll(t, e, "bucket", "key"), body) {
		t.Error("an object reads back wrong")
	}
	if s := stats(t, e); s.DiskBytes < int64(len(body)) {
		t.Errorf("Stats counts %d bytes", s.DiskBytes)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := idx.Free(); !errors.Is(err, index.ErrClosed) {
		t.Errorf("the index after Close: %v", err)
	}
	if _, err := blobs.Free(); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("the chunk store after Close: %v", err)
	}
}

// TestOpenStoresRefuses gives stores that do not belong together, or are none. They stay open, and
// as they were.
func TestOpenStoresRefuses(t *testing.T) {
	ctx := t.Context()
	put := func(key, value string) func(*testing.T, index.Store, blob.Store) {
		return func(t *testing.T, idx index.Store, _ blob.Store) {
			err := idx.Update(ctx, func(tx index.Tx) error { return tx.Put([]byte(key), []byte(value)) })
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		options *engine.Options
		prepare func(*testing.T, index.Store, blob.Store)
		is      func(error) bool
	}{
		"options":                  {&engine.Options{ChunkSize: 1}, nil, func(err error) bool { return errors.Is(err, engine.ErrInvalidArgument) }},
		"records without a header": {nil, put("anything", ""), isCorruption},
		"a damaged header":         {nil, put(string(index.HeaderKey()), "damaged"), isCorruption},
		"a newer header": {nil, func(t *testing.T, idx index.Store, _ blob.Store) {
			err := idx.Update(ctx, func(tx index.Tx) error {
				return index.Put(tx, index.HeaderKey(), &index.Header{Format: 1000})
			})
			if err != nil {
				t.Fatal(err)
			}
		}, func(err error) bool {
			var format *engine.FormatError
			return errors.As(err, &format) && format.Version == 1000
		}},
		"an empty index beside chunks": {nil, func(t *testing.T, _ index.Store, blobs blob.Store) {
			if _, err := blobs.Put(ctx, blob.ID{1}, []byte("somebody's")); err != nil {
				t.Fatal(err)
			}
		}, isCorruption},
	} {
		t.Run(name, func(t *testing.T) {
			idx, blobs := index.NewMemory(), blob.NewMemory(0)
			if c.prepare != nil {
				c.prepare(t, idx, blobs)
			}
			before, err := blobs.Volumes(ctx)
			if err != nil {
				t.Fatal(err)
			}
			_, err = engine.OpenStores(ctx, idx, blobs, c.options)
			if !c.is(err) || asError(t, err).Op != "OpenStores" {
				t.Errorf("OpenStores: %v", err)
			}
			if after, err := blobs.Volumes(ctx); err != nil || len(after) != len(before) {
				t.Errorf("%d volumes, %v; there were %d", len(after), err, len(before))
			}
			if err := errors.Join(idx.Close(), blobs.Close()); err != nil {
				t.Errorf("the stores after a refusal: %v", err)
			}
		})
	}
	for name, open := range map[string]func() (*engine.Engine, error){
		"no index":       func() (*engine.Engine, error) { return engine.OpenStores(ctx, nil, blob.NewMemory(0), nil) },
		"no chunk store": func() (*engine.Engine, error) { return engine.OpenStores(ctx, index.NewMemory(), nil, nil) },
	} {
		if _, err := open(); !errors.Is(err, engine.ErrInvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isCorruption(err error) bool {
	var corrupt *engine.CorruptionError
	return errors.As(err, &corrupt)
}

// TestLostVolumesKeepTheirNumbers opens an index beside a chunk store that has lost all its
// volumes. What is stored from then on must not lie in one that goes by a lost one's number.
func TestLostVolumesKeepTheirNumbers(t *testing.T) {
	idx := index.NewMemory()
	e := openStores(t, lastingIndex{idx}, blob.NewMemory(1<<20), nil)
	for n := range uint64(4) {
		mustObject(t, e, "bucket", string(rune('a'+n)), "", random(n, 900_000))
	}
	lost := map[uint64]bool{}
	for _, v := range stats(t, e).Volumes {
		lost[v.ID] = true
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(1<<20), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustObject(t, e, "bucket", "new", "", random(9, 900_000))
	volumes := stats(t, e).Volumes
	for _, v := range volumes {
		if lost[v.ID] {
			t.Errorf("a new volume goes by the number %d of one that is lost", v.ID)
		}
	}
	if len(volumes) == 0 || len(lost) < 2 {
		t.Errorf("%d volumes, and %d before: the test has lost its grip", len(volumes), len(lost))
	}
}

// Stores that say what room they have.
type (
	scarceIndex struct {
		*index.Memory
		free int64
	}
	scarceBlobs struct {
		*blob.Memory
		free int64
	}
)

func (s *scarceIndex) Free() (int64, error) { return s.free, nil }
func (s *scarceBlobs) Free() (int64, error) { return s.free, nil }

// TestOpenStoresReserve has either store say that it is down to the reserve. What adds data is
// refused, the rest goes on.
func TestOpenStoresReserve(t *testing.T) {
	const plenty = 1 << 40
	ctx := context.Background()
	idx, blobs := &scarceIndex{index.NewMemory(), plenty}, &scarceBlobs{blob.NewMemory(0), plenty}
	e := openStores(t, idx, blobs, nil)
	mustObject(t, e, "bucket", "key", "", random(1, 300_000))
	put := func() error {
		_, err := e.PutObject(ctx, &engine.PutObjectRequest{
			Bucket: "bucket", Key: "other", Body: bytes.NewReader(random(2, 300_000)),
		})
		return err
	}
	for name, free := range map[string]*int64{"index": &idx.free, "chunk store": &blobs.free} {
		*free = engine.DefaultReserveSpace - 1
		if err := put(); !errors.Is(err, engine.ErrNoSpace) {
			t.Errorf("the %s is down to the reserve: %v", name, err)
		}
		if !bytes.Equal(readAll(t, e, "bucket", "key"), random(1, 300_000)) {
			t.Error("an object reads back wrong")
		}
		*free = engine.DefaultReserveSpace
		if err := put(); err != nil {
			t.Errorf("the %s has the reserve: %v", name, err)
		}
		*free = 0
		mustDelete(t, e, "bucket", "other")
		mustReclaim(t, e)
		*free = plenty
	}
}
