package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/data"
)

// rivals runs the program in this process.
func rivals(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// open opens a contender in a temporary directory. Where there is no MinIO, its test is skipped.
func open(t *testing.T, c contender, encrypt bool) store {
	t.Helper()
	p := place{dir: t.TempDir(), encrypt: encrypt}
	if c.name == minioName {
		if p.minio = os.Getenv("GABION_MINIO"); p.minio == "" {
			t.Skip("GABION_MINIO does not name a MinIO server's binary")
		}
	}
	s, err := c.open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// smallObject is of two parts of the least size.
func smallObject(t *testing.T, round uint32) object {
	t.Helper()
	set := data.NewSet(data.JSON, 2, 5<<20)
	t.Cleanup(func() {
		if !t.Failed() { // then an upload may still be reading
			set.Close()
		}
	})
	o, err := newObject("object", set.Parts(2, round))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A fake is a store in memory that notes who is called, and can be made to lie.
type fake struct {
	name  string
	diary *diary

	wrongETag bool
	wrongByte bool

	mu      sync.Mutex
	parts   map[int][]byte
	objects int
}

// A diary is the order of uploads and downloads of several fakes.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(words ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, strings.Join(words, " "))
}

func (f *fake) contender() contender {
	return contender{name: f.name, note: "a fake", open: func(context.Context, place) (store, error) { return f, nil }}
}

func (f *fake) initiate(context.Context, string) (string, error) {
	f.diary.add(f.name, "up")
	f.parts = map[int][]byte{}
	return "id", nil
}

func (f *fake) uploadPart(_ context.Context, _, _ string, number int, body []byte) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts[number] = bytes.Clone(body)
	return "", nil
}

func (f *fake) complete(_ context.Context, key, _ string, etags []string) (string, error) {
	f.objects++
	parts := make([][]byte, len(etags))
	for i := range parts {
		parts[i] = f.parts[i+1]
	}
	o, err := newObject(key, parts)
	if f.wrongETag {
		return "x" + o.etag, err
	}
	return o.etag, err
}

func (f *fake) download(_ context.Context, _ string, w io.Writer) error {
	f.diary.add(f.name, "down")
	f.mu.Lock()
	defer f.mu.Unlock()
	for number := 1; f.parts[number] != nil; number++ {
		body := f.parts[number]
		if f.wrongByte {
			body = bytes.Clone(body)
			body[len(body)-1] ^= 1
		}
		if _, err := w.Write(body); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) remove(context.Context, string) error {
	f.objects--
	return nil
}

func (f *fake) close() error { return nil }
