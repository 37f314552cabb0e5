package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
)

func TestSmallMeasuresAll(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "small.json")
	out := mustBench(t, "small", "-n", "10", "-size", "1,100KiB", "-clients", "1,3", "-rounds", "2", "-dir", dir, "-json", file)
	wantEmptyDir(t, dir)
	for _, want := range []string{"ratio to files", "p99 µs", "disk: the disk's limit"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	r := loadReport(t, file)
	want := []string{"put, 1", "put, 100KiB", "get, 1", "get, 100KiB", "head, 1", "head, 100KiB"}
	if got := r.Groups(); !slices.Equal(got, want) {
		t.Errorf("groups are %q, want %q", got, want)
	}
	for _, group := range r.Groups() {
		contenders := []string{"gabion", "files", "disk"}
		if !strings.HasPrefix(group, smallPut) {
			contenders = contenders[:2]
		}
		if got := r.Contenders(group); !slices.Equal(got, contenders) {
			t.Errorf("%s: measured are %q, want %q", group, got, contenders)
		}
		for _, clients := range []string{"1", "3"} {
			for _, contender := range contenders {
				for _, unit := range []string{"1/s", "p50 µs", "p99 µs", "CPU µs"} {
					if s := r.Find(group, clients, contender, unit); s == nil || len(s.Values) != 2 {
						t.Errorf("%s, %s, %s, %s: %v, want two values", group, clients, contender, unit, s)
					}
				}
			}
		}
	}
}

// What is put can be had again, under its key.
func TestSmallStores(t *testing.T) {
	for _, k := range smallStores(t.Logf) {
		s, err := k.open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for i, key := range []string{"a", "b"} {
			if err := s.put(t.Context(), key, bytes.Repeat([]byte(key), 100+i)); err != nil {
				t.Fatal(err)
			}
		}
		var got bytes.Buffer
		size, err := s.head(t.Context(), "b")
		if !k.putOnly && (err != nil || size != 101) {
			t.Errorf("%s: b has %d bytes, %v", k.name, size, err)
		}
		err = s.get(t.Context(), "b", &got)
		if !k.putOnly && (err != nil || got.String() != strings.Repeat("b", 101)) {
			t.Errorf("%s: b is %q, %v", k.name, &got, err)
		}
		if _, err := s.head(t.Context(), "c"); err == nil {
			t.Errorf("%s: there is a c", k.name)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The disk's limit is found with one file a put under way, so that none grows.
func TestSmallDisk(t *testing.T) {
	dir := t.TempDir()
	s := &smallDisk{smallFiles(dir), make(chan *os.File, contest.MaxParallel)}
	for range 5 {
		if err := s.put(t.Context(), "file", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "file")); err != nil || info.Size() != 1000 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

// forgetful loses the last byte of what it gives back.
type forgetful struct{ smallFiles }

func (forgetful) head(context.Context, string) (int64, error) { return 9, nil }
func (forgetful) get(_ context.Context, _ string, w io.Writer) error {
	_, err := w.Write(make([]byte, 9))
	return err
}

func TestSmallFindsWrongSize(t *testing.T) {
	for _, op := range []string{smallGet, smallHead} {
		c := &smallCalls{calls: forgetful{}}
		err := c.call(t.Context(), op, "key", make([]byte, 10), contest.NewSink())
		if err == nil || err.Error() != "9 bytes came, must be 10" {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestSmallInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &cancelOn{text: "get, 4KiB: clients: 1", cancel: cancel}
	var out bytes.Buffer
	args := []string{"small", "-size", "4KiB", "-n", "64", "-clients", "1", "-rounds", "1", "-dir", dir}
	if status := run(ctx, args, &out, stderr); status != cli.ExitInterrupted || out.Len() > 0 {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, &out, &stderr.written)
	}
	wantEmptyDir(t, dir)
}
