package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// memoryStore is an engine on stores in memory that a test can meddle with.
func memoryStore(t *testing.T, o *engine.Options) (*engine.Engine, *index.Memory) {
	t.Helper()
	idx := index.NewMemory()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, idx
}

// first returns the first entry of a range. It is written for each kind of record, since which
// records there are is the index's secret.
func first[R any](entries func(func(index.Entry[R], error) bool)) (entry index.Entry[R]) {
	for e, err := range entries {
		if err == nil {
			return e
		}
	}
	return entry
}

// TestCheck breaks each invariant and wants it noticed.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name     string
		want     engine.ProblemKind
		key      string // of the object hit, if one is
		sabotage func(tx index.Tx) error
	}{
		{"chunk with a reference too many", engine.BadAccounting, "", func(tx index.Tx) error {
			c := first(index.Scan(tx, index.Chunks()))
			c.Record.Refs++
			return index.Put(tx, c.Key, &c.Record)
		}},
		{"chunk without a record", engine.DataLost, "object", func(tx index.Tx) error {
			return index.Delete(tx, first(index.Scan(tx, index.Chunks())).Key)
		}},
		{"chunk in a volume that is not there", engine.DataLost, "object", func(tx index.Tx) error {
			c := first(index.Scan(tx, index.Chunks()))
			c.Record.Volume = 99
			return index.Put(tx, c.Key, &c.Record)
		}},
		{"part without its manifest", engine.DataLost, "object", func(tx index.Tx) error {
			return index.Delete(tx, first(index.Scan(tx, index.AllPages())).Key)
		}},
		{"object without one of its parts", engine.DataLost, "object", func(tx index.Tx) error {
			obj, err := index.Get(tx, index.ObjectKey("check", "object"))
			return errors.Join(err, index.Delete(tx, index.PartKey(obj.Content, 1)))
		}},
		{"parts without their object", engine.BadAccounting, "", func(tx index.Tx) error {
			return index.Delete(tx, index.ObjectKey("check", "small"))
		}},
		{"copy of what has lost a chunk", engine.DataLost, "shared", func(tx index.Tx) error {
			return index.Delete(tx, first(index.Scan(tx, index.Chunks())).Key)
		}},
		{"object in the trash queue", engine.BadAccounting, "", func(tx index.Tx) error {
			o := first(index.Scan(tx, index.ObjectsOf("check")))
			_, err := index.Push(tx, index.TrashQueue(), &index.Trash{Kind: index.TrashContent, ID: o.Record.Content, Queued: time.Now()})
			return err
		}},
		{"content with an owner too many", engine.BadAccounting, "", func(tx index.Tx) error {
			s := first(index.Scan(tx, index.AllShared()))
			s.Record.Owners++
			return index.Put(tx, s.Key, &s.Record)
		}},
		{"content whose owners are not recorded", engine.BadAccounting, "", func(tx index.Tx) error {
			return index.Delete(tx, first(index.Scan(tx, index.AllShared())).Key)
		}},
		{"owners of no content", engine.BadAccounting, "", func(tx index.Tx) error {
			return index.Put(tx, index.SharedKey(index.ContentID{1}), &index.Shared{Owners: 2})
		}},
		{"small body without its content", engine.DataLost, "small", func(tx index.Tx) error {
			return index.Delete(tx, first(index.Scan(tx, index.AllInline())).Key)
		}},
		{"small body of another length", engine.DataLost, "small", func(tx index.Tx) error {
			in := first(index.Scan(tx, index.AllInline()))
			in.Record.Size++
			return index.Put(tx, in.Key, &in.Record)
		}},
		{"content of no small body", engine.BadAccounting, "", func(tx index.Tx) error {
			return index.Put(tx, index.InlineKey(index.ManifestID{1}), &index.Inline{Frame: []byte("frame")})
		}},
		{"answer to a Complete that is not counted", engine.BadAccounting, "", func(tx index.Tx) error {
			return index.Put(tx, index.CompletedKey(index.ContentID{1}), &index.Completed{})
		}},
		{"volume with wrong accounts", engine.BadAccounting, "", func(tx index.Tx) error {
			v := first(index.Scan(tx, index.Volumes()))
			v.Record.LiveBytes++
			return index.Put(tx, v.Key, &v.Record)
		}},
		{"wrong totals", engine.BadAccounting, "", func(tx index.Tx) error {
			return index.Delete(tx, index.TotalsKey())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10})
			mustObject(t, e, "check", "object", "", random(1, 150_000), random(2, 10_000))
			mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: "small", Body: strings.NewReader("small")})
			mustCopy(t, e, engine.CopyObjectRequest{Bucket: "check", Key: "shared", SourceBucket: "check", SourceKey: "object"})
			checkStore(t, e)
			if err := idx.Update(context.Background(), test.sabotage); err != nil {
				t.Fatal(err)
			}
			res, err := e.Check(context.Background(), &engine.CheckRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range res.Problems {
				if p.Kind == test.want && p.Key == test.key {
					return
				}
			}
			t.Errorf("Check found %v, wanted is %q of %q", res.Problems, test.want, test.key)
		})
	}
}

// TestExpire aborts the uploads that have been idle, and no others.
func TestExpire(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e, _ := memoryStore(t, &engine.Options{Clock: func() time.Time { return now }, UploadExpiry: 12 * time.Hour})
	uploads := map[string]string{}
	for _, key := range []string{"idle", "active", "empty"} {
		uploads[key] = mustInitiate(t, e, "expire", key, "")
	}
	mustPart(t, e, "expire", "idle", uploads["idle"], 1, random(1, 1000))
	now = now.Add(10 * time.Hour)
	mustPart(t, e, "expire", "active", uploads["active"], 1, random(2, 1000))
	now = now.Add(3 * time.Hour)
	uploads["fresh"] = mustInitiate(t, e, "expire", "fresh", "")

	res, err := e.Expire(context.Background(), &engine.ExpireRequest{})
	if err != nil || res.Uploads != 2 {
		t.Errorf("Expire: %+v, %v; wanted are 2 uploads", res, err)
	}
	for key, stale := range map[string]bool{"idle": true, "empty": true, "active": false, "fresh": false} {
		_, err := e.ListParts(context.Background(), &engine.ListPartsRequest{Bucket: "expire", Key: key, UploadID: uploads[key]})
		if errors.Is(err, engine.ErrNoSuchUpload) != stale {
			t.Errorf("upload %s: %v", key, err)
		}
	}
	if res, err := e.Expire(context.Background(), &engine.ExpireRequest{Before: now.Add(time.Hour)}); err != nil || res.Uploads != 2 {
		t.Errorf("Expire of all: %+v, %v", res, err)
	}
	if left := tallyOf(t, e); left != (tally{}) {
		t.Errorf("left is %+v", left)
	}
}

// TestExpireLargeUploads looks at uploads that were used since, whose records are too large to be written
// again in one transaction. They must not keep a stale one behind them from being aborted.
func TestExpireLargeUploads(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e, _ := memoryStore(t, &engine.Options{Clock: func() time.Time { return now }})
	mustBucket(t, e, "bucket")
	line := strings.Repeat("v", 4<<10)
	var used []string
	for range 60 {
		res, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{
			Bucket: "bucket", Key: "used", Attributes: engine.Attributes{
				ContentType: line, CacheControl: line, ContentDisposition: line, ContentEncoding: line,
				ContentLanguage: line, Expires: line, Annotations: map[string]string{"a": line},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		used = append(used, res.UploadID)
	}
	now = now.Add(time.Minute)
	mustInitiate(t, e, "bucket", "idle", "")
	now = now.Add(2 * time.Hour)
	for _, id := range used {
		mustPart(t, e, "bucket", "used", id, 1, nil)
	}
	for range 2 {
		if _, err := e.Expire(t.Context(), &engine.ExpireRequest{Before: now.Add(-time.Hour)}); err != nil {
			t.Errorf("Expire: %v", err)
		}
		if n := stats(t, e).Uploads; n != int64(len(used)) {
			t.Errorf("%d uploads are left, want the %d that were used", n, len(used))
		}
	}
}

// TestExpireInBackground leaves it to the engine.
func TestExpireInBackground(t *testing.T) {
	t.Parallel()
	e, _ := memoryStore(t, &engine.Options{UploadExpiry: time.Millisecond})
	id := mustInitiate(t, e, "expire", "idle", "")
	mustPart(t, e, "expire", "idle", id, 1, random(1, 1000))
	if !eventually(func() bool { return stats(t, e).Uploads == 0 }) {
		t.Error("the idle upload stays")
	}
}

// TestExpireBesideATurn aborts stale uploads in the background while somebody has the turn, as a Check
// may for hours, and what was deleted waits for it.
func TestExpireBesideATurn(t *testing.T) {
	t.Parallel()
	e, _ := memoryStore(t, &engine.Options{UploadExpiry: time.Millisecond})
	defer engine.TakeTurn(e)()
	mustObject(t, e, "expire", "deleted", "", random(1, 1000))
	mustDelete(t, e, "expire", "deleted")
	mustInitiate(t, e, "expire", "idle", "")
	if !eventually(func() bool { return stats(t, e).Uploads == 0 }) {
		t.Error("the idle upload stays")
	}
}
