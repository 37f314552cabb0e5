package volumes_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/internal/disk"
)

// TestTrimReopened trims every volume of a store, two of four frames staying, and looks at the disk,
// which must have what the store says; and at the store when it is opened again, also without one
// footer, as after a crash before it was written.
func TestTrimReopened(t *testing.T) { forKinds(t, testTrimReopened) }

func testTrimReopened(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, small(k))
	refs := fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cutFooter(t, k, dir)
	s = open(t, dir, small(k))
	// Two writers may take turns, and each volume should have frames of both sorts.
	lives := func(i int) bool { return i%4 < 2 }
	live := map[uint64][]blob.Ref{}
	for i, ref := range refs {
		if lives(i) {
			live[ref.Volume] = append(live[ref.Volume], ref)
		}
	}
	if infos, err := s.Volumes(ctx); err != nil || len(live) != len(infos) {
		t.Fatalf("of %d volumes %d have something to keep, %v", len(infos), len(live), err)
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
		// Its footer, where a file system notes the holes, and what Badger has beside its value log.
		perVolume := int64(len(infos) * 12 * disk.BlockSize)
		if want := (testFrames/2+1)*(roomOf(k)+3*disk.BlockSize) + perVolume; said > want {
			t.Errorf("half of the frames occupy %d bytes, wanted are %d", said, want)
		}
		if frames != testFrames {
			t.Errorf("%d frames are accounted for, put were %d", frames, testFrames)
		}
		for i, ref := range refs {
			if lives(i) {
				_, want := blobtest.Frame(uint64(i), testFrameSize)
				if got, err := s.Get(ctx, ref, nil); err != nil || string(got) != string(want) {
					t.Errorf("frame %d: %d bytes, %v", i, len(got), err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, small(k))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTrimmedTail trims volumes the last frames of which are dead, so that their logs end in the rest
// of a record, and damages the footer. The volumes get another one when the store is opened, and can
// be trimmed as before.
func TestTrimmedTail(t *testing.T) { forKinds(t, testTrimmedTail) }

func testTrimmedTail(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, Writers: 1})
	refs := fillWith(t, s, 8)
	volume, live := refs[0].Volume, refs[:4]
	if err := s.Seal(ctx, volume); err != nil {
		t.Fatal(err)
	}
	if freed, err := s.Trim(ctx, volume, live); err != nil || freed < testFrameSize {
		t.Fatalf("Trim: %d bytes came back, %v", freed, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cutFooter(t, k, dir)
	for range 2 {
		s = open(t, dir, &volumes.Options{Kind: k, Alarm: func(err error) { t.Error(err) }})
		if _, err := s.Trim(ctx, volume, live); err != nil {
			t.Errorf("Trim: %v", err)
		}
		if n := readable(t, s, live); n != len(live) {
			t.Errorf("%d of %d frames are readable", n, len(live))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadWhileTrimming reads while holes are punched: another volume, which has the one that is
// trimmed be closed, and then that one, which has to be opened again. Nobody waits for the holes.
func TestReadWhileTrimming(t *testing.T) { forKinds(t, testReadWhileTrimming) }

func testReadWhileTrimming(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	s := open(t, t.TempDir(), &volumes.Options{Kind: k, Writers: 1, OpenVolumes: 1})
	defer s.Close()
	var refs []blob.Ref
	for volume := range uint64(2) {
		for i := range uint64(2) {
			id, frame := blobtest.Frame(2*volume+i, testFrameSize)
			ref, err := s.Put(ctx, id, frame)
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, ref)
		}
		if err := s.Seal(ctx, refs[2*volume].Volume); err != nil {
			t.Fatal(err)
		}
	}
	trimmed, other := refs[0], refs[2]
	if n := readable(t, s, refs); n != len(refs) {
		t.Fatalf("%d of %d frames are readable", n, len(refs))
	}
	punching, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	volumes.OnPunch(s, func() {
		once.Do(func() { close(punching) })
		<-goOn
	})
	done := make(chan error, 1)
	go func() {
		_, err := s.Trim(ctx, trimmed.Volume, []blob.Ref{trimmed})
		done <- err
	}()
	<-punching
	var read atomic.Int64
	var reads sync.WaitGroup
	reads.Go(func() {
		for _, ref := range []blob.Ref{trimmed, other, trimmed, other} {
			if _, err := s.Get(ctx, ref, nil); err != nil {
				t.Errorf("Get: %v", err)
			}
			read.Add(1)
		}
	})
	waitFor(t, "reading", func() bool { return read.Load() == 4 })
	close(goOn)
	reads.Wait()
	if err := <-done; err != nil {
		t.Errorf("Trim: %v", err)
	}
}

// cutFooter takes the footer off the first volume.
func cutFooter(t *testing.T, k volumes.Kind, dir string) {
	t.Helper()
	log := logsIn(t, dir)[0]
	info, err := os.Stat(log)
	if err != nil {
		t.Fatal(err)
	}
	if k != volumes.Log {
		err = os.Remove(filepath.Join(filepath.Dir(log), "VOLUME"))
	} else {
		err = os.Truncate(log, info.Size()-disk.BlockSize)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTrimWrongList refuses to decide by a list that cannot be right, and destroys nothing.
func TestTrimWrongList(t *testing.T) { forKinds(t, testTrimWrongList) }

func testTrimWrongList(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	s := open(t, t.TempDir(), small(k))
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
