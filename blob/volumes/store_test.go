package volumes_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/internal/disk"
)

func TestStore(t *testing.T) {
	forKinds(t, func(t *testing.T, k volumes.Kind) {
		blobtest.Run(t, func(t *testing.T) blob.Store {
			return open(t, t.TempDir(), &volumes.Options{
				Kind: k, VolumeSize: blobtest.VolumeSize, OpenVolumes: 3,
			})
		})
	})
}

func open(t *testing.T, dir string, o *volumes.Options) *volumes.Store {
	t.Helper()
	s, err := volumes.Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// small are options under which a few frames fill a volume.
func small(k volumes.Kind) *volumes.Options {
	return &volumes.Options{Kind: k, VolumeSize: blobtest.VolumeSize, Writers: 2, OpenVolumes: 2}
}

const (
	testFrames    = 50
	testFrameSize = 150_000
)

func fill(t *testing.T, s blob.Store) []blob.Ref {
	t.Helper()
	return fillWith(t, s, testFrames)
}

func fillWith(t *testing.T, s blob.Store, frames int) []blob.Ref {
	t.Helper()
	var refs []blob.Ref
	for i := range uint64(frames) {
		id, frame := blobtest.Frame(i, testFrameSize)
		ref, err := s.Put(context.Background(), id, frame)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	return refs
}

// readable returns how many frames read back right; what does not must be a CorruptionError.
func readable(t *testing.T, s blob.Store, refs []blob.Ref) (n int) {
	t.Helper()
	for i, ref := range refs {
		_, want := blobtest.Frame(uint64(i), int(ref.Size))
		got, err := s.Get(context.Background(), ref, nil)
		var corrupt *blob.CorruptionError
		switch {
		case err == nil && bytes.Equal(got, want):
			n++
		case err == nil:
			t.Errorf("frame %d: wrong bytes were served", i)
		case !errors.As(err, &corrupt):
			t.Errorf("frame %d: %v", i, err)
		}
	}
	return n
}

func TestReopen(t *testing.T) { forKinds(t, testReopen) }

func testReopen(t *testing.T, k volumes.Kind) {
	dir := t.TempDir()
	goroutines := runtime.NumGoroutine()
	handles := openHandles(t)
	s := open(t, dir, small(k))
	refs := fill(t, s)
	if _, err := volumes.Open(context.Background(), dir, small(k)); !errors.Is(err, blob.ErrInUse) {
		t.Errorf("second open: %v", err)
	}
	before, err := s.Volumes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, small(k))
	after, err := s.Volumes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != len(after) {
		t.Fatalf("%d volumes before, %d after", len(before), len(after))
	}
	for i := range after {
		if after[i].Bytes != before[i].Bytes || after[i].Frames != before[i].Frames || after[i].Active {
			t.Errorf("volume was %+v, is %+v", before[i], after[i])
		}
	}
	idle := openHandles(t)
	if n := readable(t, s, refs); n != len(refs) {
		t.Errorf("%d of %d frames are readable", n, len(refs))
	}
	if n := openHandles(t) - idle; n > small(k).OpenVolumes {
		t.Errorf("%d volumes are open after reading, the limit is %d", n, small(k).OpenVolumes)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// At once: what Close forgets the garbage collector would close some time.
	if n := openHandles(t); n > handles {
		t.Errorf("%d file handles and contexts are left, %d were there", n, handles)
	}
	waitFor(t, "goroutines", func() bool { return runtime.NumGoroutine() <= goroutines })
}

func active(t *testing.T, s blob.Store) (n int) {
	t.Helper()
	infos, err := s.Volumes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range infos {
		if v.Active {
			n++
		}
	}
	return n
}

// waitFor gives what ends by itself time to do so; it fails only if that never happens.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 12_000 { // a minute, which nobody waits for unless it never happens
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	stack := make([]byte, 1<<16)
	t.Errorf("%s did not return to the start\n%s", what, stack[:runtime.Stack(stack, true)])
}

// openHandles counts the open files, and the contexts of asynchronous I/O, each of which the kernel
// maps into memory.
func openHandles(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) + bytes.Count(maps, []byte("[aio]"))
}

// TestDamage flips single bits in every file of sealed volumes.
func TestDamage(t *testing.T) { forKinds(t, testDamage) }

func testDamage(t *testing.T, k volumes.Kind) {
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, VolumeSize: blobtest.VolumeSize, Writers: 1})
	refs := fillWith(t, s, 28) // in a few volumes: each flip has all frames read
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	hit, others := 0, map[string]bool{}
	for _, file := range filesBelow(t, dir) {
		// Of what Badger has beside a log, one of each name is enough.
		switch name := filepath.Base(file); {
		case name == "VOLUME" || strings.HasSuffix(name, ".vlog") || strings.HasSuffix(name, ".log"):
		case others[name]:
			continue
		default:
			others[name] = true
		}
		clean, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, 9, 21, len(clean) / 3, len(clean) / 2, len(clean) - disk.BlockSize + 25, len(clean) - 1} {
			if at < 0 || at >= len(clean) {
				continue
			}
			bad := bytes.Clone(clean)
			bad[at] ^= 1 << (at % 8)
			if err := os.WriteFile(file, bad, 0o666); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, small(k))
			if n := readable(t, s, refs); n < len(refs) {
				hit++
			}
			if err := s.Close(); err != nil {
				t.Errorf("%s at %d: Close: %v", filepath.Base(file), at, err)
			}
		}
		if err := os.WriteFile(file, clean, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d flips hit a frame", hit)
	if hit < 10 {
		t.Errorf("only %d of the flips hit a frame: the test has lost its grip", hit)
	}
	s = open(t, dir, small(k))
	defer s.Close()
	if n := readable(t, s, refs); n != len(refs) {
		t.Errorf("with all files mended %d of %d frames are readable", n, len(refs))
	}
}

// TestMissingVolume removes one volume by hand.
func TestMissingVolume(t *testing.T) { forKinds(t, testMissingVolume) }

func testMissingVolume(t *testing.T, k volumes.Kind) {
	dir := t.TempDir()
	s := open(t, dir, small(k))
	refs := fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "0*"))
	if err != nil || len(names) < 3 {
		t.Fatalf("volumes: %v, %v", names, err)
	}
	if err := os.RemoveAll(names[len(names)/2]); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, small(k))
	defer s.Close()
	if n := readable(t, s, refs); n == 0 || n == len(refs) {
		t.Errorf("%d of %d frames are readable", n, len(refs))
	}
}

// TestReserve has less space than the reserve.
func TestReserve(t *testing.T) { forKinds(t, testReserve) }

func testReserve(t *testing.T, k volumes.Kind) {
	s := open(t, t.TempDir(), &volumes.Options{Kind: k, ReserveSpace: 1 << 60})
	defer s.Close()
	id, frame := blobtest.Frame(1, 1000)
	if _, err := s.Put(context.Background(), id, frame); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("Put: %v", err)
	}
}

// TestSealedFile looks at what Close leaves of a volume that was more than half full: no block that
// it does not need, and nothing of the next volume, which had been prepared. Opening it again
// changes nothing.
func TestSealedFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: volumes.Log, VolumeSize: blobtest.VolumeSize, Writers: 1})
	id, frame := blobtest.Frame(1, 600_000)
	if _, err := s.Put(context.Background(), id, frame); err != nil {
		t.Fatal(err)
	}
	want := disk.RoundUp(600_000) + disk.BlockSize // and the footer
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(onlyLog(t, dir))
		if err != nil || info.Size() != want {
			t.Errorf("the log has %d bytes, %v, wanted are %d", info.Size(), err, want)
		}
		if used, err := disk.Usage(dir); err != nil || used > want+(64<<10) {
			t.Errorf("%d bytes of the disk are in use, %v, wanted are %d", used, err, want)
		}
		s = open(t, dir, small(volumes.Log))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMeasuredAgain has the look at what a volume occupies fail while it is sealed, and then has the
// file system be late to tell. What the store says must not stay wrong until it is opened again.
func TestMeasuredAgain(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: volumes.Log, Writers: 1})
	defer s.Close()
	refs := fillWith(t, s, 3)
	log := onlyLog(t, dir)
	if err := os.Rename(log, log+".away"); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(ctx, refs[0].Volume); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(log+".away", log); err != nil {
		t.Fatal(err)
	}
	for _, why := range []string{"it failed", "the file system was late"} {
		infos, err := s.Volumes(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if v := infos[0]; v.Active || v.Size < 3*testFrameSize || v.DiskBytes < 3*testFrameSize {
			t.Errorf("measured when %s: %+v", why, v)
		}
		volumes.Misjudge(s, refs[0].Volume)
	}
}

// TestPadding looks behind the frames of many batches, each shorter than those before: nothing of
// another may be there, in memory that is used again.
func TestPadding(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: volumes.Log, Writers: 1})
	defer s.Close()
	const overhead = 48 // of a record
	for i := range 100 {
		id, frame := blobtest.Frame(uint64(i), 4000-20*i)
		ref, err := s.Put(context.Background(), id, frame)
		if err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(onlyLog(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		end := int64(ref.Offset) + int64(len(frame)) + overhead
		if behind := log[end:disk.RoundUp(end)]; !bytes.Equal(behind, make([]byte, len(behind))) {
			t.Fatalf("behind frame %d lie %x", i, behind)
		}
	}
}

// TestSealWhileWriting seals volumes under those who put. Every put must succeed, and every volume
// account for what it was given, also by what it says itself when it is opened again.
func TestSealWhileWriting(t *testing.T) { forKinds(t, testSealWhileWriting) }

func testSealWhileWriting(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir, &volumes.Options{Kind: k, VolumeSize: 32 << 20, Writers: 1})
	const workers, rounds, size = 8, 30, 300_000
	var refs [workers][]blob.Ref
	var putting sync.WaitGroup
	for w := range uint64(workers) {
		putting.Go(func() {
			for i := range uint64(rounds) {
				id, frame := blobtest.Frame(w*rounds+i, size)
				ref, err := s.Put(ctx, id, frame)
				if err != nil {
					t.Errorf("Put: %v", err)
					return
				}
				refs[w] = append(refs[w], ref)
				if i%4 == 0 {
					if err := s.Seal(ctx, ref.Volume); err != nil {
						t.Errorf("Seal: %v", err)
					}
				}
			}
		})
	}
	putting.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, small(k))
	defer s.Close()
	want := map[uint64]int64{}
	for w := range refs {
		for i, ref := range refs[w] {
			want[ref.Volume]++
			_, frame := blobtest.Frame(uint64(w*rounds+i), size)
			if got, err := s.Get(ctx, ref, nil); err != nil || !bytes.Equal(got, frame) {
				t.Errorf("%d bytes were read, %v", len(got), err)
			}
		}
	}
	infos, err := s.Volumes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range infos {
		if n := want[v.ID]; v.Frames != n || v.Bytes != n*size {
			t.Errorf("volume %d is said to hold %d frames and %d bytes, it was given %d", v.ID, v.Frames, v.Bytes, n)
		}
	}
}

// TestRemoveWhileReading removes volumes that others open at the same time: none may stay open.
func TestRemoveWhileReading(t *testing.T) { forKinds(t, testRemoveWhileReading) }

func testRemoveWhileReading(t *testing.T, k volumes.Kind) {
	ctx := context.Background()
	goroutines, handles := runtime.NumGoroutine(), openHandles(t)
	s := open(t, t.TempDir(), &volumes.Options{Kind: k, VolumeSize: blobtest.VolumeSize, Writers: 1, OpenVolumes: 100})
	for i := range uint64(60) {
		id, frame := blobtest.Frame(i, 1000)
		ref, err := s.Put(ctx, id, frame)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Seal(ctx, ref.Volume); err != nil {
			t.Fatal(err)
		}
		var reading sync.WaitGroup
		for range 4 {
			reading.Go(func() {
				for err := error(nil); err == nil; {
					_, err = s.Get(ctx, ref, nil)
				}
			})
		}
		time.Sleep(time.Duration(i) * 10 * time.Microsecond) // into their opening of the volume
		if err := s.Remove(ctx, ref.Volume); err != nil {
			t.Fatal(err)
		}
		reading.Wait()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "goroutines", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "file handles", func() bool { return openHandles(t) <= handles })
}

func TestOptions(t *testing.T) {
	_, err := volumes.Open(context.Background(), t.TempDir(), &volumes.Options{
		Kind: "tar", VolumeSize: 1, Writers: -1, ReserveSpace: -1, OpenVolumes: -1,
	})
	for _, field := range []string{"Kind", "VolumeSize", "Writers", "ReserveSpace", "OpenVolumes"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not reported: %v", field, err)
		}
	}
}
