package volumes_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestCrashImage opens a copy of the files as they were right after a Sync, without a Close: what
// a killed process leaves behind.
func TestCrashImage(t *testing.T) { forKinds(t, testCrashImage) }

func testCrashImage(t *testing.T, k volumes.Kind) {
	dir, image := t.TempDir(), t.TempDir()
	s := open(t, dir, small(k))
	refs := fill(t, s)
	if err := s.Sync(context.Background(), refs[len(refs)-1].Volume); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "sealing", func() bool { return active(t, s) <= small(k).Writers })
	copyTree(t, image, dir)
	live, err := s.Volumes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, image, small(k))
	defer s.Close()
	if n := readable(t, s, refs); n != len(refs) {
		t.Errorf("%d of %d frames are readable", n, len(refs))
	}
	recovered, err := s.Volumes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range recovered {
		if v.Active || v.Damage != nil || v.Bytes != live[i].Bytes || v.Frames != live[i].Frames {
			t.Errorf("volume was %+v, recovered is %+v", live[i], v)
		}
	}
}

// TestTornTail cuts the log of an unsealed volume anywhere: the open must not fail, and what lies
// before the cut must read back.
func TestTornTail(t *testing.T) { forKinds(t, testTornTail) }

func testTornTail(t *testing.T, k volumes.Kind) {
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, VolumeSize: 32 << 20, Writers: 1})
	defer s.Close()
	refs := fill(t, s)
	start, room := volumes.Start(k), roomOf(k)
	for _, keep := range []int64{
		0, 1, 21, 43, 44, 49, start + room, start + 5*room + room/2, start + 10*room - 1, 1 << 40,
	} {
		image := t.TempDir()
		copyTree(t, image, dir)
		log := onlyLog(t, image)
		info, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(log, min(keep, info.Size())); err != nil {
			t.Fatal(err)
		}
		o := small(k)
		o.Alarm = func(err error) { t.Errorf("cut at %d: %v", keep, err) }
		torn := open(t, image, o)
		whole := min(max(keep-start, 0)/room, testFrames)
		if n := readable(t, torn, refs); int64(n) < whole {
			t.Errorf("cut at %d: %d frames are readable, wanted at least %d", keep, n, whole)
		} else {
			counted := int64(0)
			infos, err := torn.Volumes(context.Background())
			for _, v := range infos {
				counted += v.Frames
			}
			if err != nil || counted != int64(n) {
				t.Errorf("cut at %d: %d frames are counted, %v, readable are %d", keep, counted, err, n)
			}
		}
		if err := torn.Close(); err != nil {
			t.Errorf("cut at %d: Close: %v", keep, err)
		}
	}
}

// roomOf is what a frame takes in the log when it is put alone.
func roomOf(k volumes.Kind) int64 {
	room := volumes.RecordSize(k, testFrameSize)
	if k == volumes.Log {
		room = disk.RoundUp(room)
	}
	return room
}

// TestHoles opens what a power loss can leave of an unsealed volume: any batch may be missing, and
// those behind it were written, and synced, before it. A header that is damaged on top may cost the
// accounts a frame, but must not cost the frame.
func TestHoles(t *testing.T) { forKinds(t, testHoles) }

func testHoles(t *testing.T, k volumes.Kind) {
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, VolumeSize: 32 << 20, Writers: 1})
	defer s.Close()
	refs := fill(t, s)
	for _, hole := range []int{0, testFrames / 2, testFrames - 1} {
		for _, header := range []int{-1, 0, testFrames - 1} {
			image := t.TempDir()
			copyTree(t, image, dir)
			f, err := os.OpenFile(onlyLog(t, image), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(make([]byte, roomOf(k)), int64(refs[hole].Offset)); err != nil {
				t.Fatal(err)
			}
			counted := testFrames - 1
			if header >= 0 && header != hole {
				counted--
				if _, err := f.WriteAt([]byte{0x55}, int64(refs[header].Offset)+2); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // recovered, and then as it was sealed
				holed := open(t, image, small(k))
				if n := readable(t, holed, refs); n != testFrames-1 {
					t.Errorf("without frame %d and header %d: %d frames are readable", hole, header, n)
				}
				infos, err := holed.Volumes(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if v := infos[0]; v.Frames != int64(counted) || v.Bytes != int64(counted*testFrameSize) {
					t.Errorf("without frame %d and header %d: the volume is said to hold %d frames and %d bytes, wanted are %d frames", hole, header, v.Frames, v.Bytes, counted)
				}
				if err := holed.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestZeroSum damages the header of the last frame of an unsealed volume. Of its checksum, which is
// all that lies in the last block, the end is zero, as what follows is: the footer must not be
// written over it.
func TestZeroSum(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: volumes.Log, VolumeSize: 32 << 20, Writers: 1})
	defer s.Close()
	const size = disk.BlockSize + 1 - 48 // what a record has beside the frame
	var frame []byte
	var ref blob.Ref
	for seed, zero := uint64(0), false; !zero; seed++ {
		var id blob.ID
		id, frame = blobtest.Frame(seed, size)
		var err error
		if ref, err = s.Put(context.Background(), id, frame); err != nil {
			t.Fatal(err)
		}
		log, err := os.Open(onlyLog(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		end := make([]byte, 1)
		_, err = log.ReadAt(end, int64(ref.Offset)+disk.BlockSize)
		if err := errors.Join(err, log.Close()); err != nil {
			t.Fatal(err)
		}
		zero = end[0] == 0
	}
	image := t.TempDir()
	copyTree(t, image, dir)
	f, err := os.OpenFile(onlyLog(t, image), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{0x55}, int64(ref.Offset)+17)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	damaged := open(t, image, small(volumes.Log))
	defer damaged.Close()
	if got, err := damaged.Get(context.Background(), ref, nil); err != nil || !bytes.Equal(got, frame) {
		t.Errorf("the frame was lost with its header: %d bytes, %v", len(got), err)
	}
}

// TestEmptyVolume kills a store between the creation of a volume and its first batch.
func TestEmptyVolume(t *testing.T) { forKinds(t, testEmptyVolume) }

func testEmptyVolume(t *testing.T, k volumes.Kind) {
	dir := t.TempDir()
	for name, size := range map[string]int64{
		"0000000000000005.badger/": 0, "0000000000000006.badger/MANIFEST": 16,
		"0000000000000007.badger/000001.vlog": 0, "0000000000000008.badger/000001.vlog": 8 << 20,
		"0000000000000007.log": 0, "0000000000000008.log": 8 << 20, "0000000000000008.dead/000001.vlog": 1,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o777); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, small(k))
	defer s.Close()
	infos, err := s.Volumes(context.Background())
	if err != nil || len(infos) != 0 {
		t.Errorf("volumes: %v, %v", infos, err)
	}
	id, frame := blobtest.Frame(1, 1000)
	ref, err := s.Put(context.Background(), id, frame)
	if err != nil || ref.Volume <= 8 {
		t.Errorf("the next volume is %d, %v: numbers must not come again", ref.Volume, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "0*")); err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, %v; wanted is one volume", left, err)
	}
}

// copyTree copies a directory, holes included, as a snapshot of the file system would.
func copyTree(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(to, "copy"), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(to, "copy"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(to, "copy", e.Name()), filepath.Join(to, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(to, "copy")); err != nil {
		t.Fatal(err)
	}
}
