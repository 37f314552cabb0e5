package blobtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
)

func probe(t *testing.T, s blob.Store) {
	ctx := context.Background()
	refs := fill(t, s, 30, 100_000)
	for _, ref := range refs {
		if err := s.Probe(ctx, ref); err != nil {
			t.Errorf("Probe: %v", err)
		}
	}
	gone := refs[0].Volume
	if err := s.Seal(ctx, gone); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(ctx, refs[0]); err != nil {
		t.Errorf("Probe of a sealed volume: %v", err)
	}
	if err := s.Remove(ctx, gone); err != nil {
		t.Fatal(err)
	}
	var corrupt *blob.CorruptionError
	if err := s.Probe(ctx, refs[0]); !errors.As(err, &corrupt) {
		t.Errorf("Probe of a removed volume: %v", err)
	}
}

// onDisk returns what a volume is said to occupy.
func onDisk(t *testing.T, s blob.Store, volume uint64) int64 {
	t.Helper()
	infos, err := s.Volumes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range infos {
		if v.ID == volume {
			return v.DiskBytes
		}
	}
	t.Fatalf("volume %d is missing", volume)
	return 0
}

// inVolume returns those refs that lie in a volume, sealed.
func inVolume(t *testing.T, s blob.Store, refs []blob.Ref, volume uint64) (in []blob.Ref) {
	t.Helper()
	for _, ref := range refs {
		if ref.Volume == volume {
			in = append(in, ref)
		}
	}
	if err := s.Seal(context.Background(), volume); err != nil {
		t.Fatal(err)
	}
	return in
}

// mustTrim trims a volume, or skips the test where the store cannot.
func mustTrim(t *testing.T, s blob.Store, volume uint64, live []blob.Ref) int64 {
	t.Helper()
	freed, err := s.Trim(context.Background(), volume, live)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("this store cannot trim: %v", err)
	}
	if err != nil {
		t.Fatalf("Trim: %v", err)
	}
	return freed
}

// trim keeps, of a volume of frames of many sizes, fewer and fewer. Every byte of those kept must
// read back, each time the space of the others must come back but for the blocks they share, and a
// second Trim finds nothing.
func trim(t *testing.T, s blob.Store) {
	ctx := context.Background()
	var refs []blob.Ref
	frames := map[blob.ID][]byte{}
	for i := range 60 {
		id, frame := Frame(uint64(1000+i), 4000+397*i)
		refs, frames[id] = append(refs, put(t, s, id, frame)), frame
	}
	volume := refs[0].Volume
	if _, err := s.Trim(ctx, volume, refs); errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("this store cannot trim: %v", err)
	} else if !errors.Is(err, blob.ErrVolumeActive) {
		t.Errorf("Trim of a volume that takes writes: %v", err)
	}
	if _, err := s.Trim(ctx, 99, nil); !errors.Is(err, blob.ErrNoVolume) {
		t.Errorf("Trim of a volume that is not there: %v", err)
	}
	refs = inVolume(t, s, refs, volume)
	const block = 4096
	const beside = 8 * block // what a volume may have beside its frames
	for _, every := range []int{1, 2, 4, 12, 36} {
		before := onDisk(t, s, volume)
		var live []blob.Ref
		var dead int64
		for i, ref := range refs {
			if i%every == 0 {
				live = append(live, ref)
			} else {
				dead += int64(ref.Size)
			}
		}
		freed := mustTrim(t, s, volume, live)
		after := onDisk(t, s, volume)
		if before-after != freed {
			t.Errorf(
				"Trim said %d bytes came back; the volume had %d and has %d", freed, before, after,
			)
		}
		if room := int64(len(live)+1)*3*block + beside; after > sizeOf(live)+room {
			t.Errorf(
				"with %d bytes live and %d dead the volume occupies %d", sizeOf(live), dead, after,
			)
		}
		if again := mustTrim(t, s, volume, live); again != 0 {
			t.Errorf("a second Trim gave %d bytes back", again)
		}
		for i, ref := range refs {
			if i%every == 0 {
				check(t, s, ref, frames[ref.ID])
				if err := s.Probe(ctx, ref); err != nil {
					t.Errorf("Probe of a live frame: %v", err)
				}
			}
		}
		for i, ref := range refs {
			var corrupt *blob.CorruptionError
			if _, err := s.Get(ctx, ref, nil); i%every != 0 && err != nil &&
				!errors.As(err, &corrupt) {
				t.Errorf("Get of a dead frame: %v", err)
			}
		}
	}
	if err := s.Remove(ctx, volume); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

func sizeOf(refs []blob.Ref) (size int64) {
	for _, ref := range refs {
		size += int64(ref.Size)
	}
	return size
}

// trimBeside reads live frames while the others go.
func trimBeside(t *testing.T, s blob.Store) {
	refs := fill(t, s, 20, 40_000)
	volume := refs[0].Volume
	refs = inVolume(t, s, refs, volume)
	var stop atomic.Bool
	var reading sync.WaitGroup
	for r := range 2 {
		want, err := s.Get(context.Background(), refs[r], nil)
		if err != nil {
			t.Fatal(err)
		}
		reading.Go(func() {
			for !stop.Load() {
				got, err := s.Get(context.Background(), refs[r], nil)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("Get beside Trim: %d bytes, %v", len(got), err)
					return
				}
			}
		})
	}
	defer reading.Wait()
	defer stop.Store(true)
	for n := len(refs); n >= 2; n-- {
		mustTrim(t, s, volume, refs[:n])
	}
}
