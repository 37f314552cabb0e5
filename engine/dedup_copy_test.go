package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// copyPart makes an object of one part that is a copy.
func (s *scopedStore) copyPart(from, fromKey, rng, to, key string) {
	s.t.Helper()
	id := mustInitiate(s.t, s.Engine, to, key, "")
	_, err := s.UploadPartCopy(context.Background(), &engine.UploadPartCopyRequest{
		Bucket: to, Key: key, UploadID: id, PartNumber: 1, SourceBucket: from, SourceKey: fromKey, SourceRange: rng,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	mustComplete(s.t, s.Engine, to, key, id)
}

// TestDedupCopies copies between buckets of all scopes, by all ways. What is shared must lie within
// the scope of both: whoever uploads the bytes to the source's bucket after the source is gone, or
// to any other bucket, must not find what the target's scope keeps from them.
func TestDedupCopies(t *testing.T) {
	const n = 4 // chunks of the body
	body, small := random(1, n*dedupChunk), random(2, 100)
	last := fmt.Sprintf("bytes=%d-", (n-1)*dedupChunk)
	type scopes struct{ from, to engine.DedupScope }
	shared := map[scopes]bool{
		{"store", "store"}: true, {"bucket", "store"}: true,
		{"none", "store"}: true, {"none", "bucket"}: true, {"none", "none"}: true,
	}
	for _, from := range dedupScopes {
		for _, to := range dedupScopes {
			for _, same := range []bool{false, true} {
				if same && from != to {
					continue
				}
				t.Run(fmt.Sprintf("%s to %s, same bucket %t", from, to, same), func(t *testing.T) {
					s := newScopedStore(t)
					s.bucket("source", from)
					s.bucket("target", to)
					s.bucket("of-tenant", engine.DedupStore)
					s.put("source", "large", body)
					s.put("source", "small", small)
					target := "target"
					if same {
						target = "source"
					}
					want := int64(n)
					if same || shared[scopes{from, to}] {
						want = 0
					}
					copyObject := func(key, copied string) {
						mustCopy(t, s.Engine, engine.CopyObjectRequest{
							Bucket: target, Key: copied, SourceBucket: "source", SourceKey: key,
						})
					}
					if got := s.storing(func() { copyObject("large", "copy") }); got != want {
						t.Errorf("CopyObject stored %d chunks, wanted are %d", got, want)
					}
					if to == engine.DedupBucket && !same {
						want = 0 // the bucket has what was copied there
					}
					if got := s.storing(func() { s.copyPart("source", "large", "", target, "part") }); got != want {
						t.Errorf("UploadPartCopy stored %d chunks, wanted are %d", got, want)
					}
					copyObject("small", "small copy")
					s.copyPart("source", "small", "", target, "small part")

					// A range that is no part goes the usual way, within the target's scope.
					want = 1
					switch to {
					case engine.DedupStore:
						if from == engine.DedupStore {
							want = 0
						}
					case engine.DedupBucket:
						if same || from != engine.DedupNone {
							want = 0
						}
					}
					if got := s.storing(func() { s.copyPart("source", "large", last, target, "range") }); got != want {
						t.Errorf("UploadPartCopy of a range stored %d chunks, wanted are %d", got, want)
					}
					for key, want := range map[string][]byte{
						"copy": body, "part": body, "small copy": small, "small part": small, "range": body[(n-1)*dedupChunk:],
					} {
						if !bytes.Equal(readAll(t, s.Engine, target, key), want) {
							t.Errorf("%s/%s has other bytes", target, key)
						}
					}
					wantSound(t, s.Engine)

					if same {
						return
					}
					mustDelete(t, s.Engine, "source", "large")
					mustDelete(t, s.Engine, target, "range")
					mustReclaim(t, s.Engine)
					want = n
					if to == engine.DedupStore && from != engine.DedupNone {
						want = 0 // who may put what there may be found
					}
					if got := s.storing(func() { s.put("source", "probe", body) }); got != want {
						t.Errorf("where the source was, %d chunks are stored, wanted are %d", got, want)
					}
					want = n
					if to == engine.DedupStore && from == engine.DedupStore {
						want = 0
					}
					if from == engine.DedupStore {
						mustDelete(t, s.Engine, "source", "probe")
						mustReclaim(t, s.Engine)
					}
					if got := s.storing(func() { s.put("of-tenant", "probe", body) }); got != want {
						t.Errorf("for another tenant %d chunks are stored, wanted are %d", got, want)
					}
				})
			}
		}
	}
}

// TestDedupMixed makes an object whose parts have different scopes, and copies it: every part must
// be within the scope of the target.
func TestDedupMixed(t *testing.T) {
	ctx := context.Background()
	s := newScopedStore(t)
	s.bucket("narrow", engine.DedupBucket)
	s.bucket("wide", engine.DedupStore)
	one, two := random(1, 2*dedupChunk), random(2, 3*dedupChunk)
	s.put("narrow", "one", one)
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		key := fmt.Sprint("copied is part ", order[0])
		id := mustInitiate(t, s.Engine, "wide", key, "")
		stored := s.storing(func() {
			_, err := s.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
				Bucket: "wide", Key: key, UploadID: id, PartNumber: order[0], SourceBucket: "narrow", SourceKey: "one",
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		if stored != 0 {
			t.Errorf("%s: a copy by reference stored %d chunks", key, stored)
		}
		mustPart(t, s.Engine, "wide", key, id, order[1], two)
		mustComplete(t, s.Engine, "wide", key, id)
		want := bytes.Join([][]byte{one, two}, nil)
		if order[0] == 2 {
			want = bytes.Join([][]byte{two, one}, nil)
		}
		for _, to := range []struct {
			bucket string
			stored int64
		}{{"wide", 0}, {"narrow", 3}} { // one is found there
			stored := s.storing(func() {
				mustCopy(t, s.Engine, engine.CopyObjectRequest{
					Bucket: to.bucket, Key: "copy", SourceBucket: "wide", SourceKey: key,
				})
			})
			if stored != to.stored {
				t.Errorf("%s: the copy in bucket %s stored %d chunks, wanted are %d", key, to.bucket, stored, to.stored)
			}
			if !bytes.Equal(readAll(t, s.Engine, to.bucket, "copy"), want) {
				t.Errorf("%s: the copy in bucket %s has other bytes", key, to.bucket)
			}
			mustDelete(t, s.Engine, to.bucket, "copy")
			mustReclaim(t, s.Engine)
		}
	}
}
