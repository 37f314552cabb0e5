package engine_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

var dedupScopes = []engine.DedupScope{engine.DedupStore, engine.DedupBucket, engine.DedupNone}

const dedupChunk = 64 << 10

// storedBlobs counts the chunks that it was given to store: what was found is not among them.
type storedBlobs struct {
	*blob.Memory
	stored atomic.Int64
}

func (s *storedBlobs) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	s.stored.Add(1)
	return s.Memory.Put(ctx, id, frame)
}

// A scopedStore is a store whose chunks are counted.
type scopedStore struct {
	*engine.Engine
	t     *testing.T
	idx   *index.Memory
	blobs *storedBlobs
}

func newScopedStore(t *testing.T) *scopedStore {
	t.Helper()
	s := &scopedStore{t: t, idx: index.NewMemory(), blobs: &storedBlobs{Memory: blob.NewMemory(0)}}
	o := &engine.Options{ChunkSize: dedupChunk, Keys: keys(t)}
	var err error
	if s.Engine, err = engine.OpenStores(t.Context(), s.idx, s.blobs, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mustReclaim(t, s.Engine)
		wantSound(t, s.Engine)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// bucket makes a bucket of a scope.
func (s *scopedStore) bucket(name string, scope engine.DedupScope) {
	s.t.Helper()
	_, err := s.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: name, DedupScope: scope})
	if err != nil {
		s.t.Fatal(err)
	}
}

// storing returns how many chunks are stored by what do does.
func (s *scopedStore) storing(do func()) int64 {
	before := s.blobs.stored.Load()
	do()
	return s.blobs.stored.Load() - before
}

func (s *scopedStore) put(bucket, key string, body []byte) {
	s.t.Helper()
	mustPut(s.t, s.Engine, engine.PutObjectRequest{Bucket: bucket, Key: key, Body: bytes.NewReader(body)})
}

// TestDedupScope stores the same chunks in every way there is, and counts which were found.
func TestDedupScope(t *testing.T) {
	const n = 5 // chunks of the body
	body, same := random(1, n*dedupChunk), bytes.Repeat(random(2, dedupChunk), n)
	for _, test := range []struct {
		scope engine.DedupScope
		want  [12]int64
	}{
		{engine.DedupStore, [...]int64{n, 0, 0, 0, 0, 0, 1, 0, n, 0, 0, n}},
		{engine.DedupBucket, [...]int64{n, 0, 0, 0, 0, n, 1, 0, n, 0, n, n}},
		{engine.DedupNone, [...]int64{n, n, n, n, n, n, 1, 1, n, 0, n, n}},
	} {
		t.Run(string(test.scope), func(t *testing.T) {
			s := newScopedStore(t)
			s.bucket("aaa", test.scope)
			s.bucket("bbb", test.scope)
			id := mustInitiate(t, s.Engine, "aaa", "parts", "")
			sealed := mustInitiate(t, s.Engine, "aaa", "sealed", "AES256")
			for i, step := range []struct {
				what string
				do   func()
			}{
				{"a new object", func() { s.put("aaa", "one", body) }},
				{"another object of the bucket", func() { s.put("aaa", "two", body) }},
				{"a part", func() { mustPart(t, s.Engine, "aaa", "parts", id, 1, body) }},
				{"the same part again", func() { mustPart(t, s.Engine, "aaa", "parts", id, 1, body) }},
				{"Upload", func() {
					req := &engine.UploadRequest{Bucket: "aaa", Key: "whole", Body: bytes.NewReader(body)}
					if _, err := s.Upload(context.Background(), req); err != nil {
						t.Fatal(err)
					}
				}},
				{"an object of another bucket", func() { s.put("bbb", "one", body) }},
				{"one chunk many times", func() { s.put("aaa", "same", same) }},
				{"that again", func() { s.put("aaa", "same again", same) }},
				{"an encrypted part", func() { mustPart(t, s.Engine, "aaa", "sealed", sealed, 1, body) }},
				{"another of that upload", func() { mustPart(t, s.Engine, "aaa", "sealed", sealed, 2, body) }},
				{"an object of the next bucket of the name", func() {
					for _, key := range []string{"one", "two", "whole", "same", "same again"} {
						mustDelete(t, s.Engine, "aaa", key)
					}
					mustComplete(t, s.Engine, "aaa", "parts", id)
					mustComplete(t, s.Engine, "aaa", "sealed", sealed)
					mustDelete(t, s.Engine, "aaa", "parts")
					mustDelete(t, s.Engine, "aaa", "sealed")
					if _, err := s.DeleteBucket(context.Background(), &engine.DeleteBucketRequest{Bucket: "aaa"}); err != nil {
						t.Fatal(err)
					}
					s.bucket("aaa", test.scope)
					s.put("aaa", "one", body)
				}},
				{"an object of a bucket of the next scope", func() {
					next := dedupScopes[(slices.Index(dedupScopes, test.scope)+1)%len(dedupScopes)]
					s.bucket("ccc", next)
					s.put("ccc", "one", body)
				}},
			} {
				if got := s.storing(step.do); got != test.want[i] {
					t.Errorf("%s: %d chunks were stored, wanted are %d", step.what, got, test.want[i])
				}
			}
			for _, bucket := range []string{"aaa", "bbb", "ccc"} {
				if !bytes.Equal(readAll(t, s.Engine, bucket, "one"), body) {
					t.Errorf("%s/one has other bytes", bucket)
				}
			}
		})
	}
}

// chunkIDs lists the addresses of all chunks, in order.
func (s *scopedStore) chunkIDs() (ids []index.ChunkID) {
	s.t.Helper()
	put(s.t, s.idx, func(tx index.Tx) error {
		for entry, err := range index.Scan(tx, index.Chunks()) {
			if err != nil {
				return err
			}
			id, err := index.ParseChunkKey(entry.Key)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids
}

// TestDedupAddresses looks at the addresses of one chunk in buckets of all scopes.
func TestDedupAddresses(t *testing.T) {
	s := newScopedStore(t)
	body := random(1, dedupChunk)
	var want []index.ChunkID
	for _, scope := range dedupScopes {
		name := "of-" + string(scope)
		s.bucket(name, scope)
		s.put(name, "one", body)
		var id [16]byte
		put(t, s.idx, func(tx index.Tx) error {
			b, err := index.Get(tx, index.BucketKey(name))
			obj, err2 := index.Get(tx, index.ObjectKey(name, "one"))
			part := first(index.Scan(tx, index.PartsOf(obj.Content))).Record
			switch scope {
			case engine.DedupStore:
				want = append(want, index.ChunkID(crypto.AddressOf(body)))
				if part.Scope != (index.Scope{}) {
					t.Errorf("the part in %s has scope %v", name, part.Scope)
				}
				return errors.Join(err, err2)
			case engine.DedupBucket:
				id = b.Generation
			case engine.DedupNone:
				id = part.Manifest
			}
			if part.Scope.ID != id {
				t.Errorf("the part in %s has scope %v, want id %x", name, part.Scope, id)
			}
			header, err3 := index.Get(tx, index.HeaderKey())
			scope, err4 := crypto.NewScope(header.StoreID, id)
			want = append(want, index.ChunkID(scope.AddressOf(body)))
			return errors.Join(err, err2, err3, err4)
		})
	}
	got := s.chunkIDs()
	slices.SortFunc(want, func(a, b index.ChunkID) int { return bytes.Compare(a[:], b[:]) })
	if !slices.Equal(got, want) {
		t.Errorf("chunks are %v, want %v", got, want)
	}
}

// TestDedupLasts uses buckets of all scopes in a directory: after another opening under other
// options, when chunks have moved, all is found as before, read and verified.
func TestDedupLasts(t *testing.T) {
	dir, body, small := t.TempDir(), random(1, 3*dedupChunk), []byte("small")
	list := func(e *engine.Engine) (scopes []engine.DedupScope) {
		t.Helper()
		res, err := e.ListBuckets(context.Background(), &engine.ListBucketsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range res.Buckets {
			head, err := e.HeadBucket(context.Background(), &engine.HeadBucketRequest{Bucket: b.Name})
			if err != nil || !reflect.DeepEqual(*head, b) {
				t.Errorf("HeadBucket says %+v, %v, the list %+v", head, err, b)
			}
			scopes = append(scopes, b.DedupScope)
		}
		return scopes
	}
	names := []string{"bucket", "none", "store"}
	e := open(t, dir, &engine.Options{ChunkSize: dedupChunk, DedupScope: engine.DedupBucket})
	mustBucket(t, e, "bucket")
	for _, name := range names[1:] {
		req := &engine.CreateBucketRequest{Bucket: name, DedupScope: engine.DedupScope(name)}
		if _, err := e.CreateBucket(context.Background(), req); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		mustPut(t, e, engine.PutObjectRequest{Bucket: name, Key: "garbage", Body: bytes.NewReader(random(2, 2<<20))})
		mustPut(t, e, engine.PutObjectRequest{Bucket: name, Key: "large", Body: bytes.NewReader(body)})
		mustPut(t, e, engine.PutObjectRequest{Bucket: name, Key: "small", Body: bytes.NewReader(small)})
	}
	mustClose(t, e)

	e = open(t, dir, &engine.Options{ChunkSize: dedupChunk})
	mustBucket(t, e, "zzz") // of the default
	if got, want := list(e), []engine.DedupScope{"bucket", "none", "store", "store"}; !slices.Equal(got, want) {
		t.Errorf("buckets have scopes %v, want %v", got, want)
	}
	engine.WithoutHoles(e)
	for _, name := range names {
		mustDelete(t, e, name, "garbage")
	}
	res, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{})
	if err != nil || res.Volumes == 0 {
		t.Fatalf("Reclaim: %+v, %v, want that chunks move", res, err)
	}
	wantSound(t, e)
	for i, name := range names {
		if !bytes.Equal(readAll(t, e, name, "large"), body) || !bytes.Equal(readAll(t, e, name, "small"), small) {
			t.Errorf("bucket %s has other bytes", name)
		}
		before := stats(t, e).Chunks
		mustPut(t, e, engine.PutObjectRequest{Bucket: name, Key: "again", Body: bytes.NewReader(body)})
		if got, want := stats(t, e).Chunks-before, []int64{0, 3, 0}[i]; got != want {
			t.Errorf("bucket %s has %d chunks more, want %d", name, got, want)
		}
	}
	wantSound(t, e)
}

// TestDedupHeals damages a chunk in each of two buckets of a scope and uploads its bytes to the
// one: the other is healed by that only where both have one chunk.
func TestDedupHeals(t *testing.T) {
	for _, scope := range dedupScopes {
		t.Run(string(scope), func(t *testing.T) {
			dir, o := t.TempDir(), &engine.Options{ChunkSize: healChunk, DedupScope: scope}
			e, data := open(t, dir, o), random(seed(t), 3*healChunk)
			buckets := []string{"aaa", "bbb"}
			for _, bucket := range buckets {
				mustBucket(t, e, bucket)
				mustPut(t, e, engine.PutObjectRequest{Bucket: bucket, Key: "put", Body: bytes.NewReader(data)})
			}
			mustClose(t, e)
			flipIn(t, dir, data[:healChunk], 1000)
			if scope != engine.DedupStore {
				flipIn(t, dir, data[:healChunk], 1000) // the other one
			}
			e = open(t, dir, o)
			reads := func(bucket, key string) error {
				obj := mustGet(t, e, bucket, key, "")
				defer obj.Close()
				_, err := obj.WriteTo(&bytes.Buffer{})
				return err
			}
			for _, bucket := range buckets {
				if err := reads(bucket, "put"); asCorruption(err) == nil {
					t.Errorf("%s/put reads, %v, want damage", bucket, err)
				}
			}
			mustPut(t, e, engine.PutObjectRequest{Bucket: "aaa", Key: "again", Body: bytes.NewReader(data)})
			for name, healed := range map[string]bool{
				"aaa/again": true, "aaa/put": scope != engine.DedupNone, "bbb/put": scope == engine.DedupStore,
			} {
				if err := reads(name[:3], name[4:]); (err == nil) != healed {
					t.Errorf("%s: %v, want it healed: %t", name, err, healed)
				}
			}
			for _, bucket := range buckets { // over what is damaged yet
				mustPut(t, e, engine.PutObjectRequest{Bucket: bucket, Key: "put", Body: bytes.NewReader(data)})
			}
			mustReclaim(t, e)
			wantSound(t, e)
		})
	}
}

// TestDedupCheck changes records so that a chunk is in another scope than it says, or in a wider
// one than its bucket's, and wants Check to say so.
func TestDedupCheck(t *testing.T) {
	ctx := context.Background()
	s := newScopedStore(t)
	s.bucket("check", engine.DedupBucket)
	s.put("check", "object", random(1, dedupChunk))
	s.put("check", "small", []byte("small"))
	id := mustInitiate(t, s.Engine, "check", "upload", "")
	mustPart(t, s.Engine, "check", "upload", id, 3, random(2, dedupChunk))
	for _, test := range []struct {
		key   string
		scope index.Scope
		says  []string
	}{
		{"object", index.Scope{}, []string{"outside of the scope", "has address"}},
		{"small", index.Scope{}, []string{"outside of the scope", "has address"}},
		{"upload", index.Scope{}, []string{"outside of the scope", "has address"}},
		{"object", index.Scope{Kind: index.ScopeBucket, ID: [16]byte{1}}, []string{"outside of the scope", "has address"}},
		{"object", index.Scope{Kind: index.ScopePart, ID: [16]byte{1}}, []string{"has address"}},
	} {
		var key index.Key[index.Part]
		var was index.Part
		put(t, s.idx, func(tx index.Tx) error {
			content, ok := index.ParseContentID(id)
			if test.key != "upload" || !ok {
				obj, err := index.Get(tx, index.ObjectKey("check", test.key))
				if err != nil {
					return err
				}
				content = obj.Content
			}
			entry := first(index.Scan(tx, index.PartsOf(content)))
			key, was = entry.Key, entry.Record
			entry.Record.Scope = test.scope
			return index.Put(tx, key, &entry.Record)
		})
		res := checkAll(t, s.Engine)
		for _, says := range test.says {
			if !slices.ContainsFunc(res.Problems, func(p engine.Problem) bool {
				return p.Bucket == "check" && p.Key == test.key && strings.Contains(p.Err.Error(), says)
			}) {
				t.Errorf("Check of %s with scope %v found %v, want one that says %q", test.key, test.scope, res.Problems, says)
			}
		}
		put(t, s.idx, func(tx index.Tx) error { return index.Put(tx, key, &was) })
		if _, err := s.Check(ctx, &engine.CheckRequest{Data: true}); err != nil { // which finds that nothing is damaged
			t.Fatal(err)
		}
	}
	wantSound(t, s.Engine)
}
