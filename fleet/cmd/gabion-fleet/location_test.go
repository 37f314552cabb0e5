package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
)

// TestFullVolumesStay reclaims in a fleet whose volumes are full, as the command opens it: they are
// those of before, but for what is dead. By an engine's own measure all would be small.
func TestFullVolumesStay(t *testing.T) {
	database, objects := postgres.Start(t), s3server.Start(t)
	s3server.Setenv(t)
	l, err := locationOf(
		postgres.URL(database.Dir()) + "," + s3server.URL(objects.Addr, "moved") + "&volume-size=1048576",
	)
	if err != nil {
		t.Fatal(err)
	}
	e, err := l.open(t.Context(), engine.Options{ChunkSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, e)
	if _, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	for i := range 21 {
		_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{
			Bucket: bucket, Key: strconv.Itoa(i), Body: bytes.NewReader(random(uint64(i), 1<<20)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	volumes := func() []string {
		paths, err := filepath.Glob(filepath.Join(objects.Dir(), "moved/volumes/*"))
		if err != nil {
			t.Fatal(err)
		}
		return paths
	}
	before := volumes()
	if len(before) != 21 {
		t.Fatalf("there are %d volumes, want one for each object", len(before))
	}
	// Something must be dead, or no round begins: after it, all volumes are known.
	_, err = e.DeleteObject(t.Context(), &engine.DeleteObjectRequest{Bucket: bucket, Key: "0"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := e.Reclaim(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range before {
		if _, err := os.Stat(path); err != nil && path != before[0] {
			t.Errorf("a full volume is gone: %v", err)
		}
	}
	for _, path := range volumes() {
		if !slices.Contains(before, path) {
			t.Errorf("what is in full volumes was copied, to %s", path)
		}
	}
}
