package volumes_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// plainFrames opens each Badger volume in dir by Badger alone, and returns how many of the frames
// it finds there under their IDs, which must be those that were put.
func plainFrames(t *testing.T, dir string, readOnly bool, refs []blob.Ref) (n int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.badger"))
	if err != nil || len(names) == 0 {
		t.Fatalf("volumes: %v, %v", names, err)
	}
	for _, name := range names {
		db, err := badger.Open(
			badger.DefaultOptions(name).WithReadOnly(readOnly).WithLogger(nil).
				WithVerifyValueChecksum(true),
		)
		if err != nil {
			t.Fatalf("badger opens %s: %v", filepath.Base(name), err)
		}
		err = db.View(func(txn *badger.Txn) error {
			for i, ref := range refs {
				item, err := txn.Get(ref.ID[:])
				if err == badger.ErrKeyNotFound {
					continue
				}
				if err != nil {
					return err
				}
				_, want := blobtest.Frame(uint64(i), testFrameSize)
				if got, err := item.ValueCopy(nil); err != nil || !bytes.Equal(got, want) {
					t.Errorf("badger reads %d bytes of frame %d, %v", len(got), i, err)
				}
				n++
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	return n
}

// TestPlainBadger finds the frames of Badger volumes by nothing but Badger: after a Close, after a
// kill, and what lives after a Trim. A store reads all of that afterwards.
func TestPlainBadger(t *testing.T) { forWriters(t, testPlainBadger) }

func testPlainBadger(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir, killed, copied := t.TempDir(), t.TempDir(), t.TempDir()
	s := open(t, dir, small(k))
	refs := fill(t, s)
	for _, ref := range refs {
		if err := s.Sync(ctx, ref.Volume); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "sealing", func() bool { return active(t, s) <= 2 })
	copyTree(t, killed, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := plainFrames(t, dir, true, refs); n != testFrames {
		t.Errorf("after Close badger finds %d frames", n)
	}
	copyTree(t, copied, dir)
	if n := plainFrames(t, copied, false, refs); n != testFrames {
		t.Errorf("in a copy that it may write badger finds %d frames", n)
	}
	for _, dir := range []string{killed, copied, dir} {
		s := open(t, dir, small(k))
		if n := readable(t, s, refs); n != testFrames {
			t.Errorf("%d frames are readable", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := plainFrames(t, killed, true, refs); n != testFrames {
		t.Errorf("after a kill badger finds %d frames", n)
	}
	if n := plainFrames(t, killed, false, refs); n != testFrames {
		t.Errorf("after a kill, when it may write, badger finds %d frames", n)
	}
}

// TestPlainTrimmed finds by nothing but Badger what a Trim has left.
func TestPlainTrimmed(t *testing.T) { forWriters(t, testPlainTrimmed) }

func testPlainTrimmed(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, Writers: 1})
	refs := fill(t, s)
	if err := s.Seal(ctx, refs[0].Volume); err != nil {
		t.Fatal(err)
	}
	var live []blob.Ref
	for i, ref := range refs {
		if i%3 == 1 {
			live = append(live, ref)
		}
	}
	if freed, err := s.Trim(ctx, refs[0].Volume, live); err != nil || freed < 30*testFrameSize {
		t.Fatalf("Trim: %d bytes came back, %v", freed, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	only := make([]blob.Ref, len(refs)) // the others have IDs that nobody has
	for i := range refs {
		if i%3 == 1 {
			only[i] = refs[i]
		}
	}
	if n := plainFrames(t, dir, true, only); n != len(live) {
		t.Errorf("badger finds %d of %d frames that live", n, len(live))
	}
}

// TestSmallFrames puts frames of which Badger would keep the shortest with their keys, under its
// own rules, and the longest that there are. Each must lie in the value log, and be found there.
func TestSmallFrames(t *testing.T) { forWriters(t, testSmallFrames) }

func testSmallFrames(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, Writers: 1})
	var refs []blob.Ref
	var frames [][]byte
	sizes := []int{0, 1, 31, 127, 128, 16383, 16384, 1<<21 - 1, 1 << 21, blob.MaxFrameSize}
	for i, size := range sizes {
		id, frame := blobtest.Frame(uint64(i), size)
		ref, err := s.Put(ctx, id, frame)
		if err != nil {
			t.Fatal(err)
		}
		refs, frames = append(refs, ref), append(frames, frame)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Dir(onlyLog(t, dir))
	info, err := os.Stat(onlyLog(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	last := refs[len(refs)-1]
	want := int64(last.Offset) + volumes.RecordSize(volumes.Badger, int64(last.Size))
	if info.Size() != want {
		t.Errorf("the value log has %d bytes, wanted are %d", info.Size(), want)
	}
	db, err := badger.Open(badger.DefaultOptions(name).WithReadOnly(true).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(txn *badger.Txn) error {
		for i, ref := range refs {
			item, err := txn.Get(ref.ID[:])
			if err != nil {
				return err
			}
			got, err := item.ValueCopy(nil)
			if err != nil || !bytes.Equal(got, frames[i]) || item.Version() != uint64(ref.Offset) {
				t.Errorf(
					"badger reads %d bytes of a frame of %d, version %d, %v; it is at %d",
					len(got), len(frames[i]), item.Version(), err, ref.Offset,
				)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestManyFrames puts more frames than the keys of a volume may be.
func TestManyFrames(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	o := &volumes.Options{Kind: volumes.Badger, Writers: 1}
	s := open(t, dir, o)
	frames := volumes.MostFrames(volumes.Badger) + 1000
	refs := make([]blob.Ref, frames)
	errs := make(chan error)
	const workers = 64
	for w := range int64(workers) {
		go func() {
			var err error
			for i := w; i < frames && err == nil; i += workers {
				id, frame := blobtest.Frame(uint64(i), 10)
				refs[i], err = s.Put(ctx, id, frame)
			}
			errs <- err
		}()
	}
	for range workers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		infos, err := s.Volumes(ctx)
		if err != nil || len(infos) != 2 || infos[0].Frames > volumes.MostFrames(volumes.Badger) ||
			infos[0].Frames+infos[1].Frames != frames {
			t.Errorf("the volumes are %+v, %v", infos, err)
		}
		for i := 0; i < len(refs); i += 997 {
			_, want := blobtest.Frame(uint64(i), 10)
			if got, err := s.Get(ctx, refs[i], nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("frame %d: %d bytes, %v", i, len(got), err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		tables, err := filepath.Glob(filepath.Join(dir, "*.badger", "*.sst"))
		if err != nil || len(tables) != 2 {
			t.Errorf("the volumes have tables %v, %v; wanted is one each", tables, err)
		}
		s = open(t, dir, o)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMisplacedRecord has Badger put a record elsewhere than it should, as another version of it
// might. That is an error of the put, and of every later Sync, and the volume takes no more.
func TestMisplacedRecord(t *testing.T) {
	ctx := context.Background()
	s := open(t, t.TempDir(), &volumes.Options{Kind: volumes.Badger, Writers: 1})
	defer s.Close()
	put := func(seed uint64) (blob.Ref, error) {
		id, frame := blobtest.Frame(seed, 1000)
		return s.Put(ctx, id, frame)
	}
	first, err := put(1)
	if err != nil {
		t.Fatal(err)
	}
	volumes.Misplace(s, first.Volume, 1)
	if _, err := put(2); err == nil {
		t.Error("nobody has noticed")
	}
	if err := s.Sync(ctx, first.Volume); err == nil {
		t.Error("the volume was called durable")
	}
	next, err := put(3)
	if err != nil || next.Volume == first.Volume {
		t.Errorf("the next put went to volume %d, %v", next.Volume, err)
	}
	if _, err := s.Get(ctx, first, nil); err != nil {
		t.Errorf("what was put before: %v", err)
	}
}

// TestTable compares the table of the keys of a sealed volume, and the list that has it, with those
// that Badger makes of the same frames.
func TestTable(t *testing.T) { forWriters(t, testTable) }

func testTable(t *testing.T, k volumes.Kind) {
	dir, own := t.TempDir(), t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, Writers: 1})
	refs := fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := badger.OpenManaged(
		badger.DefaultOptions(own).WithLogger(nil).WithValueThreshold(0).WithCompression(options.None).
			WithBlockCacheSize(0).WithBaseTableSize(1 << 20).WithNumCompactors(0).WithCompactL0OnClose(false),
	)
	if err != nil {
		t.Fatal(err)
	}
	loader := db.NewKVLoader(1)
	for i, ref := range refs { // in the order in which their records lie in the log
		_, frame := blobtest.Frame(uint64(i), testFrameSize)
		if err := loader.Set(&pb.KV{Key: ref.ID[:], Value: frame, Version: uint64(ref.Offset)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(loader.Finish(), db.Close()); err != nil {
		t.Fatal(err)
	}
	volume := filepath.Dir(onlyLog(t, dir))
	for _, name := range []string{"000001.sst", "MANIFEST", "000001.vlog"} {
		got, err := os.ReadFile(filepath.Join(volume, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(own, name))
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "000001.vlog": // behind what is random
			got, want = got[20:], want[20:]
		case "MANIFEST": // without an empty change at its beginning
			want = slices.Delete(want, 8, 16)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes are not the %d that Badger writes", name, len(got), len(want))
		}
	}
}

// TestTableRestored leaves of what Badger has of the keys of a volume that was not sealed what a power
// loss may: nothing, a part, something else. Its table is that of a sealed one, and Badger finds every
// frame.
func TestTableRestored(t *testing.T) { forWriters(t, testTableRestored) }

func testTableRestored(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, Writers: 1})
	refs := fill(t, s)
	if err := s.Sync(ctx, refs[0].Volume); err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	copyTree(t, killed, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sealed := filesOf(t, filepath.Dir(onlyLog(t, dir)))
	table := sealed["000001.sst"]
	for name, left := range map[string]map[string][]byte{
		"as it was":           {},
		"no log of keys":      {"00001.mem": nil},
		"half a log of keys":  {"00001.mem": bytes.Repeat([]byte{1}, 100)},
		"half a table":        {"KEYS": table[:len(table)/2]},
		"a table":             {"KEYS": nil, "000001.sst": table},
		"a table that is bad": {"000001.sst": table[1:], "MANIFEST": sealed["MANIFEST"]},
		"a half list":         {"000001.sst": table, "MANIFEST": sealed["MANIFEST"][:12], "00001.mem": nil},
		"all but the footer":  {"000001.sst": table, "MANIFEST": sealed["MANIFEST"], "00001.mem": nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyTree(t, dir, killed)
			volume := filepath.Dir(onlyLog(t, dir))
			for name, data := range left {
				path := filepath.Join(volume, name)
				err := os.RemoveAll(path) // some are there only if Badger writes
				if data != nil {
					err = os.WriteFile(path, data, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := open(t, dir, nil).Close(); err != nil {
				t.Fatal(err)
			}
			restored := filesOf(t, volume)
			for _, name := range slices.Sorted(maps.Keys(sealed)) {
				if name != "KEYREGISTRY" && name != "000001.vlog" && !bytes.Equal(restored[name], sealed[name]) {
					t.Errorf("%s has %d bytes, wanted are the %d of a sealed volume", name, len(restored[name]), len(sealed[name]))
				}
			}
			if len(restored) != len(sealed) {
				t.Errorf("there are %v", slices.Sorted(maps.Keys(restored)))
			}
			if n := plainFrames(t, dir, true, refs); n != testFrames {
				t.Errorf("badger finds %d frames", n)
			}
		})
	}
}

// TestTableOfTornLog cuts the last bytes off the log of a volume that was not sealed. The record is
// no whole one any more, so Badger must not find it by the table.
func TestTableOfTornLog(t *testing.T) { forWriters(t, testTableOfTornLog) }

func testTableOfTornLog(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, Writers: 1})
	refs := fillWith(t, s, 3)
	if err := s.Sync(ctx, refs[0].Volume); err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	copyTree(t, killed, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	log := onlyLog(t, killed)
	last := refs[len(refs)-1]
	end := int64(last.Offset) + volumes.RecordSize(k, int64(last.Size))
	for cut := int64(1); cut <= 4; cut++ {
		if err := os.Truncate(log, end-cut); err != nil {
			t.Fatal(err)
		}
		torn := t.TempDir()
		copyTree(t, torn, killed)
		o := &volumes.Options{Kind: k, Alarm: func(err error) { t.Errorf("cut by %d: %v", cut, err) }}
		if err := open(t, torn, o).Close(); err != nil {
			t.Fatal(err)
		}
		table, err := os.ReadFile(filepath.Join(filepath.Dir(onlyLog(t, torn)), "000001.sst"))
		if err != nil {
			t.Fatal(err)
		}
		for i, ref := range refs {
			whole := i < len(refs)-1
			if found := bytes.Contains(table, ref.ID[:]); found != whole {
				t.Errorf("cut by %d: that the table has frame %d is %t", cut, i, found)
			}
		}
	}
}

// filesOf returns what lies in a directory of files.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
