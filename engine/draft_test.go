package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

const draftChunk = 4 << 10 // the least there can be

// repeated is a body of so many chunks, of which only a few are different.
func repeated(chunks int) []byte {
	some := random(1, 5*draftChunk)
	return bytes.Repeat(some, chunks/5+1)[:chunks*draftChunk]
}

// counted returns a body of so many chunks, all of them different. It calls last before it says
// io.EOF.
func counted(chunks int, last func()) io.Reader {
	n, part, rest := 0, [draftChunk]byte{}, []byte(nil)
	return readerFunc(func(p []byte) (int, error) {
		if len(rest) == 0 {
			if n == chunks {
				last()
				return 0, io.EOF
			}
			n++
			binary.LittleEndian.PutUint64(part[:], uint64(n))
			rest = part[:]
		}
		read := copy(p, rest)
		rest = rest[read:]
		return read, nil
	})
}

// TestDraftMemory looks at what a part of many chunks keeps in memory when all of them have been
// taken in: it must not depend on how many there are.
func TestDraftMemory(t *testing.T) {
	const (
		chunks   = 16 * index.MaxPageChunks
		most     = 2 << 20                   // bytes
		mostPins = 3*index.MaxPageChunks - 1 // two pages, and what is on its way
	)
	e := openTemp(t, &engine.Options{ChunkSize: draftChunk, MemoryBudget: 16 * draftChunk}) // what is stored is not in the heap
	id := mustInitiate(t, e, "bucket", "key", "")
	retained := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // the first has moved what is pooled aside
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var underWay int64
	body := counted(chunks, func() {
		// What was read last is still being stored, and a page may be; these go on meanwhile.
		if pins, _ := e.Leftovers(); pins > mostPins {
			t.Errorf("%d chunks are pinned by a part of %d, may be %d", pins, chunks, mostPins)
		}
		underWay = retained()
	})
	if _, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
		Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body,
	}); err != nil {
		t.Fatal(err)
	}
	took := underWay - retained()
	t.Logf("a part of %d chunks kept %d bytes", chunks, took)
	if took > most {
		t.Errorf("a part of %d chunks kept %d bytes, may keep %d", chunks, took, most)
	}
	if s := stats(t, e); s.Chunks != chunks || s.References != chunks {
		t.Errorf("%d chunks with %d references are stored, must be %d", s.Chunks, s.References, chunks)
	}
	checkStore(t, e)
}

// TestDraftOperations counts what is done to the stores for parts around the size of a page. Up to
// one page it is one sync and one transaction; each page more takes one more of both. The digests
// are those of the whole.
func TestDraftOperations(t *testing.T) {
	for _, c := range []struct{ chunks, pages int }{
		{1, 1}, {index.MaxPageChunks, 1}, {index.MaxPageChunks + 1, 2}, {2 * index.MaxPageChunks, 2}, {2*index.MaxPageChunks + 1, 3},
	} {
		stores := newFragileStores(64<<20, nil)
		e := stores.open(t, &engine.Options{ChunkSize: draftChunk, MemoryBudget: 4 * draftChunk})
		id := mustInitiate(t, e, "bucket", "key", "")
		data, err := io.ReadAll(counted(c.chunks, func() {}))
		if err != nil {
			t.Fatal(err)
		}
		before := stores.power.used()
		part := mustPart(t, e, "bucket", "key", id, 1, data)
		if got, want := stores.power.used()-before, c.chunks+2*c.pages; got != want {
			t.Errorf("a part of %d chunks took %d operations, must take %d", c.chunks, got, want)
		}
		if part.CRC64 != crc64Of(data) || part.ETag != md5ETag(data) {
			t.Errorf("a part of %d chunks has CRC-64 %x and ETag %s, must have %x and %s", c.chunks, part.CRC64, part.ETag, crc64Of(data), md5ETag(data))
		}
	}
}

// TestDraftFaults fails one operation after the other while manifests of several pages are written
// by every call that writes any, as TestFaults does. It takes every third; GABION_DRAFT_STEP=1
// takes them all.
func TestDraftFaults(t *testing.T) {
	t.Parallel()
	step := rounds(t, "GABION_DRAFT_STEP", 3)
	first := 1 + int(seed(t)%uint64(step))
	for name, once := range map[string]bool{"one error": true, "power": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := keys(t)
			for at := first; ; at += step {
				f := newFaultRun(t, ring, at, once, draftChunk)
				f.pages()
				if t.Failed() {
					t.Fatalf("operation %d failed", at)
				}
				if !f.power.reached() {
					if at < 15 {
						t.Errorf("the history took only %d operations: the test has lost its grip", at)
					}
					return
				}
			}
		})
	}
}

// pages is every mutation that writes a manifest, of more than one page.
func (f *faultRun) pages() {
	t, ctx := f.t, context.Background()
	defer func() {
		if err := f.e.Close(); err != nil {
			t.Error(err)
		}
	}()
	f.must("CreateBucket", func() error {
		_, err := f.e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: faultBucket})
		return err
	})
	body := repeated(index.MaxPageChunks + 2)
	f.putObject("put", body)
	f.copyParts("put", "copied")
	f.copyObject("put", "sealed", "AES256")
	for key, want := range map[string][]byte{
		"put": body, "sealed": body, "copied": slices.Concat(body, body[10:110]),
	} {
		f.wantObject(key, want)
		f.delete(key)
	}
	f.reclaim()
	f.recover()
	f.power.disarm()
	f.must("DeleteBucket", func() error {
		_, err := f.e.DeleteBucket(ctx, &engine.DeleteBucketRequest{Bucket: faultBucket})
		return err
	})
	if left := tallyOf(t, f.e); left != (tally{}) {
		t.Errorf("left is %+v", left)
	}
}

// TestDraftGivenUp ends calls whose first pages are committed in every way that they can fail.
// Nothing may be left of them.
func TestDraftGivenUp(t *testing.T) {
	const chunks = 2*index.MaxPageChunks + 1
	wrong := uint64(1)
	for name, c := range map[string]struct {
		request func(req *engine.UploadPartRequest, cancel context.CancelFunc, abort func())
		want    error
	}{
		"wrong digest": {func(req *engine.UploadPartRequest, _ context.CancelFunc, _ func()) {
			req.Body, req.CRC64 = counted(chunks, func() {}), &wrong
		}, engine.ErrInvalidCRC64},
		"too short": {func(req *engine.UploadPartRequest, _ context.CancelFunc, _ func()) {
			req.Body, req.Size = counted(chunks, func() {}), chunks*draftChunk+1
		}, engine.ErrIncompleteBody},
		"too long": {func(req *engine.UploadPartRequest, _ context.CancelFunc, _ func()) {
			req.Body, req.Size = counted(chunks, func() {}), chunks*draftChunk-1
		}, engine.ErrInvalidArgument},
		"failing body": {func(req *engine.UploadPartRequest, _ context.CancelFunc, _ func()) {
			req.Body = io.MultiReader(counted(chunks, func() {}), readerFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe }))
		}, io.ErrClosedPipe},
		"cancelled": {func(req *engine.UploadPartRequest, cancel context.CancelFunc, _ func()) {
			req.Body = counted(chunks, cancel)
		}, context.Canceled},
		"aborted": {func(req *engine.UploadPartRequest, _ context.CancelFunc, abort func()) {
			req.Body = counted(chunks, abort)
		}, engine.ErrNoSuchUpload},
	} {
		t.Run(name, func(t *testing.T) {
			stores := newFragileStores(64<<20, nil)
			e := stores.open(t, &engine.Options{ChunkSize: draftChunk, MemoryBudget: 16 * draftChunk})
			id := mustInitiate(t, e, "bucket", "key", "")
			abort := func() {
				if _, err := e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id}); err != nil {
					t.Error(err)
				}
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			req := &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1}
			c.request(req, cancel, abort)
			if _, err := e.UploadPart(ctx, req); !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			checkStore(t, e)
			checkLeftovers(t, e)
			got := tallyOf(t, e)
			if got.Uploads = 0; got != (tally{}) {
				t.Errorf("left is %+v", got)
			}
		})
	}
}
