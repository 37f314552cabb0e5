package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/gabion-storage/gabion/engine"
)

// TestObjectReader holds Object against the contracts of Reader, Seeker, ReaderAt and WriterTo, for
// objects and ranges that end next to a chunk's or a part's end, plain and encrypted.
func TestObjectReader(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, Keys: keys(t)})
	large := random(1, minPart+chunk/2)
	for name, parts := range map[string][][]byte{
		"no part":       {},
		"empty part":    {nil},
		"1 byte":        {random(2, 1)},
		"chunk-1":       {random(3, chunk-1)},
		"chunk":         {random(4, chunk)},
		"chunk+1":       {random(5, chunk+1)},
		"compressible":  {bytes.Repeat([]byte("stone "), chunk/2)},
		"equal parts":   {large, large, large},
		"parts":         {large, random(6, minPart), random(7, chunk+1)},
		"empty at end":  {large, nil},
		"1 byte at end": {large, random(8, 1)},
	} {
		for _, sse := range []string{"", "AES256"} {
			t.Run(orElse(sse, "plain")+"/"+name, func(t *testing.T) {
				mustObject(t, e, "bucket", name, sse, parts...)
				want := slices.Concat(parts...)
				if !bytes.Equal(readAll(t, e, "bucket", name), want) {
					t.Error("the object reads differently")
				}
				checkWriteTo(t, mustGet(t, e, "bucket", name, ""), want)
				if len(want) <= 3*chunk {
					checkReader(t, e, name, want, 0, len(want))
				} else { // around the first part's end; TestReader reads byte by byte
					checkReader(t, e, name, want, len(large)-chunk-7, min(len(large)+chunk/2, len(want)))
				}
			})
		}
	}
}

// checkReader tests the reader of the bytes from..to of an object.
func checkReader(t *testing.T, e *engine.Engine, key string, whole []byte, from, to int) {
	t.Helper()
	rng := fmt.Sprintf("bytes=%d-%d", from, to-1)
	if from == to {
		rng = ""
	}
	obj := mustGet(t, e, "bucket", key, rng)
	if start, length, partial := selected(obj); start != int64(from) || length != int64(to-from) || partial != (rng != "") || obj.Size != int64(len(whole)) {
		t.Errorf("%s is %d, %d, %t of %d bytes", rng, start, length, partial, obj.Size)
	}
	if err := iotest.TestReader(obj, whole[from:to]); err != nil {
		t.Error(err)
	}
	checkWriteTo(t, obj, whole[from:to])
}

// checkWriteTo writes from a position in the middle, through a writer that fails, and to the end.
func checkWriteTo(t *testing.T, obj *engine.Object, want []byte) {
	t.Helper()
	start := len(want) / 3
	if _, err := obj.Seek(int64(start), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	short := &limitedWriter{w: &got, n: len(want) / 3}
	n, err := obj.WriteTo(short)
	if len(want) >= 3 && !errors.Is(err, errFull) || n != int64(got.Len()) {
		t.Errorf("WriteTo a writer that fails: %d of %d, %v", n, got.Len(), err)
	}
	if pos, err := obj.Seek(0, io.SeekCurrent); err != nil || pos != int64(start+got.Len()) {
		t.Errorf("after %d bytes the position is %d, %v", got.Len(), pos, err)
	}
	if _, err := obj.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), want[start:]) {
		t.Errorf("WriteTo: %d bytes, %v", got.Len(), err)
	}
	if n, err := obj.WriteTo(&got); n != 0 || err != nil {
		t.Errorf("WriteTo at the end: %d, %v", n, err)
	}
}

var errFull = errors.New("full")

type limitedWriter struct {
	w io.Writer
	n int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	n, _ := l.w.Write(p[:min(len(p), l.n)])
	if l.n -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

// TestObjectSeek covers what TestReader does not: beyond the end, and nonsense.
func TestObjectSeek(t *testing.T) {
	e := openTemp(t, nil)
	mustObject(t, e, "bucket", "key", "", []byte("content"))
	obj := mustGet(t, e, "bucket", "key", "")
	if _, err := obj.Seek(-1, io.SeekStart); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("Seek before the start: %v", err)
	}
	if _, err := obj.Seek(0, 3); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("Seek with whence 3: %v", err)
	}
	if _, err := obj.ReadAt(make([]byte, 1), -1); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("ReadAt -1: %v", err)
	}
	for _, far := range []int64{100, 1<<63 - 1} {
		if pos, err := obj.Seek(far, io.SeekStart); pos != far || err != nil {
			t.Errorf("Seek(%d): %d, %v", far, pos, err)
		}
		if n, err := obj.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("Read at %d: %d, %v", far, n, err)
		}
		if n, err := obj.ReadAt(make([]byte, 1), far); n != 0 || err != io.EOF {
			t.Errorf("ReadAt(%d): %d, %v", far, n, err)
		}
	}
	if _, err := obj.Seek(1, io.SeekCurrent); err == nil {
		t.Error("Seek to a position over the largest int64 works")
	}
	if _, err := obj.Seek(-7, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(obj); string(got) != "content" || err != nil {
		t.Errorf("after all that: %q, %v", got, err)
	}
}

// TestReadAtConcurrently reads one Object from many goroutines.
func TestReadAtConcurrently(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, Keys: keys(t)})
	parts := [][]byte{random(1, minPart+1), random(2, minPart+chunk), random(3, chunk/2)}
	mustObject(t, e, "bucket", "key", "AES256", parts...)
	want := slices.Concat(parts...)
	obj := mustGet(t, e, "bucket", "key", "")
	var readers sync.WaitGroup
	for g := range 8 {
		readers.Go(func() {
			buf := make([]byte, 3*chunk)
			for i := range 30 {
				off := (i*7919 + g*104729) % len(want)
				n, err := obj.ReadAt(buf, int64(off))
				if n != min(len(buf), len(want)-off) || !bytes.Equal(buf[:n], want[off:off+n]) || (err == io.EOF) != (n < len(buf)) {
					t.Errorf("ReadAt(%d): %d, %v", off, n, err)
					return
				}
			}
		})
	}
	readers.Wait()
}

// TestSnapshot deletes and overwrites an object that is being read. The reader goes on in what it
// opened; when it closes, the space comes back.
func TestSnapshot(t *testing.T) {
	const chunk = 4 << 10
	for name, remove := range map[string]func(t *testing.T, e *engine.Engine){
		"delete":    func(t *testing.T, e *engine.Engine) { mustDelete(t, e, "bucket", "key") },
		"overwrite": func(t *testing.T, e *engine.Engine) { mustObject(t, e, "bucket", "key", "", []byte("new")) },
		"delete and write again": func(t *testing.T, e *engine.Engine) {
			mustDelete(t, e, "bucket", "key")
			mustObject(t, e, "bucket", "key", "", random(1, 2*chunk)) // what was there
			mustObject(t, e, "bucket", "key", "", []byte("new"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := openTemp(t, &engine.Options{ChunkSize: chunk})
			old := [][]byte{random(1, minPart), random(2, 3*chunk+5)}
			want := slices.Concat(old...)
			id := mustInitiate(t, e, "bucket", "key", "")
			mustPart(t, e, "bucket", "key", id, 1, old[0])
			mustPart(t, e, "bucket", "key", id, 2, random(3, chunk)) // will not be listed
			mustPart(t, e, "bucket", "key", id, 3, old[1])
			mustComplete(t, e, "bucket", "key", id,
				engine.CompletedPart{PartNumber: 1, ETag: md5ETag(old[0])}, engine.CompletedPart{PartNumber: 3, ETag: md5ETag(old[1])})
			references := tallyOf(t, e).References

			first, second := mustGet(t, e, "bucket", "key", ""), mustGet(t, e, "bucket", "key", "bytes=5-")
			head := make([]byte, 10)
			if _, err := io.ReadFull(first, head); err != nil {
				t.Fatal(err)
			}
			remove(t, e)
			if got := tallyOf(t, e); got.References < references {
				t.Errorf("%d references are left while it is read, of %d", got.References, references)
			}
			rest, err := io.ReadAll(first)
			if err != nil || !bytes.Equal(append(head, rest...), want) {
				t.Errorf("the object open reads %d bytes, %v", len(rest)+10, err)
			}
			first.Close()
			mustReclaim(t, e)
			if rest, err = io.ReadAll(second); err != nil || !bytes.Equal(rest, want[5:]) {
				t.Errorf("the second one reads %d bytes, %v", len(rest), err)
			}
			if err := second.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if got := tallyOf(t, e); name == "delete" && got != (tally{}) || got.References > 1 {
				t.Errorf("after closing the store holds %+v", got)
			}
		})
	}
}

// TestObjectClosed reads from what was closed.
func TestObjectClosed(t *testing.T) {
	e := openTemp(t, nil)
	mustObject(t, e, "bucket", "key", "", []byte("content"))
	obj := mustGet(t, e, "bucket", "key", "")
	if _, err := obj.Read(make([]byte, 1)); err != nil { // the chunk is in memory now
		t.Fatal(err)
	}
	if err := obj.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Read":    func() error { _, err := obj.Read(make([]byte, 1)); return err },
		"ReadAt":  func() error { _, err := obj.ReadAt(make([]byte, 1), 0); return err },
		"WriteTo": func() error { _, err := obj.WriteTo(io.Discard); return err },
		"Close":   obj.Close,
		"Read at the end": func() error {
			if _, err := obj.Seek(0, io.SeekEnd); err != nil {
				return err
			}
			_, err := obj.Read(make([]byte, 1))
			return err
		},
	} {
		if err := call(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// TestEncryptedReopen opens a store with encrypted content under its key ring, under another, and
// under none.
func TestEncryptedReopen(t *testing.T) {
	dir, ring := t.TempDir(), keys(t)
	e := open(t, dir, &engine.Options{Keys: ring, ChunkSize: 4 << 10})
	parts := [][]byte{random(1, minPart), random(2, 100)}
	mustObject(t, e, "bucket", "key", "KMS", parts...)
	mustObject(t, e, "bucket", "plain", "", parts...)
	id := mustInitiate(t, e, "bucket", "open", "AES256")
	e.Close()

	for name, c := range map[string]struct {
		o    engine.Options
		want error
	}{
		"another key ring": {engine.Options{Keys: keys(t)}, engine.ErrKeyNotFound},
		"no key ring":      {engine.Options{}, engine.ErrKmsServiceNotEnabled},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, dir, &c.o)
			before := tallyOf(t, e)
			if obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key"}); !errors.Is(err, c.want) || obj != nil {
				t.Errorf("GetObject: %v, want %v", err, c.want)
			}
			_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: "bucket", Key: "open", UploadID: id, PartNumber: 1, Body: strings.NewReader("x")})
			if !errors.Is(err, c.want) {
				t.Errorf("UploadPart: %v, want %v", err, c.want)
			}
			if after := tallyOf(t, e); after != before {
				t.Errorf("the store holds %+v, held %+v before", after, before)
			}
			// What needs no key works.
			if head, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: "key"}); err != nil || head.ServerSideEncryption != "KMS" {
				t.Errorf("HeadObject: %+v, %v", head, err)
			}
			if got := readAll(t, e, "bucket", "plain"); !bytes.Equal(got, slices.Concat(parts...)) {
				t.Error("the plain object reads differently")
			}
			e.Close()
		})
	}

	e = open(t, dir, &engine.Options{Keys: ring})
	if got := readAll(t, e, "bucket", "key"); !bytes.Equal(got, slices.Concat(parts...)) {
		t.Error("the encrypted object reads differently under its own key ring")
	}
	mustPart(t, e, "bucket", "open", id, 1, parts[0])
	mustComplete(t, e, "bucket", "open", id)
	if got := readAll(t, e, "bucket", "open"); !bytes.Equal(got, parts[0]) {
		t.Error("the object completed after reopening reads differently")
	}
	mustDelete(t, e, "bucket", "key")
	mustDelete(t, e, "bucket", "open")
	mustDelete(t, e, "bucket", "plain")
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("after deleting everything: %+v", got)
	}
}
