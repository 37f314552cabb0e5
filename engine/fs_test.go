package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// putKey stores an object, and makes the bucket if there is none.
func putKey(t testing.TB, e *engine.Engine, key string, body []byte) {
	t.Helper()
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: key, Body: bytes.NewReader(body)})
}

// notShown are keys that are no paths, or hidden by a directory of that name.
var notShown = []string{
	"/", "/a", "//", "./a", ".", "..", "../a", "a//b", "a/", "a/./b", "a/../b", "a/.",
	"dir", "dir/sub",
}

// TestFS holds the file system to what testing/fstest demands, over keys of all kinds: those that
// are paths are shown, and the others are not.
func TestFS(t *testing.T) {
	// Under S3's rules any text is a key. The chunks are small since all is read byte by byte.
	e := openTemp(t, &engine.Options{Rules: engine.S3, ChunkSize: 16 << 10})
	shown := []string{
		"a!", "a.txt", "a0", "big", "dir!", "dir.d/x", "dir/file", "dir/sub.txt", "dir/sub/deep/est",
		"empty", "z é/ü", ".hidden", "...",
	}
	for _, key := range append(slices.Clone(notShown), shown...) {
		putKey(t, e, key, []byte("content of "+key))
	}
	putKey(t, e, "empty", nil)
	putKey(t, e, "big", random(1, 50<<10))
	fsys := e.FS(t.Context(), "bucket")
	if err := fstest.TestFS(fsys, shown...); err != nil {
		t.Error(err)
	}
	var files, dirs []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, name)
		} else {
			files = append(files, name)
		}
		return err
	})
	slices.Sort(shown)
	slices.Sort(files)
	if err != nil || !slices.Equal(files, shown) {
		t.Errorf("there are the files %q (%v), want %q", files, err, shown)
	}
	want := []string{".", "a", "dir", "dir/sub", "dir/sub/deep", "dir.d", "z é"}
	if !slices.Equal(dirs, want) {
		t.Errorf("there are the directories %q, want %q", dirs, want)
	}
}

// TestFSPages reads a directory of more than one page of the engine's listing. The file "n" comes
// in the first page, and the directory that hides it in the second.
func TestFSPages(t *testing.T) {
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var want []string
	for i := range engine.MaxListing + 100 {
		name := fmt.Sprintf("n%c%d", '!', i)
		putKey(t, e, name, nil)
		want = append(want, name)
	}
	putKey(t, e, "n", nil)
	putKey(t, e, "n/below", nil)
	putKey(t, e, "o", nil)
	want = append(want, "n", "o")
	slices.Sort(want)
	for _, n := range []int{-1, 1, 7, engine.MaxListing, engine.MaxListing + 1} {
		opened, err := e.FS(t.Context(), "bucket").Open(".")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			entries, err := opened.(fs.ReadDirFile).ReadDir(n)
			if n > 0 && (len(entries) > n || len(entries) == 0 && err != io.EOF) {
				t.Fatalf("ReadDir(%d) gives %d entries, %v", n, len(entries), err)
			}
			for _, entry := range entries {
				got = append(got, entry.Name())
				if entry.IsDir() != (entry.Name() == "n") {
					t.Errorf("ReadDir(%d): a directory is %q: %t", n, entry.Name(), entry.IsDir())
				}
			}
			if len(entries) == 0 {
				break
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("ReadDir(%d) gives %d names in all, want %d", n, len(got), len(want))
		}
	}
}

// TestFSErrors: users of package io/fs tell failures apart by its own errors, and find the
// engine's.
func TestFSErrors(t *testing.T) {
	e := openTemp(t, nil)
	putKey(t, e, "file", nil)
	putKey(t, e, "dir/file", nil)
	key := crypto.CustomerKey(random(1, crypto.CustomerKeySize))
	mustPut(t, e, engine.PutObjectRequest{
		Bucket: "bucket", Key: "locked",
		EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: key},
	})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx          context.Context
		bucket, name string
		is           error
		code         *engine.Error // nil where the engine was not asked
	}{
		{t.Context(), "bucket", "none", fs.ErrNotExist, engine.ErrNoSuchKey},
		{t.Context(), "bucket", "file/none", fs.ErrNotExist, engine.ErrNoSuchKey},
		{t.Context(), "bucket", `\file`, fs.ErrNotExist, engine.ErrInvalidObjectName},
		{t.Context(), "bucket", strings.Repeat("k", 5000), fs.ErrNotExist, engine.ErrInvalidObjectName},
		{t.Context(), "absent", ".", fs.ErrNotExist, engine.ErrNoSuchBucket},
		{t.Context(), "absent", "file", fs.ErrNotExist, engine.ErrNoSuchBucket},
		{t.Context(), "No Bucket", "file", fs.ErrNotExist, engine.ErrInvalidBucketName},
		{t.Context(), "bucket", "locked", fs.ErrPermission, engine.ErrInvalidRequest},
		{t.Context(), "bucket", "/file", fs.ErrInvalid, nil},
		{t.Context(), "bucket", "dir/../file", fs.ErrInvalid, nil},
		{t.Context(), "bucket", "dir/", fs.ErrInvalid, nil},
		{t.Context(), "bucket", "", fs.ErrInvalid, nil},
		{ended, "bucket", "file", context.Canceled, engine.ErrRequestTimeout},
	} {
		fsys := e.FS(c.ctx, c.bucket)
		_, opened := fsys.Open(c.name)
		_, stat := fsys.Stat(c.name)
		_, read := fsys.ReadFile(c.name)
		_, list := fsys.ReadDir(c.name)
		for _, err := range []error{opened, stat, read, list} {
			var of *fs.PathError
			if !errors.As(err, &of) || of.Path != c.name || !errors.Is(err, c.is) {
				t.Errorf("%s/%.20s: %v, want a PathError that is %v", c.bucket, c.name, err, c.is)
			}
			if c.code != nil && !errors.Is(err, c.code) {
				t.Errorf("%s/%.20s: %v, want %s", c.bucket, c.name, err, c.code.Code)
			}
		}
	}
	fsys := e.FS(t.Context(), "bucket")
	if _, err := fsys.ReadDir("file"); err == nil {
		t.Error("a file is listed as a directory")
	}
	if _, err := fsys.ReadFile("dir"); err == nil {
		t.Error("a directory is read as a file")
	}
}

// TestFSFile: what is open stays as it was, and its space comes back when it is closed.
func TestFSFile(t *testing.T) {
	e := openTemp(t, nil)
	body := random(1, 3<<20)
	mustObject(t, e, "bucket", "dir/file", "", body)
	opened, err := e.FS(t.Context(), "bucket").Open("dir/file")
	if err != nil {
		t.Fatal(err)
	}
	info, err := opened.Stat()
	if err != nil {
		t.Fatal(err)
	}
	object, ok := info.Sys().(*engine.ObjectInfo)
	if !ok || object.Key != "dir/file" || object.ETag == "" || info.Name() != "file" {
		t.Errorf("Stat says %+v of %q", info.Sys(), info.Name())
	}
	mustDelete(t, e, "bucket", "dir/file")
	if tallyOf(t, e) == (tally{}) {
		t.Error("the chunks of an open file are gone")
	}
	var got bytes.Buffer
	if _, err := opened.(io.WriterTo).WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), body) {
		t.Errorf("WriteTo gives %d bytes, %v", got.Len(), err)
	}
	some := make([]byte, 100)
	_, err = opened.(io.ReaderAt).ReadAt(some, 2<<20)
	if err != nil || !bytes.Equal(some, body[2<<20:][:100]) {
		t.Errorf("ReadAt: %v, or other bytes", err)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	if left := tallyOf(t, e); left != (tally{}) {
		t.Errorf("after Close there is left %+v", left)
	}
	if _, err := opened.Read(some); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
}

// TestFSServesHTTP serves a bucket with net/http alone.
func TestFSServesHTTP(t *testing.T) {
	e := openTemp(t, nil)
	body := random(1, 3<<20)
	mustObject(t, e, "bucket", "dir/file.bin", "", body)
	putKey(t, e, "dir/page.html", []byte("<p>"))
	info, err := e.HeadObject(t.Context(), &engine.HeadObjectRequest{
		Bucket: "bucket", Key: "dir/file.bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	modified := info.LastModified.UTC().Format(http.TimeFormat)
	handler := http.FileServerFS(e.FS(t.Context(), "bucket"))
	for _, c := range []struct {
		method, path, header, value string
		status                      int
		body                        []byte
	}{
		{"GET", "/dir/file.bin", "", "", 200, body},
		{"HEAD", "/dir/file.bin", "", "", 200, nil},
		{"GET", "/dir/file.bin", "Range", "bytes=1048570-2097160", 206, body[1048570:2097161]},
		{"GET", "/dir/file.bin", "Range", "bytes=-5", 206, body[len(body)-5:]},
		{"GET", "/dir/file.bin", "Range", "bytes=9999999-", 416, nil},
		{"GET", "/dir/file.bin", "If-Modified-Since", modified, 304, nil},
		{"GET", "/dir/file.bin", "If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT", 412, nil},
		{"GET", "/dir", "", "", 301, nil},
		{"GET", "/dir/", "", "", 200, nil},
		{"GET", "/dir/none", "", "", 404, nil},
		{"GET", "/dir/file.bin/none", "", "", 404, nil},
		{"GET", "/dir/../../file", "", "", 404, nil},
	} {
		req := httptest.NewRequest(c.method, c.path, nil)
		if c.header != "" {
			req.Header.Set(c.header, c.value)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, req)
		what := fmt.Sprintf("%s %s %s: %s", c.method, c.path, c.header, c.value)
		if answer.Code != c.status {
			t.Errorf("%s: status %d, want %d", what, answer.Code, c.status)
		}
		if c.body != nil && !bytes.Equal(answer.Body.Bytes(), c.body) {
			t.Errorf("%s: %d bytes, or not the right ones", what, answer.Body.Len())
		}
		if got := answer.Header().Get("Last-Modified"); c.body != nil && got != modified {
			t.Errorf("%s: Last-Modified is %q, want %q", what, got, modified)
		}
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "/dir/", nil))
	for _, name := range []string{"file.bin", "page.html"} {
		if !strings.Contains(answer.Body.String(), name) {
			t.Errorf("the list of the directory is without %s: %s", name, answer.Body)
		}
	}
}

// TestFSKeys has the key provider refuse the key of an object, in every way that it can.
func TestFSKeys(t *testing.T) {
	h := &hookedKeys{KeyProvider: keys(t)}
	s := inMemory(t, engine.Options{Keys: h})
	e := mustOpen(t, s)
	mustObject(t, e, "bucket", "sealed", "AES256", random(1, 1000))
	mustClose(t, e)
	for _, refusal := range []error{
		crypto.ErrKeyNotFound, crypto.ErrKeyDisabled, crypto.ErrKeyPendingDeletion, crypto.ErrKeyPendingImport, crypto.ErrAccessDenied,
	} {
		e := mustOpen(t, s) // which has no key in memory
		h.unwrap = func(string) error { return refusal }
		_, err := e.FS(t.Context(), "bucket").Open("sealed")
		if !errors.Is(err, fs.ErrPermission) || !errors.Is(err, refusal) {
			t.Errorf("Open: %v, want fs.ErrPermission of %v", err, refusal)
		}
		mustClose(t, e)
	}
}
