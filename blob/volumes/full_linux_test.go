package volumes_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// TestFullDisk fills a small file system to its last byte, first with frames and then, as others
// might, with something else. Refusals must be ErrNoSpace, what was put before must be made durable
// and read back, and the blocks that sealing needs must have been set aside: no alarm may be
// raised. Of small frames there are many, and what sealing needs grows with their number.
func TestFullDisk(t *testing.T) {
	forKinds(t, func(t *testing.T, k volumes.Kind) {
		t.Run("large frames", func(t *testing.T) { testFullDisk(t, k, 64<<20, testFrameSize) })
		t.Run("small frames", func(t *testing.T) { testFullDisk(t, k, 4<<20, 100) })
	})
}

func testFullDisk(t *testing.T, k volumes.Kind, size, frameSize int) {
	dir := disktest.Mount(t, "tmpfs", int64(size))
	ctx := context.Background()
	o := &volumes.Options{Kind: k, VolumeSize: 24 << 20, Writers: 1, ReserveSpace: 1, Alarm: func(err error) { t.Errorf("alarm: %v", err) }}
	s := open(t, dir, o)
	var refs []blob.Ref
	for full := false; !full; {
		id, frame := blobtest.Frame(uint64(len(refs)), frameSize)
		ref, err := s.Put(ctx, id, frame)
		switch full = err != nil; {
		case !full:
			refs = append(refs, ref)
		case !errors.Is(err, blob.ErrNoSpace):
			t.Errorf("a put was refused with %v", err)
		}
		if len(refs)*frameSize > size {
			t.Fatal("the disk does not fill up")
		}
	}
	last := refs[len(refs)-1].Volume
	for _, ref := range refs {
		if ref.Volume == last {
			break // it takes more, if there were room, and has what sealing needs
		}
		if err := s.Seal(ctx, ref.Volume); err != nil { // it goes on in the background
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), make([]byte, size), 0o666); !disk.IsNoSpace(err) {
		t.Fatalf("filling the rest: %v", err)
	}
	for _, ref := range refs {
		if err := s.Sync(ctx, ref.Volume); err != nil {
			t.Errorf("Sync: %v", err)
		}
	}
	for range 2 {
		if n := readable(t, s, refs); n != len(refs) {
			t.Errorf("%d of %d frames are readable", n, len(refs))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		s = open(t, dir, o)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// fileSystems are those that a test fills.
var fileSystems = []string{"tmpfs", "ext4", "xfs", "btrfs"}

// TestFilled has others fill a file system to its last block while volumes take frames. Puts are taken
// or refused; what was put is made durable, sealed and read, and the process does not die.
func TestFilled(t *testing.T) {
	forKinds(t, func(t *testing.T, k volumes.Kind) {
		for _, fs := range fileSystems {
			t.Run(fs, func(t *testing.T) { testFilled(t, k, disktest.Mount(t, fs, 320<<20)) })
		}
	})
}

func testFilled(t *testing.T, k volumes.Kind, mount string) {
	ctx := context.Background()
	dir, foreign := filepath.Join(mount, "store"), filepath.Join(mount, "foreign")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	o := &volumes.Options{
		Kind: k, VolumeSize: 8 << 20, Writers: 1, ReserveSpace: 1,
		Alarm: func(err error) { t.Errorf("alarm: %v", err) },
	}
	s := open(t, dir, o)
	volumes.IgnoreSpace(s)
	var refs []blob.Ref
	for n := range 400 {
		if n == 50 {
			disktest.TakeAll(t, foreign)
		}
		id, frame := blobtest.Frame(uint64(len(refs)), testFrameSize/4)
		ref, err := s.Put(ctx, id, frame)
		if err == nil {
			err = s.Sync(ctx, ref.Volume)
		}
		switch {
		case err == nil:
			refs = append(refs, ref)
		case n < 50 || !errors.Is(err, blob.ErrNoSpace):
			t.Fatalf("Put or Sync %d: %v", n, err)
		}
	}
	t.Logf("%d frames were taken", len(refs))
	if n := readable(t, s, refs); n != len(refs) {
		t.Errorf("%d of %d frames are readable", n, len(refs))
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close on a full disk: %v", err)
	}
	disktest.GiveBack(t, foreign)
	s = open(t, dir, o)
	if n := readable(t, s, refs); n != len(refs) {
		t.Errorf("%d of %d frames are readable after Close", n, len(refs))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestBeginFilled has others fill a file system to its last block, and leave one block after the
// other. Each put to a store without a volume is refused, and leaves nothing that adds up, until one is
// taken.
func TestBeginFilled(t *testing.T) {
	forKinds(t, func(t *testing.T, k volumes.Kind) {
		for _, fs := range fileSystems {
			t.Run(fs, func(t *testing.T) { testBeginFilled(t, k, disktest.Mount(t, fs, 320<<20)) })
		}
	})
}

func testBeginFilled(t *testing.T, k volumes.Kind, mount string) {
	ctx := context.Background()
	dir, foreign := filepath.Join(mount, "store"), filepath.Join(mount, "foreign")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, &volumes.Options{Kind: k, Writers: 1, ReserveSpace: 1})
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	volumes.IgnoreSpace(s)
	disktest.TakeAll(t, foreign)
	info, err := os.Stat(foreign)
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	id, frame := blobtest.Frame(1, testFrameSize)
	var ref blob.Ref
	for left, step := info.Size(), int64(disk.BlockSize); ; left -= step {
		ref, err = s.Put(ctx, id, frame)
		if err == nil {
			break
		}
		if !errors.Is(err, blob.ErrNoSpace) || left < step {
			t.Fatalf("Put: %v, want ErrNoSpace until there is space", err)
		}
		if info.Size()-left > 64*disk.BlockSize {
			step = 1 << 20
		}
		if err := os.Truncate(foreign, left-step); err != nil {
			t.Fatal(err)
		}
	}
	if after := runtime.NumGoroutine(); after > before+20 { // which Badger has
		t.Errorf("there are %d goroutines, were %d", after, before)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "0*")); err != nil || len(files) != 1 {
		t.Errorf("there are %v, %v, wanted is one volume", files, err)
	}
	if got, err := s.Get(ctx, ref, nil); err != nil || !bytes.Equal(got, frame) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
}

// TestRecoverFilled opens a volume that was not sealed on a disk without a free block. What was set
// aside for the table of its keys is given back before that is made anew, so there is room for it.
func TestRecoverFilled(t *testing.T) { forWriters(t, testRecoverFilled) }

func testRecoverFilled(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	running := t.TempDir()
	s := open(t, running, &volumes.Options{Kind: k, Writers: 1})
	defer s.Close()
	refs := fillWith(t, s, 3)
	if err := s.Sync(ctx, refs[0].Volume); err != nil {
		t.Fatal(err)
	}
	const size = 32 << 20
	dir := disktest.Mount(t, "tmpfs", size)
	copyTree(t, dir, running)
	volume := filepath.Dir(onlyLog(t, dir))
	// What the log has set aside would be given back first.
	last := refs[len(refs)-1]
	end := int64(last.Offset) + volumes.RecordSize(k, int64(last.Size))
	if err := os.Truncate(onlyLog(t, dir), end); err != nil {
		t.Fatal(err)
	}
	// The copy has the file, and not its blocks.
	spare, err := os.OpenFile(filepath.Join(volume, "KEYS"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(disk.Preallocate(spare, 0, 128<<10), spare.Close()); err != nil {
		t.Fatal(err)
	}
	other := os.WriteFile(filepath.Join(dir, "other"), make([]byte, size), 0o666)
	if !disk.IsNoSpace(other) {
		t.Fatalf("filling the rest: %v", other)
	}
	o := &volumes.Options{Kind: k, Alarm: func(err error) { t.Errorf("alarm: %v", err) }}
	full := open(t, dir, o)
	if n := readable(t, full, refs); n != len(refs) {
		t.Errorf("%d of %d frames are readable", n, len(refs))
	}
	if err := full.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(volume, "VOLUME")); err != nil {
		t.Errorf("the volume has no footer: %v", err)
	}
}

// TestFewInodes has bytes left, but hardly an inode.
func TestFewInodes(t *testing.T) { forKinds(t, testFewInodes) }

func testFewInodes(t *testing.T, k volumes.Kind) {
	s := open(t, disktest.Mount(t, "tmpfs", 24<<20, "nr_inodes=100"), &volumes.Options{Kind: k, ReserveSpace: 1})
	defer s.Close()
	id, frame := blobtest.Frame(1, 1000)
	if _, err := s.Put(context.Background(), id, frame); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("Put: %v", err)
	}
}
