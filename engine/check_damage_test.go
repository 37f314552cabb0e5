package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// variedStore is a store with records in every table.
func variedStore(t *testing.T) (*engine.Engine, *index.Memory) {
	t.Helper()
	ctx := context.Background()
	e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t)})
	mustObject(t, e, "check", "object", "", random(1, 150_000), random(2, 10_000))
	mustObject(t, e, "check", "sealed", "AES256", random(1, 150_000), random(2, 10_000))
	mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: "small", Body: strings.NewReader("small")})
	mustPut(t, e, engine.PutObjectRequest{
		Bucket: "check", Key: "summed", Body: strings.NewReader("summed"), Checksum: engine.Checksum{Algorithm: "CRC32C"},
	})
	mustCopy(t, e, engine.CopyObjectRequest{Bucket: "check", Key: "shared", SourceBucket: "check", SourceKey: "object"})
	id := mustInitiate(t, e, "check", "upload", "")
	mustPart(t, e, "check", "upload", id, 1, random(3, 50_000))
	mustPart(t, e, "check", "upload", id, 2, random(4, 50_000))
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "repeat", Rules: engine.S3}); err != nil {
		t.Fatal(err)
	}
	mustObject(t, e, "repeat", "object", "", random(5, 1000))
	mustReclaim(t, e)
	return e, idx
}

// checkAll checks a store with every byte.
func checkAll(t *testing.T, e *engine.Engine) *engine.CheckResult {
	t.Helper()
	res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// changed changes the record of an object.
func changed(key string, change func(*index.Object)) func(index.Tx) error {
	return func(tx index.Tx) error {
		obj, err := index.Get(tx, index.ObjectKey("check", key))
		change(&obj)
		return errors.Join(err, index.Put(tx, index.ObjectKey("check", key), &obj))
	}
}

// contentOf returns the content of an object.
func contentOf(tx index.Tx, key string) (index.ContentID, error) {
	obj, err := index.Get(tx, index.ObjectKey("check", key))
	return obj.Content, err
}

// swapped exchanges the first two chunks of the first part of an object, which are of one size.
func swapped(key string) func(index.Tx) error {
	return relisted(key, func(chunks []index.PageChunk) { chunks[0], chunks[1] = chunks[1], chunks[0] })
}

// relisted changes the list of the chunks of the first part of an object.
func relisted(key string, change func([]index.PageChunk)) func(index.Tx) error {
	return func(tx index.Tx) error {
		id, err := contentOf(tx, key)
		part := first(index.Scan(tx, index.PartsOf(id)))
		page := first(index.Scan(tx, index.PagesOf(part.Record.Manifest)))
		change(page.Record.Chunks)
		return errors.Join(err, index.Put(tx, page.Key, &page.Record))
	}
}

// TestCheckNames changes one record at a time, under a right checksum, and wants Check to say what
// is wrong.
func TestCheckNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		kind     engine.ProblemKind
		key      string
		says     string
		sabotage func(tx index.Tx) error
	}{
		{"chunks in the wrong order", engine.DataLost, "object", "in their order", swapped("object")},
		{"chunks of a copy in the wrong order", engine.DataLost, "shared", "in their order", swapped("object")},
		{"sealed chunks in the wrong order", engine.DataLost, "sealed", "authentication failed", swapped("sealed")},
		{"checksum of a chunk", engine.DataLost, "object", "says that chunk", relisted("object", func(chunks []index.PageChunk) {
			chunks[0].CRC64++
		})},
		{"checksum of the chunk in the index", engine.DataLost, "small", "says that chunk", func(tx index.Tx) error {
			id, err := contentOf(tx, "small")
			key := index.InlineKey(first(index.Scan(tx, index.PartsOf(id))).Record.Manifest)
			in, err2 := index.Get(tx, key)
			in.CRC64++
			return errors.Join(err, err2, index.Put(tx, key, &in))
		}},
		{"checksum of a sealed chunk", engine.DataLost, "sealed", "authentication failed", relisted("sealed", func(chunks []index.PageChunk) {
			chunks[0].CRC64++
		})},
		{"chunk without references", engine.BadAccounting, "", "no references", func(tx index.Tx) error {
			return index.Put(tx, index.ChunkKey(index.ChunkID{1}), &index.Chunk{Volume: 1})
		}},
		{"more lives in a volume than is there", engine.BadAccounting, "", "but only", func(tx index.Tx) error {
			c := first(index.Scan(tx, index.Chunks()))
			c.Record.Stored += 1 << 20
			return index.Put(tx, c.Key, &c.Record)
		}},
		{"damaged chunks miscounted", engine.BadAccounting, "", "totals", func(tx index.Tx) error {
			totals, err := index.Get(tx, index.TotalsKey())
			totals.Damaged++
			return errors.Join(err, index.Put(tx, index.TotalsKey(), &totals))
		}},
		{"name against the rules", engine.BadMetadata, "/bad", "not allowed", func(tx index.Tx) error {
			obj, err := index.Get(tx, index.ObjectKey("check", "small"))
			return errors.Join(err, index.Delete(tx, index.ObjectKey("check", "small")), index.Put(tx, index.ObjectKey("check", "/bad"), &obj))
		}},
		{"ETag of other parts", engine.BadMetadata, "object", "ETag", changed("object", func(o *index.Object) { o.ETag = strings.Repeat("A", 32) + "-2" })},
		{"ETag of a copy", engine.BadMetadata, "shared", "ETag", changed("shared", func(o *index.Object) { o.ETag = strings.ToLower(o.ETag) })},
		{"ETag of another body", engine.BadMetadata, "small", "ETag", changed("small", func(o *index.Object) { o.ETag = strings.Repeat("A", 32) })},
		{"MD5 of another body", engine.BadMetadata, "small", "MD5", changed("small", func(o *index.Object) { o.MD5[0]++ })},
		{"CRC-64 of other parts", engine.BadMetadata, "object", "CRC-64", changed("object", func(o *index.Object) { o.CRC64++ })},
		{"checksum of another body", engine.BadMetadata, "summed", "CRC32C", changed("summed", func(o *index.Object) { o.Checksum.Value[0]++ })},
		{"MD5 of a part", engine.DataLost, "object", "in their order", func(tx index.Tx) error {
			id, err := contentOf(tx, "object")
			p := first(index.Scan(tx, index.PartsOf(id)))
			p.Record.ETag[0]++
			return errors.Join(err, index.Put(tx, p.Key, &p.Record))
		}},
		{"bucket of objects missing", engine.BadAccounting, "", "not there", func(tx index.Tx) error {
			return index.Delete(tx, index.BucketKey("check"))
		}},
		{"bucket with unknown rules", engine.BadMetadata, "", "not known", func(tx index.Tx) error {
			b, err := index.Get(tx, index.BucketKey("check"))
			b.Rules = "other"
			return errors.Join(err, index.Put(tx, index.BucketKey("check"), &b))
		}},
		{"bucket with an unknown dedup scope", engine.BadMetadata, "", "not known", func(tx index.Tx) error {
			b, err := index.Get(tx, index.BucketKey("check"))
			b.Dedup = "other"
			return errors.Join(err, index.Put(tx, index.BucketKey("check"), &b))
		}},
		{"bucket with a narrower dedup scope", engine.BadMetadata, "object", "outside of the scope", func(tx index.Tx) error {
			b, err := index.Get(tx, index.BucketKey("check"))
			b.Dedup = "none"
			return errors.Join(err, index.Put(tx, index.BucketKey("check"), &b))
		}},
		{"upload of an earlier bucket", engine.BadAccounting, "", "earlier bucket", func(tx index.Tx) error {
			u := first(index.Scan(tx, index.AllUploads()))
			u.Record.Generation[0]++
			return index.Put(tx, u.Key, &u.Record)
		}},
		{"directory missing", engine.DataLost, "object", "directory", func(tx index.Tx) error {
			id, err := contentOf(tx, "object")
			return errors.Join(err, index.Delete(tx, index.DirectoryKey(id, 0)))
		}},
		{"directory of other parts", engine.DataLost, "object", "directory", func(tx index.Tx) error {
			id, err := contentOf(tx, "object")
			d := first(index.Scan(tx, index.DirectoryOf(id)))
			d.Record.Parts[0].Size++
			return errors.Join(err, index.Put(tx, d.Key, &d.Record))
		}},
		{"directory of one part", engine.DataLost, "small", "directory", func(tx index.Tx) error {
			id, err := contentOf(tx, "small")
			return errors.Join(err, index.Put(tx, index.DirectoryKey(id, 0), &index.Directory{}))
		}},
		{"directory of nothing", engine.BadAccounting, "", "of no object", func(tx index.Tx) error {
			return index.Put(tx, index.DirectoryKey(index.ContentID{1}, 0), &index.Directory{})
		}},
		{"directory of an upload", engine.BadAccounting, "", "of no object", func(tx index.Tx) error {
			_, _, id, err := index.ParseUploadKey(first(index.Scan(tx, index.AllUploads())).Key)
			return errors.Join(err, index.Put(tx, index.DirectoryKey(id, 0), &index.Directory{}))
		}},
		{"page that begins elsewhere", engine.DataLost, "object", "page 0", func(tx index.Tx) error {
			id, err := contentOf(tx, "object")
			page := first(index.Scan(tx, index.PagesOf(first(index.Scan(tx, index.PartsOf(id))).Record.Manifest)))
			page.Record.Start++
			return errors.Join(err, index.Put(tx, page.Key, &page.Record))
		}},
		{"page behind the last", engine.BadAccounting, "", "page 1 of manifest", func(tx index.Tx) error {
			id, err := contentOf(tx, "object")
			manifest := first(index.Scan(tx, index.PartsOf(id))).Record.Manifest
			return errors.Join(err, index.Put(tx, index.PageKey(manifest, 1), &index.Page{}))
		}},
		{"content in the index of a part with pages", engine.BadAccounting, "", "no owner", func(tx index.Tx) error {
			id, err := contentOf(tx, "object")
			manifest := first(index.Scan(tx, index.PartsOf(id))).Record.Manifest
			return errors.Join(err, index.Put(tx, index.InlineKey(manifest), &index.Inline{}))
		}},
		{"trash beside the queue", engine.BadAccounting, "", "not in the queue", func(tx index.Tx) error {
			return index.Put(tx, index.TrashQueue().Key(1<<40), &index.Trash{Kind: index.TrashManifest})
		}},
		{"hole in the trash queue", engine.BadAccounting, "", "trash queue has", func(tx index.Tx) error {
			ends, err := index.Push(tx, index.TrashQueue(), &index.Trash{Kind: index.TrashManifest})
			return errors.Join(err, index.Delete(tx, index.TrashQueue().Key(ends.Tail-1)))
		}},
		{"answer beside the queue", engine.BadAccounting, "", "not in the queue", func(tx index.Tx) error {
			a := first(index.Scan(tx, index.AnswerQueue().All()))
			return errors.Join(index.Delete(tx, a.Key), index.Put(tx, index.AnswerQueue().Key(1<<40), &a.Record))
		}},
		{"hole in the answer queue", engine.BadAccounting, "", "answer queue has", func(tx index.Tx) error {
			ends, err := index.Push(tx, index.AnswerQueue(), &index.Answer{Upload: index.ContentID{1}})
			return errors.Join(err, index.Delete(tx, index.AnswerQueue().Key(ends.Tail-1)))
		}},
		{"idle upload before where walks begin", engine.BadAccounting, "", "could never expire", func(tx index.Tx) error {
			return index.IdleWalked(tx, time.Now().AddDate(1, 0, 0))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, idx := variedStore(t)
			if res := checkAll(t, e); len(res.Problems) > 0 {
				t.Fatalf("before: %v", res.Problems)
			}
			if err := idx.Update(context.Background(), test.sabotage); err != nil {
				t.Fatal(err)
			}
			res := checkAll(t, e)
			if !slices.ContainsFunc(res.Problems, func(p engine.Problem) bool {
				return p.Kind == test.kind && p.Key == test.key && strings.Contains(p.Err.Error(), test.says)
			}) {
				t.Errorf("Check found %v, wanted is %q of %q that says %q", res.Problems, test.kind, test.key, test.says)
			}
		})
	}
}

// TestCheckSequentialMD5 has the records of sequential uploads and of their objects say another MD5
// of the whole than it is.
func TestCheckSequentialMD5(t *testing.T) {
	for _, sse := range []string{"", "AES256"} {
		t.Run(orElse(sse, "plain"), func(t *testing.T) { checkSequentialMD5(t, sse) })
	}
}

func checkSequentialMD5(t *testing.T, sse string) {
	e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t)})
	ids := map[string]string{}
	for key, parts := range map[string]int{"none": 0, "one": 1, "two": 2, "open, none": 0, "open, one": 1, "open, two": 2} {
		ids[key] = mustSequential(t, e, key, sse)
		for n := range parts {
			mustPart(t, e, "bucket", key, ids[key], n+1, random(uint64(n), 120<<10))
		}
		if !strings.HasPrefix(key, "open") {
			mustComplete(t, e, "bucket", key, ids[key])
		}
	}
	mustCopy(t, e, engine.CopyObjectRequest{Key: "copy", SourceKey: "two"})
	if res := checkAll(t, e); len(res.Problems) > 0 {
		t.Fatalf("before: %v", res.Problems)
	}
	said := map[string]bool{"none": true, "one": true, "two": true, "copy": true, "open, one": true, "open, two": true}
	for key := range said {
		put(t, idx, func(tx index.Tx) error {
			if !strings.HasPrefix(key, "open") {
				rec, err := index.Get(tx, index.ObjectKey("bucket", key))
				rec.MD5[0] ^= 1
				return errors.Join(err, index.Put(tx, index.ObjectKey("bucket", key), &rec))
			}
			id, _ := index.ParseContentID(ids[key])
			rec, err := index.Get(tx, index.UploadKey("bucket", key, id))
			rec.MD5[0] ^= 1
			return errors.Join(err, index.Put(tx, index.UploadKey("bucket", key, id), &rec))
		})
	}
	told := map[string]bool{}
	for _, p := range checkAll(t, e).Problems {
		if p.Kind == engine.BadMetadata && strings.Contains(p.Err.Error(), "MD5") {
			told[p.Key] = true
		} else if corrupt := (*engine.CorruptionError)(nil); !errors.As(p.Err, &corrupt) || sse == "" { // the MAC covers the objects'
			t.Errorf("Check says %v", p)
		}
	}
	if !maps.Equal(told, said) {
		t.Errorf("told are %v, want %v", told, said)
	}
}

// TestCheckGoesOn damages every record of a table, one table at a time, and wants each of them
// named.
func TestCheckGoesOn(t *testing.T) {
	e, idx := variedStore(t)
	put(t, idx, func(tx index.Tx) error {
		id := [16]byte{1}
		_, err := index.Push(tx, index.TrashQueue(), &index.Trash{Kind: index.TrashManifest, ID: id})
		return errors.Join(err, index.Put(tx, index.WaitingKey(id), &index.Trash{Kind: index.TrashManifest, ID: id}))
	})
	tables := map[byte][]index.Item{}
	err := idx.View(context.Background(), func(r index.Reader) error {
		for item, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			tables[item.Key[0]] = append(tables[item.Key[0]], item)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) < 16 {
		t.Errorf("there are records in %d tables only", len(tables))
	}
	delete(tables, index.HeaderKey()[0]) // Open reads it
	for table, items := range tables {
		for _, item := range items {
			item.Value[len(item.Value)/2] ^= 1
		}
		put(t, idx, func(tx index.Tx) error { return putAll(tx, items) })
		named := map[string]bool{}
		for _, p := range checkAll(t, e).Problems {
			var corrupt *index.CorruptionError
			if errors.As(p.Err, &corrupt) {
				named[corrupt.Where] = true
			}
		}
		for _, item := range items {
			if !named[fmt.Sprintf("record %q", item.Key)] {
				t.Errorf("record %q is damaged, and not named", item.Key)
			}
			item.Value[len(item.Value)/2] ^= 1
		}
		if len(named) == 0 {
			t.Errorf("nothing of table %c is named", table)
		}
		put(t, idx, func(tx index.Tx) error { return putAll(tx, items) })
	}
}

func putAll(tx index.Tx, items []index.Item) error {
	for _, item := range items {
		if err := tx.Put(item.Key, item.Value); err != nil {
			return err
		}
	}
	return nil
}

// TestCheckWithoutKeys checks a sound store whose keys are not there, and then a damaged one.
func TestCheckWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	o := &engine.Options{Keys: keys(t), ChunkSize: 32 << 10}
	e := open(t, dir, o)
	mustObject(t, e, "check", "sealed", "AES256", random(1, 150_000), random(2, 10_000))
	mustPut(t, e, engine.PutObjectRequest{
		Bucket: "check", Key: "customer", Body: strings.NewReader(strings.Repeat("client", 20_000)),
		EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: crypto.CustomerKey(random(9, crypto.CustomerKeySize))},
	})
	mustPut(t, e, engine.PutObjectRequest{Bucket: "check", Key: "small", Body: strings.NewReader("small"), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	plain := random(3, 100_000)
	mustObject(t, e, "check", "plain", "", plain)

	res := checkAll(t, e)
	if len(res.Problems) > 0 || res.Unopened != 1 || res.UnopenedCause != nil {
		t.Errorf("with keys: %+v", res)
	}
	all := res.Bytes
	mustClose(t, e)

	e = open(t, dir, &engine.Options{ChunkSize: 32 << 10})
	res = checkAll(t, e)
	if len(res.Problems) > 0 || res.Unopened != 4 || !errors.Is(res.UnopenedCause, engine.ErrKmsServiceNotEnabled) || res.Bytes < all/2 {
		t.Errorf("without keys: %+v", res)
	}
	var sealed string
	for path, size := range regularFiles(t, dir) {
		if strings.HasSuffix(path, "log") && strings.HasPrefix(path, "volumes") && size > 0 {
			sealed = path
		}
	}
	mustClose(t, e)
	for at := int64(100); at < 400_000; at += 16 << 10 { // every frame of the volume
		flipBit(t, dir+"/"+sealed, min(at, regularFiles(t, dir)[sealed]-1), 0)
	}
	e = open(t, dir, &engine.Options{ChunkSize: 32 << 10})
	lost := map[string]bool{}
	for _, p := range checkAll(t, e).Problems {
		lost[p.Key] = true
	}
	if len(lost) == 0 || lost["small"] {
		t.Errorf("lost are %v", lost)
	}
	for _, key := range []string{"sealed", "customer", "plain"} {
		mustDelete(t, e, "check", key)
	}
	mustReclaim(t, e)
}
