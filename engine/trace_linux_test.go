package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/faulttest"
)

// traceMark is what the names of files begin with that are not there, and that are opened to say in
// a trace what comes next.
const traceMark = "/gabion-trace: "

const (
	traceVariable     = "GABION_TRACE_STORE"
	traceKindVariable = "GABION_TRACE_KIND"
)

// tracedCalls are the system calls that change what is on disk, and mmap, which says what msync is
// of. Not among them is sync_file_range, which makes nothing durable.
const tracedCalls = "openat,mkdirat,renameat,renameat2,unlinkat,ftruncate,fallocate,write,pwrite64,pwritev,io_submit," +
	"fsync,fdatasync,msync,mmap"

// TestTraceChild is the process that is traced: it makes one mutation after another, each once the
// one before is done.
func TestTraceChild(t *testing.T) {
	dir := os.Getenv(traceVariable)
	if dir == "" {
		t.Skip("runs only as a child of another test")
	}
	ctx := context.Background()
	ring, err := keysAt(filepath.Join(filepath.Dir(dir), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	o := &engine.Options{
		Keys: ring, ChunkSize: 128 << 10, Volumes: engine.VolumeKind(os.Getenv(traceKindVariable)),
	}
	var e *engine.Engine
	var id string
	reclaim := func() error {
		_, err := e.Reclaim(ctx, nil)
		return err
	}
	deleteObjects := func(keys ...string) func() error {
		return func() error {
			_, err := e.DeleteObjects(ctx, &engine.DeleteObjectsRequest{Bucket: "bucket", Keys: keys})
			return err
		}
	}
	small, large := random(1, 1000), random(2, 300_000)
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"Open of a new store", func() (err error) {
			if e, err = engine.Open(ctx, dir, o); err == nil {
				engine.StopSweeper(e)
			}
			return err
		}},
		{"CreateBucket", func() error {
			_, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "bucket"})
			return err
		}},
		{"PutObject of a small body", func() error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "small", Body: bytes.NewReader(small)})
			return err
		}},
		{"PutObject of a large body", func() error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "large", Body: bytes.NewReader(large)})
			return err
		}},
		{"PutObject of a large body that is stored already", func() error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "again", Body: bytes.NewReader(large)})
			return err
		}},
		{"InitiateMultipartUpload", func() error {
			res, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "upload"})
			if err == nil {
				id = res.UploadID
			}
			return err
		}},
		{"UploadPart", func() error {
			_, err := e.UploadPart(ctx, &engine.UploadPartRequest{
				Bucket: "bucket", Key: "upload", UploadID: id, PartNumber: 1, Body: bytes.NewReader(random(3, 120_000)),
			})
			return err
		}},
		{"UploadPartCopy by reference", func() error {
			_, err := e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
				Bucket: "bucket", Key: "upload", UploadID: id, PartNumber: 2, SourceBucket: "bucket", SourceKey: "large",
			})
			return err
		}},
		{"CompleteMultipartUpload", func() error {
			_, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "upload", UploadID: id, All: true})
			return err
		}},
		{"CopyObject by reference", func() error {
			_, err := e.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "upload"})
			return err
		}},
		{"InitiateMultipartUpload", func() error {
			res, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "aborted"})
			if err == nil {
				id = res.UploadID
			}
			return err
		}},
		{"AbortMultipartUpload", func() error {
			_, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "aborted", UploadID: id})
			return err
		}},
		{"PutObject of what is deleted next", func() error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "dead", Body: bytes.NewReader(random(4, 2_000_000))})
			return err
		}},
		{"DeleteObject", func() error {
			_, err := e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: "bucket", Key: "dead"})
			return err
		}},
		{"Reclaim, which seals a volume and punches holes into it", reclaim},
		{"DeleteObjects", deleteObjects("upload", "copy")},
		{"Reclaim without holes, which moves what lives", func() error {
			engine.WithoutHoles(e)
			return reclaim()
		}},
		{"DeleteObjects", deleteObjects("large", "again")},
		{"Reclaim, which removes the volume", reclaim},
		{"Close", func() error { return e.Close() }},
		{"Open", func() (err error) {
			if e, err = engine.Open(ctx, dir, o); err == nil {
				engine.StopSweeper(e)
			}
			return err
		}},
		{"Close of what was not changed", func() error { return e.Close() }},
		{"end", func() error { return nil }},
	} {
		if f, err := os.Open(traceMark + step.name); err == nil {
			f.Close()
		}
		if err := step.do(); err != nil {
			fmt.Printf("%s: %v\n", step.name, err)
		}
	}
}

// TestTrace pins the order in which each mutation creates, writes, syncs, renames and removes, as
// strace sees it: what is named is durable before its name is. Each line of testdata/trace-*.txt is
// one call, or several of the same kind one after another. What is written to the index's logs, and
// through memory maps, does not show; its sync does.
// With -update it is written anew.
func TestTrace(t *testing.T) { forVolumeKinds(t, testTrace) }

func testTrace(t *testing.T, k engine.VolumeKind) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "store")
	c := &faulttest.Child{Args: []string{"-test.run=^TestTraceChild$"}, Env: []string{
		traceVariable + "=" + dir, traceKindVariable + "=" + string(k),
		"GOMAXPROCS=1", // a volume for each processor takes what comes, which is any of them
	}}
	told, text := c.Trace(t, "-y", "-v", "-s", "300", "-e", "trace="+tracedCalls)
	if strings.TrimSpace(told) != "PASS" {
		t.Fatalf("the child says %s", told)
	}
	trace := newTrace(dir)
	for line := range strings.Lines(text) {
		trace.line(line)
	}
	got := trace.text.String()
	path := "testdata/trace-" + string(k) + ".txt"
	if *updateTexts {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	diffLines(t, path, string(want), got)
}
