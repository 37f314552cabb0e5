package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

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
	if start, length, partial := obj.Range(); start != int64(from) || length != int64(to-from) || partial != (rng != "") || obj.Size != int64(len(whole)) {
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

// TestRanges is OSS's table: what does not fit is ignored, unless the behaviour asked for is
// "standard".
func TestRanges(t *testing.T) {
	e := openTemp(t, nil)
	mustObject(t, e, "bucket", "key", "", []byte("0123456789"))
	done := mustObject(t, e, "bucket", "empty", "")
	const unsatisfiable = "416"
	for _, row := range []struct{ rng, byDefault, standard string }{
		{"", "0123456789", "0123456789"},
		{"bytes=0-9", "0123456789", "0123456789"},
		{"bytes=2-4", "234", "234"},
		{"bytes=9-9", "9", "9"},
		{"bytes=3-", "3456789", "3456789"},
		{"bytes=-3", "789", "789"},
		{"bytes=-10", "0123456789", "0123456789"},
		{"bytes=8-10", "0123456789", "89"}, // reaches beyond the end
		{"bytes=0-1000", "0123456789", "0123456789"},
		{"bytes=10-", "0123456789", unsatisfiable}, // begins there
		{"bytes=10-12", "0123456789", unsatisfiable},
		{"bytes=-11", "0123456789", "0123456789"},
		{"bytes=-0", unsatisfiable, unsatisfiable},
		{"Bytes=2-4", "234", "234"},
		{"BYTES=-3", "789", "789"},
		{"bytes=4-2", "0123456789", "0123456789"}, // malformed, all of these
		{"byte=0-4", "0123456789", "0123456789"},
		{"bytes=", "0123456789", "0123456789"},
		{"bytes=-", "0123456789", "0123456789"},
		{"bytes=a-b", "0123456789", "0123456789"},
		{"bytes=1-2-3", "0123456789", "0123456789"},
		{"bytes=+1-2", "0123456789", "0123456789"},
		{"bytes=1", "0123456789", "0123456789"},
		// Larger than any integer.
		{"bytes=0-99999999999999999999", "0123456789", "0123456789"},
		{"bytes=4-99999999999999999999", "0123456789", "456789"},
		{"bytes=99999999999999999999-", "0123456789", unsatisfiable},
		{"bytes=99999999999999999998-99999999999999999999", "0123456789", unsatisfiable},
		{"bytes=20000000000000000000-5", "0123456789", "0123456789"},
		{"bytes=-99999999999999999999", "0123456789", "0123456789"},
	} {
		for behaviour, want := range map[string]string{"": row.byDefault, "standard": row.standard} {
			obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key", Range: row.rng, RangeBehavior: behaviour})
			if want == unsatisfiable {
				if !errors.Is(err, engine.ErrInvalidRange) {
					t.Errorf("%q %s: %v, want ErrInvalidRange", row.rng, behaviour, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%q %s: %v", row.rng, behaviour, err)
				continue
			}
			if got, err := io.ReadAll(obj); string(got) != want || err != nil {
				t.Errorf("%q %s: %q, %v, want %q", row.rng, behaviour, got, err, want)
			}
			obj.Close()
		}
	}
	obj := mustGet(t, e, "bucket", "empty", "")
	if obj.ETag != done.ETag || obj.Size != 0 {
		t.Errorf("the empty object is %+v", obj.ObjectInfo)
	}
}

var rangeSyntax = regexp.MustCompile(`^(?i:bytes)=([0-9]*)-([0-9]*)$`)

// plainRange works out a range the plain way. ok is false for one that cannot be satisfied.
func plainRange(text string, size int64, standard bool) (start, length int64, partial, ok bool) {
	if !standard {
		text, _, _ = strings.Cut(text, ",")
	}
	m := rangeSyntax.FindStringSubmatch(text)
	if m == nil || m[1] == "" && m[2] == "" {
		return 0, size, false, true
	}
	from, fromGiven := new(big.Int).SetString(m[1], 10)
	to, toGiven := new(big.Int).SetString(m[2], 10)
	end := big.NewInt(size)
	if fromGiven && toGiven && to.Cmp(from) < 0 {
		return 0, size, false, true
	}
	fits := true
	switch {
	case !fromGiven: // the last bytes
		if to.Sign() == 0 {
			return 0, 0, false, false
		}
		if size == 0 {
			return 0, 0, false, true
		}
		fits, ok = to.Cmp(end) <= 0, true
		start = size - min(size, clamp(to))
		length = size - start
	case from.Cmp(end) >= 0:
		fits, ok = false, false
	default:
		ok = true
		start = from.Int64()
		length = size - start
		if toGiven {
			fits = to.Cmp(end) < 0
			length = min(length, clamp(to)-start+1)
		}
	}
	if !standard && !fits {
		return 0, size, false, true
	}
	return start, length, true, ok
}

func clamp(n *big.Int) int64 {
	if !n.IsInt64() {
		return 1<<63 - 1 - 1
	}
	return min(n.Int64(), 1<<63-1-1)
}

// FuzzRange reads any range of three objects and compares with the plain way.
func FuzzRange(f *testing.F) {
	for _, s := range []string{
		"", "bytes=0-", "bytes=0-0", "bytes=-1", "bytes=1-", "bytes=4095-4096", "bytes=-4097", "bytes=10000-", "bytes=9999-", "bytes=0-1", "bytes=1-9999", "bytes=1-10000", "bytes=-10000", "bytes=-10001", "bytes=-0", "bytes=--1",
		"bytes=0-0,2-3", "bytes= 0-1", "BYTES=0-1", "bytes=00000000000000000000000001-2", "bytes=1152921504606846976-", "bytes=0-1152921504606846976",
		"bytes=9223372036854775807-9223372036854775808", "bytes=18446744073709551616-1", "bytes=0-18446744073709551615", "bytes=-18446744073709551620",
		"bytes=20000000000000000000-5", "bytes=36893488147419103232-36893488147419103233", "bytes=\u0661-\u0662", "bytes=-\x00", "bytes=5-3",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	e := openTemp(f, &engine.Options{ChunkSize: 4 << 10})
	data := random(1, 10000)
	sizes := []int{0, 1, len(data)}
	for _, size := range sizes {
		mustObject(f, e, "bucket", fmt.Sprint(size), "", data[:size])
	}
	f.Fuzz(func(t *testing.T, rng string, standard bool) {
		behaviour := ""
		if standard {
			behaviour = "standard"
		}
		for _, size := range sizes {
			start, length, partial, ok := plainRange(rng, int64(size), standard)
			obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: fmt.Sprint(size), Range: rng, RangeBehavior: behaviour})
			if !ok {
				if !errors.Is(err, engine.ErrInvalidRange) {
					t.Fatalf("%q of %d bytes: %v, want ErrInvalidRange", rng, size, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%q of %d bytes: %v", rng, size, err)
			}
			gotStart, gotLength, gotPartial := obj.Range()
			if gotStart != start || gotLength != length || gotPartial != partial {
				t.Fatalf("%q of %d bytes is %d, %d, %t, want %d, %d, %t", rng, size, gotStart, gotLength, gotPartial, start, length, partial)
			}
			if got, err := io.ReadAll(obj); err != nil || !bytes.Equal(got, data[start:start+length]) {
				t.Fatalf("%q of %d bytes reads %d bytes, %v", rng, size, len(got), err)
			}
			obj.Close()
		}
	})
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

// TestConditions judges If* by an object that was modified at 03:04:05.6.
func TestConditions(t *testing.T) {
	modified := time.Date(2026, 1, 2, 3, 4, 5, 6e8, time.UTC)
	e := openTemp(t, &engine.Options{Clock: func() time.Time { return modified }})
	etag := mustObject(t, e, "bucket", "key", "", []byte("content")).ETag
	at := func(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }
	none, other := error(nil), "D41D8CD98F00B204E9800998ECF8427E-0"
	failed, same := error(engine.ErrPreconditionFailed), error(engine.ErrNotModified)
	for _, row := range []struct {
		conditions engine.Conditions
		want       error
	}{
		{engine.Conditions{}, none},
		{engine.Conditions{IfMatch: etag}, none},
		{engine.Conditions{IfMatch: `"` + strings.ToLower(etag) + `"`}, none},
		{engine.Conditions{IfMatch: "*"}, none},
		{engine.Conditions{IfMatch: other}, failed},
		{engine.Conditions{IfNoneMatch: other}, none},
		{engine.Conditions{IfNoneMatch: etag}, same},
		{engine.Conditions{IfNoneMatch: "*"}, same},
		{engine.Conditions{IfModifiedSince: at(4)}, none},
		{engine.Conditions{IfModifiedSince: at(5)}, same}, // HTTP's dates have seconds
		{engine.Conditions{IfModifiedSince: at(6)}, same},
		{engine.Conditions{IfUnmodifiedSince: at(4)}, failed},
		{engine.Conditions{IfUnmodifiedSince: at(5)}, none},
		{engine.Conditions{IfUnmodifiedSince: at(6)}, none},
		{engine.Conditions{IfMatch: etag, IfNoneMatch: other}, none},
		{engine.Conditions{IfMatch: other, IfNoneMatch: etag}, failed},
		{engine.Conditions{IfMatch: etag, IfUnmodifiedSince: at(4)}, none}, // the ETag decides
		{engine.Conditions{IfNoneMatch: other, IfModifiedSince: at(6)}, none},
		{engine.Conditions{IfModifiedSince: at(4), IfUnmodifiedSince: at(6)}, none},
		{engine.Conditions{IfModifiedSince: at(6), IfUnmodifiedSince: at(4)}, failed},
	} {
		_, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: "key", Conditions: row.conditions})
		if !errors.Is(err, row.want) {
			t.Errorf("HeadObject, %+v: %v, want %v", row.conditions, err, row.want)
		}
		obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key", Conditions: row.conditions})
		if !errors.Is(err, row.want) {
			t.Errorf("GetObject, %+v: %v, want %v", row.conditions, err, row.want)
		}
		if err == nil {
			obj.Close()
		}
	}
	mustDelete(t, e, "bucket", "key")
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("conditions that failed hold %+v", got)
	}
}

// TestAttributes carries what Initiate is told to the object, over Complete and a restart, up to
// the limits of all of it.
func TestAttributes(t *testing.T) {
	dir, ring := t.TempDir(), keys(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	o := &engine.Options{Keys: ring, Clock: func() time.Time { now = now.Add(time.Minute); return now }}
	e := open(t, dir, o)
	mustBucket(t, e, "bucket")
	current, err := ring.CurrentKeyID(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 4<<10)
	tags := map[string]string{}
	for i := range 10 {
		tags[fmt.Sprintf("%d%s", i, strings.Repeat("k", 127))] = strings.Repeat("v", 256)
	}
	many := manyMetadata(8 << 10 / 3)
	want := map[string]engine.ObjectInfo{
		"all": {
			Attributes: engine.Attributes{ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip", Expires: "0", Metadata: map[string]string{"a": "1", "b-2": "ü"}, Tags: map[string]string{"k": "v", "empty": ""}, StorageClass: "IA"},
			Encryption: engine.Encryption{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: current},
		},
		"none": {Attributes: engine.Attributes{ContentType: "application/octet-stream", StorageClass: "Standard"}},
		"long": {
			Attributes: engine.Attributes{ContentType: line, CacheControl: line, ContentDisposition: line, ContentEncoding: line, Expires: line, Metadata: map[string]string{"a": strings.Repeat("v", 8<<10-1)}, Tags: tags, StorageClass: "DeepColdArchive"},
			Encryption: engine.Encryption{ServerSideEncryption: "AES256"},
		},
		"many": {Attributes: engine.Attributes{ContentType: "application/octet-stream", StorageClass: "Standard", Metadata: many}},
	}
	for key, w := range want {
		metadata, tags := maps.Clone(w.Metadata), maps.Clone(w.Tags)
		if key == "all" {
			delete(metadata, "a")
			metadata["A"] = "1" // names come out in lower case
		}
		up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
			Bucket: "bucket", Key: key, Attributes: engine.Attributes{ContentType: strings.TrimPrefix(w.ContentType, "application/octet-stream"), CacheControl: w.CacheControl, ContentDisposition: w.ContentDisposition, ContentEncoding: w.ContentEncoding, Expires: w.Expires, Metadata: metadata, Tags: tags, StorageClass: w.StorageClass},
			EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: w.ServerSideEncryption, ServerSideEncryptionKeyID: w.ServerSideEncryptionKeyID},
		})
		if err != nil {
			t.Errorf("InitiateMultipartUpload of %s: %v", key, err)
			continue
		}
		clear(metadata) // the caller's again
		clear(tags)
		part := mustPart(t, e, "bucket", key, up.UploadID, 1, []byte("content"))
		done := mustComplete(t, e, "bucket", key, up.UploadID)
		for op, got := range map[string][2]string{
			"Initiate":   {string(up.ServerSideEncryption), up.ServerSideEncryptionKeyID},
			"UploadPart": {string(part.ServerSideEncryption), part.ServerSideEncryptionKeyID},
			"Complete":   {string(done.ServerSideEncryption), done.ServerSideEncryptionKeyID},
		} {
			if got != [2]string{string(w.ServerSideEncryption), w.ServerSideEncryptionKeyID} {
				t.Errorf("%s of %s echoes encryption %q", op, key, got)
			}
		}
		w.Bucket, w.Key, w.Size, w.ETag, w.CRC64, w.Type, w.Parts = "bucket", key, done.Size, done.ETag, done.CRC64, "Multipart", 1
		w.LastModified = done.LastModified // the time of Complete
		if !done.LastModified.After(part.LastModified) {
			t.Errorf("the object is of %s, its part of %s", done.LastModified, part.LastModified)
		}
		want[key] = w
	}
	e.Close()
	e = open(t, dir, o)
	for key, w := range want {
		got, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: key})
		if err != nil {
			t.Errorf("HeadObject of %s: %v", key, err)
			continue
		}
		if !sameInfo(got, &w) {
			t.Errorf("%s is\n%+v, want\n%+v", key, got, w)
		}
		if obj := mustGet(t, e, "bucket", key, ""); !sameInfo(&obj.ObjectInfo, &w) {
			t.Errorf("GetObject of %s says\n%+v, want\n%+v", key, obj.ObjectInfo, w)
		}
	}
}

// sameInfo compares, and takes empty maps and nil ones for the same.
func sameInfo(a, b *engine.ObjectInfo) bool {
	text := func(o *engine.ObjectInfo) string {
		c := *o
		c.LastModified = time.Time{}
		if len(c.Metadata) == 0 {
			c.Metadata = nil
		}
		if len(c.Tags) == 0 {
			c.Tags = nil
		}
		return fmt.Sprintf("%#v", c)
	}
	return text(a) == text(b) && a.LastModified.Equal(b.LastModified)
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
