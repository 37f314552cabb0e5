package volumes_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestTrimReopened trims every volume of a store, each second frame staying, and looks at the disk,
// which must have what the store says; and at the store when it is opened again, also without one
// footer, as after a crash before it was written.
func TestTrimReopened(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, small)
	refs := fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cutFooter(t, dir)
	s = open(t, dir, small)
	live := map[uint64][]blob.Ref{}
	for i, ref := range refs {
		if i%2 == 0 {
			live[ref.Volume] = append(live[ref.Volume], ref)
		}
	}
	for volume, refs := range live {
		if _, err := s.Trim(ctx, volume, refs); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		infos, err := s.Volumes(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var said, frames int64
		for _, v := range infos {
			said += v.DiskBytes
			frames += v.Frames
		}
		if used, err := disk.Usage(filepath.Join(dir)); err != nil || said > used || said < used-(64<<10) {
			t.Errorf("the volumes are said to occupy %d bytes, the directory has %d, %v", said, used, err)
		}
		perVolume := len(infos) * 4 * disk.BlockSize // its footer, and where a file system notes the holes
		if want := int64(testFrames/2*(testFrameRoom+3*disk.BlockSize) + perVolume); said > want {
			t.Errorf("half of the frames occupy %d bytes, wanted are %d", said, want)
		}
		if frames != testFrames {
			t.Errorf("%d frames are accounted for, put were %d", frames, testFrames)
		}
		for i, ref := range refs {
			if i%2 == 0 {
				_, want := blobtest.Frame(uint64(i), testFrameSize)
				if got, err := s.Get(ctx, ref, nil); err != nil || string(got) != string(want) {
					t.Errorf("frame %d: %d bytes, %v", i, len(got), err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, small)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// cutFooter takes the footer off the first log.
func cutFooter(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	info, err := os.Stat(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(logs[0], info.Size()-disk.BlockSize); err != nil {
		t.Fatal(err)
	}
}

// TestTrimWrongList refuses to decide by a list that cannot be right, and destroys nothing.
func TestTrimWrongList(t *testing.T) {
	ctx := context.Background()
	s := open(t, t.TempDir(), small)
	defer s.Close()
	id, frame := blobtest.Frame(0, testFrameSize)
	ref, err := s.Put(ctx, id, frame)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(ctx, ref.Volume); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []blob.Ref{
		{ID: id, Volume: ref.Volume, Offset: ref.Offset, Size: 1 << 30},
		{ID: id, Volume: ref.Volume + 1, Offset: ref.Offset, Size: ref.Size},
	} {
		if freed, err := s.Trim(ctx, ref.Volume, []blob.Ref{wrong}); err == nil || freed != 0 {
			t.Errorf("Trim with %+v live: %d bytes came back, %v", wrong, freed, err)
		}
	}
	if n := readable(t, s, []blob.Ref{ref}); n != 1 {
		t.Error("the frame is gone")
	}
}
