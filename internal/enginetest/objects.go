package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

func (h *history) deleteObject() {
	p := h.somePlace()
	h.did("DeleteObject %v", p)
	_, err := h.e.DeleteObject(context.Background(), &engine.DeleteObjectRequest{Bucket: p.bucket, Key: p.key})
	if !h.buckets[p.bucket] {
		h.want(err, engine.ErrNoSuchBucket)
		return
	}
	h.want(err, nil)
	delete(h.objects, p)
}

func (h *history) readRange() {
	p := h.somePlace()
	obj := h.objects[p]
	if obj == nil {
		h.did("GetObject %v, which is not there", p)
		_, err := h.e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: p.bucket, Key: p.key})
		if h.buckets[p.bucket] {
			h.want(err, engine.ErrNoSuchKey)
		} else {
			h.want(err, engine.ErrNoSuchBucket)
		}
		return
	}
	from := h.Rand.IntN(len(obj.body) + 1)
	to := from + h.Rand.IntN(len(obj.body)-from+1)
	rng := ""
	if from < to {
		rng = fmt.Sprintf("bytes=%d-%d", from, to-1)
	} else {
		from, to = 0, len(obj.body)
	}
	h.did("GetObject %v %s", p, rng)
	got, err := h.e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: p.bucket, Key: p.key, Range: rng})
	h.want(err, nil)
	defer got.Close()
	if data, err := io.ReadAll(got); err != nil || !bytes.Equal(data, obj.body[from:to]) {
		h.fail("%v %s reads %d bytes, %v", p, rng, len(data), err)
	}
}

func (h *history) openReader() {
	places := slices.SortedFunc(maps.Keys(h.objects), func(a, b place) int { return strings.Compare(a.bucket+"/"+a.key, b.bucket+"/"+b.key) })
	if len(places) > 0 && len(h.readers) < 5 {
		p := places[h.Rand.IntN(len(places))]
		h.did("open-reader %v", p)
		got, err := h.e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: p.bucket, Key: p.key})
		h.want(err, nil)
		h.readers = append(h.readers, &modelReader{h.objects[p], got})
	}
}

func (h *history) useReader() {
	for _, r := range h.readers {
		if !slices.ContainsFunc(slices.Collect(maps.Values(h.objects)), func(o *modelObject) bool { return o == r.object }) {
			h.outcomes["read-deleted"]++
		}
		off := h.Rand.IntN(len(r.object.body) + 1)
		buf := make([]byte, h.Rand.IntN(len(r.object.body)-off+1))
		h.did("ReadAt %d, %d bytes", off, len(buf))
		if _, err := r.from.ReadAt(buf, int64(off)); err != nil || !bytes.Equal(buf, r.object.body[off:off+len(buf)]) {
			h.fail("an object opened earlier: %v", err)
		}
	}
}

// closeReaders closes what is left open, also by an engine that is closed.
func (h *history) closeReaders() {
	for _, r := range h.readers {
		r.from.Close()
	}
	h.readers = nil
}

func (h *history) closeReader() {
	if len(h.readers) > 0 {
		h.did("close-reader")
		h.want(h.readers[0].from.Close(), nil)
		h.readers = h.readers[1:]
	}
}

func (h *history) deleteObjects() {
	at, other := h.somePlace(), h.somePlace()
	h.did("DeleteObjects %v and %s", at, other.key)
	_, err := h.e.DeleteObjects(context.Background(), &engine.DeleteObjectsRequest{Bucket: at.bucket, Keys: []string{at.key, other.key}})
	if !h.buckets[at.bucket] {
		h.want(err, engine.ErrNoSuchBucket)
		return
	}
	h.want(err, nil)
	delete(h.objects, at)
	delete(h.objects, place{at.bucket, other.key})
}
