package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestRelativeDirectory opens two stores by the same relative name from different working
// directories. Neither may touch the other, and both go on.
func TestRelativeDirectory(t *testing.T) {
	o := &engine.Options{ChunkSize: 64 << 10, VolumeSize: 1 << 20}
	var stores []*engine.Engine
	for s := range 2 {
		t.Chdir(t.TempDir())
		e := open(t, "data", o)
		for n := range uint64(4) {
			mustObject(t, e, "bucket", string(rune('a'+n)), "", random(uint64(s)*10+n, 900_000))
		}
		stores = append(stores, e)
	}
	for _, key := range []string{"a", "b", "c"} {
		mustDelete(t, stores[0], "bucket", key)
	}
	mustReclaim(t, stores[0])
	for s, e := range stores {
		checkStore(t, e)
		for _, v := range stats(t, e).Volumes {
			if v.Damage != nil {
				t.Errorf("store %d: volume %d: %v", s, v.ID, v.Damage)
			}
		}
		if !bytes.Equal(readAll(t, e, "bucket", "d"), random(uint64(s)*10+3, 900_000)) {
			t.Errorf("store %d: an object reads back wrong", s)
		}
		mustObject(t, e, "bucket", "e", "", random(5, 900_000))
		if err := e.Close(); err != nil {
			t.Errorf("store %d: Close: %v", s, err)
		}
	}
	e := open(t, "data", o) // by now the second one's
	if !bytes.Equal(readAll(t, e, "bucket", "a"), random(10, 900_000)) {
		t.Error("an object of the second store reads back wrong")
	}
}

// TestInUse opens what is open already, also after all lock files have been deleted, and a store of
// which only a part is open.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, nil)
	expect := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	ctx := context.Background()
	for _, what := range []string{"with lock files", "without lock files"} {
		_, err := engine.Open(ctx, dir, nil)
		expect(what, err, engine.ErrInUse)
		_, err = badger.Open(ctx, filepath.Join(dir, "index"), nil)
		expect(what, err, index.ErrInUse)
		_, err = volumes.Open(ctx, filepath.Join(dir, "volumes"), nil)
		expect(what, err, blob.ErrInUse)
		for _, in := range []string{"", "index", "volumes"} {
			if err := os.Remove(filepath.Join(dir, in, disk.LockFile)); err != nil && what == "with lock files" {
				t.Fatal(err)
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	idx, err := badger.Open(ctx, filepath.Join(dir, "index"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Open(ctx, dir, nil)
	expect("with its index open", err, engine.ErrInUse)
	if err := idx.Close(); err != nil {
		t.Fatal(err)
	}
	blobs, err := volumes.Open(ctx, filepath.Join(dir, "volumes"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Open(ctx, dir, nil)
	expect("with its volumes open", err, engine.ErrInUse)
	if err := blobs.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, nil)
}

// TestFreshVolume makes stores in directories that are not empty: beside what systems put into the
// root of a file system, but not among somebody's files.
func TestFreshVolume(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lost+found", ".snapshot", ".Trash-1000", "System Volume Information"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".DS_Store", "lost+found/#12", ".Trash-1000/large"} {
		if err := os.WriteFile(filepath.Join(dir, name), random(1, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	alone, beside := openTemp(t, nil), open(t, dir, nil)
	if a, b := stats(t, alone).DiskBytes, stats(t, beside).DiskBytes; max(a-b, b-a) > 1<<20 {
		t.Errorf("Stats counts %d bytes on disk, and %d beside what is the system's", a, b)
	}
	for _, name := range []string{"data", "lost+found2", "FORMAT2", ".hidden"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Open(context.Background(), dir, nil); !errors.Is(err, engine.ErrInvalidArgument) {
			t.Errorf("beside %s: %v", name, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("beside %s: %v, %v are there", name, entries, err)
		}
	}
}

// TestOptionsRanges gives each option values out of its range, and their neighbours. What is
// refused makes nothing.
func TestOptionsRanges(t *testing.T) {
	const chunk = engine.DefaultChunkSize
	for name, c := range map[string]struct {
		set       func(o *engine.Options, n int64)
		bad, good []int64
	}{
		"ChunkSize":    {func(o *engine.Options, n int64) { o.ChunkSize = int(n) }, []int64{-1, 1, 4095, 16<<20 + 1, math.MaxInt64}, []int64{4096, 16 << 20}},
		"MemoryBudget": {func(o *engine.Options, n int64) { o.MemoryBudget = n }, []int64{-1, 1, 4*chunk - 1, 64<<30 + 1, math.MaxInt64}, []int64{4 * chunk, 64 << 30}},
		"VolumeSize": {func(o *engine.Options, n int64) { o.VolumeSize = n },
			[]int64{-1, 1, 64 << 10, 2*chunk - 1, volumes.MaxVolumeSize + 1, 2 << 30, math.MaxInt64}, []int64{2 * chunk, volumes.MaxVolumeSize}},
		"VolumeSize, small chunks": {func(o *engine.Options, n int64) { o.ChunkSize, o.VolumeSize = 4<<10, n },
			[]int64{16 << 10, volumes.MinVolumeSize - 1}, []int64{volumes.MinVolumeSize}},
		"ReserveSpace": {func(o *engine.Options, n int64) { o.ReserveSpace = n }, []int64{-1, 1, 64<<20 - 1, volumes.MaxReserveSpace + 1, math.MaxInt64}, []int64{64 << 20}},
		"ReclaimRate":  {func(o *engine.Options, n int64) { o.ReclaimRate = n }, []int64{-1, math.MinInt64, 1<<40 + 1}, []int64{1, 1 << 40}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range c.bad {
				dir, o := filepath.Join(t.TempDir(), "store"), &engine.Options{}
				c.set(o, n)
				e, err := engine.Open(context.Background(), dir, o)
				if !errors.Is(err, engine.ErrInvalidArgument) {
					t.Errorf("%d: %v", n, err)
				}
				if err == nil {
					e.Close()
				}
				if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%d: something was made: %v", n, err)
				}
			}
			for _, n := range c.good {
				o := &engine.Options{}
				c.set(o, n)
				openTemp(t, o)
			}
		})
	}
	if _, err := engine.Open(context.Background(), "", nil); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("without a directory: %v", err)
	}
}

// TestSmallerVolumes opens a store of large chunks with volumes that are smaller than each of them:
// they can be moved all the same.
func TestSmallerVolumes(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, &engine.Options{ChunkSize: 4 << 20})
	for n := range uint64(4) {
		mustObject(t, e, "bucket", string(rune('a'+n)), "", random(n, 4<<20))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, &engine.Options{ChunkSize: 64 << 10, VolumeSize: 1 << 20})
	engine.WithoutHoles(e) // which would move nothing
	for _, key := range []string{"a", "b", "c"} {
		mustDelete(t, e, "bucket", key)
	}
	mustReclaim(t, e)
	if s := stats(t, e); s.DeadBytes > 0 {
		t.Errorf("%d bytes are dead still", s.DeadBytes)
	}
	if !bytes.Equal(readAll(t, e, "bucket", "d"), random(3, 4<<20)) {
		t.Error("what was moved reads back wrong")
	}
}

// TestLostIndex opens a directory that has lost its index and what it is, but not its volumes. To a
// new index all of them were garbage.
func TestLostIndex(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, nil)
	mustObject(t, e, "bucket", "key", "", random(1, 300_000))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "FORMAT")), os.RemoveAll(filepath.Join(dir, "index"))); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "volumes", "0*")
	before, _ := filepath.Glob(logs)
	for range 2 {
		e, err := engine.Open(context.Background(), dir, nil)
		if !isCorruption(err) {
			t.Errorf("Open: %v", err)
		}
		if err == nil {
			mustReclaim(t, e)
			e.Close()
		}
	}
	if after, _ := filepath.Glob(logs); len(before) == 0 || len(after) != len(before) {
		t.Errorf("the volumes are %v, they were %v", after, before)
	}
}
