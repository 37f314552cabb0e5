package enginetest

import (
	"bytes"
	"context"

	"github.com/gabion-storage/gabion/engine"
)

// count compares the totals, once what was deleted has been swept.
func (h *history) count() {
	h.did("Stats")
	if h.Nodes {
		h.closeReaders()
	}
	got := TallyOf(h.t, h.e)
	if want := h.tally(got.StoredBytes); got != want {
		h.fail("the store holds %+v, want %+v", got, want)
	}
	CheckLive(h.t, h.e)
}

// tally counts what the model holds. An object that is being read holds on to its parts, deleted
// or not.
func (h *history) tally(storedBytes int64) Tally {
	want := Tally{Objects: int64(len(h.objects)), Uploads: int64(len(h.uploads)), StoredBytes: storedBytes}
	chunks := map[string]bool{}
	add := func(p *modelPart) {
		want.Parts++
		for _, name := range p.names() {
			want.References++
			chunks[name] = true
		}
	}
	for _, up := range h.uploads {
		for _, p := range up.parts {
			add(p)
		}
	}
	held := map[*modelContent]bool{}
	for _, obj := range h.objects {
		held[obj.content] = true
		want.LogicalBytes += int64(len(obj.body))
	}
	for _, r := range h.readers {
		held[r.object.content] = true
	}
	for content := range held {
		for _, p := range content.parts {
			add(p)
		}
	}
	want.Chunks = int64(len(chunks))
	return want
}

// check compares everything.
func (h *history) check() {
	h.count()
	for _, up := range h.uploads {
		h.checkParts(up)
	}
	for p, obj := range h.objects {
		if !bytes.Equal(ReadAll(h.t, h.e, p.bucket, p.key), obj.body) {
			h.fail("object %v reads differently", p)
		}
		if got := h.head(p); got.ETag != obj.etag || got.ServerSideEncryption != engine.EncryptionAlgorithm(obj.sse) || got.Parts != len(obj.content.parts) {
			h.fail("object %v heads as %+v, want ETag %s, encryption %q, %d parts", p, got, obj.etag, obj.sse, len(obj.content.parts))
		}
	}
}

// deleteEverything leaves an empty store, by every way there is.
func (h *history) deleteEverything() {
	for len(h.uploads) > 0 {
		h.abort()
	}
	for p := range h.objects {
		if _, err := h.e.DeleteObject(context.Background(), &engine.DeleteObjectRequest{Bucket: p.bucket, Key: p.key}); err != nil {
			h.fail("DeleteObject %v: %v", p, err)
		}
	}
	if got := TallyOf(h.t, h.e); got != (Tally{}) {
		h.fail("the empty store holds %+v", got)
	}
	CheckLive(h.t, h.e)
	for b := range h.buckets {
		if _, err := h.e.DeleteBucket(context.Background(), &engine.DeleteBucketRequest{Bucket: b}); err != nil {
			h.fail("DeleteBucket %s: %v", b, err)
		}
	}
}

func (h *history) head(p place) *engine.ObjectInfo {
	info, err := h.e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: p.bucket, Key: p.key})
	if err != nil {
		h.fail("HeadObject %v: %v", p, err)
	}
	return info
}
