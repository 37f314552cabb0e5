package engine_test

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// One record of the index that is damaged hits what it is about, and nothing else: what goes through
// a whole table goes on behind it.

// TestCompleteAfterADamagedAnswer completes uploads while what is to be forgotten next is damaged.
func TestCompleteAfterADamagedAnswer(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e, idx := memoryStore(t, &engine.Options{Rules: engine.S3, Clock: func() time.Time { return now }})
	mustBucket(t, e, "bucket")
	complete := func() {
		t.Helper()
		id := mustInitiate(t, e, "bucket", "key", "")
		mustPart(t, e, "bucket", "key", id, 1, nil)
		mustComplete(t, e, "bucket", "key", id)
		now = now.Add(2 * time.Hour)
	}
	complete()
	damageRecord(t, idx, index.AnswerQueue().Key(0))
	for range 3 {
		complete()
	}
	if n := countCompleted(t, idx); n != 2 { // that whose turn to be forgotten nobody knows, and the last
		t.Errorf("%d answers are remembered", n)
	}
}

// TestExpireBesideDamage expires uploads behind one whose records are damaged.
func TestExpireBesideDamage(t *testing.T) {
	for name, damaged := range map[string]func(t *testing.T, idx index.Store) []byte{
		"upload": func(t *testing.T, idx index.Store) []byte {
			return firstKey(t, idx, index.AllUploads().Start)
		},
		"part":  func(t *testing.T, idx index.Store) []byte { return firstKey(t, idx, index.AllParts().Start) },
		"watch": func(t *testing.T, idx index.Store) []byte { return firstKey(t, idx, index.AllIdle().Start) },
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			e, idx := memoryStore(t, &engine.Options{Clock: func() time.Time { return now }})
			id := mustInitiate(t, e, "bucket", "a", "")
			mustPart(t, e, "bucket", "a", id, 1, nil)
			now = now.Add(time.Hour)
			mustInitiate(t, e, "bucket", "b", "")
			damageRecord(t, idx, damaged(t, idx))
			for range 2 {
				now = now.Add(time.Hour)
				_, err := e.Expire(t.Context(), &engine.ExpireRequest{Before: now})
				if corrupt := (*engine.CorruptionError)(nil); !errors.As(err, &corrupt) {
					t.Errorf("Expire: %v, want a *CorruptionError", err)
				}
				stats, err := e.Stats(t.Context(), nil)
				if err != nil || stats.Uploads != 1 {
					t.Errorf("%+v, %v: want the damaged upload alone", stats, err)
				}
				mustInitiate(t, e, "bucket", "c", "") // which is stale next time
			}
		})
	}
}

// TestExpireBesideNewer expires uploads behind one whose record a newer version has written.
func TestExpireBesideNewer(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e, idx := memoryStore(t, &engine.Options{Clock: func() time.Time { return now }})
	mustInitiate(t, e, "bucket", "a", "")
	now = now.Add(time.Hour)
	mustInitiate(t, e, "bucket", "b", "")
	put(t, idx, func(tx index.Tx) error {
		key := firstKey(t, idx, index.AllUploads().Start)
		value, err := tx.Get(key)
		if err != nil {
			return err
		}
		return tx.Put(key, newer(key, value))
	})
	_, err := e.Expire(t.Context(), &engine.ExpireRequest{Before: now.Add(time.Hour)})
	if format := (*engine.FormatError)(nil); !errors.As(err, &format) {
		t.Errorf("Expire: %v, want a *FormatError", err)
	}
	if n := stats(t, e).Uploads; n != 1 {
		t.Errorf("%d uploads are left, want the newer one alone", n)
	}
}

// TestReclaimBesideDamage gives space back while a record is damaged that is about something else.
func TestReclaimBesideDamage(t *testing.T) {
	for name, start := range map[string][]byte{
		"chunk": index.Chunks().Start, "volume": index.Volumes().Start,
		"trash": index.TrashQueue().All().Start, "waiting": index.AllWaiting().Start,
	} {
		t.Run(name, func(t *testing.T) {
			idx, blobs := index.NewMemory(), blob.NewMemory(1<<20)
			e, err := engine.OpenStores(t.Context(), idx, blobs, &engine.Options{ChunkSize: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			engine.StopSweeper(e)
			mustBucket(t, e, "bucket")
			for n := range 64 {
				body := bytes.NewReader(random(uint64(n+1), 256<<10))
				mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: strconv.Itoa(n), Body: body})
			}
			remove := func(n int) {
				t.Helper()
				req := &engine.DeleteObjectRequest{Bucket: "bucket", Key: strconv.Itoa(n)}
				if _, err := e.DeleteObject(t.Context(), req); err != nil {
					t.Fatal(err)
				}
			}
			if name == "waiting" {
				obj, err := e.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: "1"})
				if err != nil {
					t.Fatal(err)
				}
				defer obj.Close()
			}
			if remove(1); name == "waiting" {
				if _, err := e.Reclaim(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			damageRecord(t, idx, firstKey(t, idx, start))
			for n := 2; n < 64; n++ {
				remove(n)
			}
			for range 2 {
				_, err := e.Reclaim(t.Context(), nil)
				t.Log(err)
			}
			volumes, err := blobs.Volumes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var left int64
			for _, v := range volumes {
				left += v.DiskBytes
			}
			if left > 3<<20 {
				t.Errorf("%d bytes are left of 16 MiB, of which 256 KiB live", left)
			}
		})
	}
}

// TestRotateBesideDamage wraps data keys anew while the record of a bucket is damaged: those of its
// own objects, and those behind it.
func TestRotateBesideDamage(t *testing.T) {
	ring := keys(t)
	e, idx := memoryStore(t, &engine.Options{Keys: ring})
	for _, bucket := range []string{"bucket-a", "bucket-b"} {
		mustObject(t, e, bucket, "object", "AES256", random(1, 1000))
		mustInitiate(t, e, bucket, "upload", "AES256")
	}
	damageRecord(t, idx, firstKey(t, idx, index.Buckets().Start))
	current := mustRotate(t, ring)
	_, err := e.RotateKeys(t.Context(), nil)
	if corrupt := (*engine.CorruptionError)(nil); !errors.As(err, &corrupt) {
		t.Errorf("RotateKeys: %v, want a *CorruptionError", err)
	}
	seen := 0
	err = idx.View(t.Context(), func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.AllObjects()) {
			if seen++; err != nil || entry.Record.Encryption.Wrapper != current {
				t.Errorf("object %q is under key %s, want %s; %v", entry.Key, entry.Record.Encryption.Wrapper, current, err)
			}
		}
		for entry, err := range index.Scan(r, index.AllUploads()) {
			if seen++; err != nil || entry.Record.Encryption.Wrapper != current {
				t.Errorf("upload %q is under key %s, want %s; %v", entry.Key, entry.Record.Encryption.Wrapper, current, err)
			}
		}
		return nil
	})
	if err != nil || seen != 4 {
		t.Errorf("%d data keys were seen, want 4; %v", seen, err)
	}
}

// TestNumbersBesideDamage opens a store that has lost its volumes, and the account of the first. No
// volume gets a number of those that the index knows of.
func TestNumbersBesideDamage(t *testing.T) {
	idx := index.NewMemory()
	e, err := engine.OpenStores(t.Context(), lastingIndex{idx}, blob.NewMemory(1<<20), &engine.Options{ChunkSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	mustObject(t, e, "bucket", "old", "", random(1, 8<<20))
	mustClose(t, e)
	damageRecord(t, idx, firstKey(t, idx, index.Volumes().Start))
	blobs := blob.NewMemory(1 << 20)
	if e, err = engine.OpenStores(t.Context(), idx, blobs, nil); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustObject(t, e, "bucket", "new", "", random(2, 100<<10))
	volumes, err := blobs.Volumes(t.Context())
	if err != nil || len(volumes) == 0 {
		t.Fatal(volumes, err)
	}
	if first := volumes[0].ID; first <= 8 {
		t.Errorf("the new volume has the number %d, that of one that is lost", first)
	}
}
