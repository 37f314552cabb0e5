package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	badgerindex "github.com/gabion-storage/gabion/index/badger"
)

// chunksOf lists the chunks of a closed store.
func chunksOf(t *testing.T, dir string) map[index.ChunkID]index.Chunk {
	t.Helper()
	idx, err := badgerindex.Open(t.Context(), filepath.Join(dir, "index"), nil)
	if err != nil {
		t.Fatal(err)
	}
	chunks := chunkRecords(t, idx)
	if err := idx.Close(); err != nil {
		t.Fatal(err)
	}
	return chunks
}

// TestChunksInBadger looks where the chunks of a store are that was made with default options: in
// Badger's files, at least 95 % of all bytes below the directory of volumes, and each is found
// there by Badger alone under its address. With log volumes none is. GABION_KIND_BYTES sets how
// much is uploaded.
func TestChunksInBadger(t *testing.T) {
	size := rounds(t, "GABION_KIND_BYTES", 8<<20)
	for kind, wantBadger := range map[engine.VolumeKind]bool{
		"": true, engine.VolumesBadgerFormat: true, engine.VolumesLog: false,
	} {
		t.Run(fmt.Sprintf("kind %q", kind), func(t *testing.T) {
			dir := t.TempDir()
			e := open(t, dir, &engine.Options{Volumes: kind})
			body := random(seed(t), size)
			mustObject(t, e, "kinds", "object", "", body[:size/2], body[size/2:])
			mustClose(t, e)
			var inBadger, inAll int64
			for path, n := range regularFiles(t, dir) {
				ours, err := filepath.Match("volumes/*.badger/*", path)
				if err != nil {
					t.Fatal(err)
				}
				if ours {
					inBadger += n
				}
				if ours || filepath.Dir(path) == "volumes" {
					inAll += n
				}
			}
			if wantBadger && (inBadger < inAll/100*95 || inBadger < int64(size)) {
				t.Errorf("%d of %d bytes are in Badger's files", inBadger, inAll)
			}
			if !wantBadger && inBadger > 0 {
				t.Errorf("%d bytes are in Badger's files", inBadger)
			}
			if wantBadger {
				wantInBadger(t, dir, chunksOf(t, dir))
			}
		})
	}
}

// wantInBadger opens each Badger volume of a store by Badger alone. Each chunk must be found in its
// volume, under its address, as long as it was stored.
func wantInBadger(t *testing.T, dir string, chunks map[index.ChunkID]index.Chunk) {
	t.Helper()
	if len(chunks) == 0 {
		t.Error("there are no chunks")
	}
	dbs := map[uint64]*badger.DB{}
	defer func() {
		for _, db := range dbs {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	for id, chunk := range chunks {
		db := dbs[chunk.Volume]
		if db == nil {
			var err error
			db, err = badger.Open(badger.DefaultOptions(
				filepath.Join(dir, "volumes", fmt.Sprintf("%016x.badger", chunk.Volume)),
			).WithReadOnly(true).WithLogger(nil).WithVerifyValueChecksum(true))
			if err != nil {
				t.Fatal(err)
			}
			dbs[chunk.Volume] = db
		}
		err := db.View(func(txn *badger.Txn) error {
			item, err := txn.Get(id[:])
			if err != nil {
				return err
			}
			value, err := item.ValueCopy(nil)
			if err == nil && len(value) != int(chunk.Stored) {
				err = fmt.Errorf("it has %d bytes, stored were %d", len(value), chunk.Stored)
			}
			return err
		})
		if err != nil {
			t.Errorf("chunk %x in volume %d: %v", id, chunk.Volume, err)
		}
	}
}

// TestReclaimMovesKinds opens a store with one kind of volumes after the other. All is read as before;
// Reclaim moves it, and leaves no volume of the other kind.
func TestReclaimMovesKinds(t *testing.T) {
	dir := t.TempDir()
	o := &engine.Options{
		Keys: keys(t), ChunkSize: 32 << 10, VolumeSize: 1 << 20, Volumes: engine.VolumesLog,
	}
	e := open(t, dir, o)
	objects := map[string][]byte{}
	for i := range 12 {
		key, body := fmt.Sprint("object ", i), random(uint64(i), 300_000)
		mustObject(t, e, "kinds", key, []string{"", "AES256"}[i%2], body)
		objects[key] = body
	}
	mustClose(t, e)
	for _, k := range volumeKinds {
		var moved int64
		o.Volumes = k
		o.Events = &engine.Events{VolumeReclaimed: func(v engine.VolumeReclaimed) { moved += v.Moved }}
		e := open(t, dir, o)
		mustPut(t, e, engine.PutObjectRequest{
			Bucket: "kinds", Key: "of " + string(k), Body: bytes.NewReader(objects["object 0"]),
		})
		objects["of "+string(k)] = objects["object 0"]
		mustReclaim(t, e)
		if moved < 12*300_000 {
			t.Errorf("to %s volumes %d bytes were moved", k, moved)
		}
		for _, path := range volumeLogs(t, dir) {
			inBadger := filepath.Ext(path) == ".vlog"
			if inBadger != (k != engine.VolumesLog) {
				t.Errorf("after Reclaim with %s volumes there is %s", k, path)
			}
		}
		moved = 0
		if mustReclaim(t, e); moved > 0 {
			t.Errorf("a second Reclaim has moved %d bytes", moved)
		}
		for key, want := range objects {
			if !bytes.Equal(readAll(t, e, "kinds", key), want) {
				t.Errorf("%s has other bytes", key)
			}
		}
		wantSound(t, e)
		mustClose(t, e)
	}
}

// TestVolumesOption refuses what is no kind of volume, before anything is made.
func TestVolumesOption(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := engine.Open(context.Background(), dir, &engine.Options{Volumes: "tar"}); err == nil {
		t.Error("a kind that there is not was accepted")
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("the directory was made all the same")
	}
}
