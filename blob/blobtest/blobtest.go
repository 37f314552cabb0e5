// Package blobtest holds the conformance suite of blob.Store: every implementation runs it, and a
// failure names the clause of the contract that broke.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
)

// VolumeSize is the size of the volumes that the suite's stores must have, in bytes.
const VolumeSize = 1 << 20

// Run tests the stores that open returns. Each must be empty and have volumes of VolumeSize; Run
// closes them.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for _, test := range []struct {
		clause string
		run    func(*testing.T, blob.Store)
	}{
		{"Get returns the frame exactly as it was put", getReturnsFrame},
		{"Get reuses the caller's buffer", getReusesBuffer},
		{"Put does not keep the caller's frame", putKeepsNothing},
		{"Put of a held ID is harmless", putTwice},
		{"a wrong Ref is a CorruptionError", wrongRef},
		{"frames over the limit are refused", frameTooLarge},
		{"frames over a volume get one of their own", frameOverVolume},
		{"volumes fill up and are accounted for", volumesFill},
		{"Remove deletes a whole volume once it is sealed", removeVolume},
		{"Seal ends writing to a volume", sealVolume},
		{"Probe finds what is there, and nothing else", probe},
		{"Trim gives back all but what is live", trim},
		{"Trim beside readers", trimBeside},
		{"NumberAfter keeps numbers from being taken", numberAfter},
		{"Free is not negative", free},
		{"Sync of unknown volumes fails", syncUnknown},
		{"a context that has ended stops every call", endedContext},
		{"all calls work side by side", sideBySide},
		{"after Close every call fails with ErrClosed", closed},
	} {
		t.Run(test.clause, func(t *testing.T) {
			s := open(t)
			test.run(t, s)
			if err := s.Close(); err != nil && !errors.Is(err, blob.ErrClosed) {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// Frame returns a frame of n random bytes, the same for the same seed, and an ID made from it.
func Frame(seed uint64, n int) (blob.ID, []byte) {
	frame := make([]byte, n)
	var key [32]byte
	copy(key[:], fmt.Sprint(seed))
	if _, err := rand.NewChaCha8(key).Read(frame); err != nil {
		panic(err) // ChaCha8.Read cannot fail
	}
	return blob.ID(sha256.Sum256(fmt.Appendf(frame[:n:n], "%d %d", seed, n))), frame
}

func put(t *testing.T, s blob.Store, id blob.ID, frame []byte) blob.Ref {
	t.Helper()
	ref, err := s.Put(context.Background(), id, frame)
	if err != nil {
		t.Fatalf("Put of %d bytes: %v", len(frame), err)
	}
	if ref.ID != id {
		t.Fatalf("Put returned a Ref to %s, wanted %s", ref.ID, id)
	}
	return ref
}

func check(t *testing.T, s blob.Store, ref blob.Ref, want []byte) {
	t.Helper()
	got, err := s.Get(context.Background(), ref, nil)
	if err != nil {
		t.Fatalf("Get of %d bytes: %v", len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("Get of %d bytes returned %d other bytes", len(want), len(got))
	}
}

func getReturnsFrame(t *testing.T, s blob.Store) {
	var refs []blob.Ref
	var frames [][]byte
	for i, n := range []int{1, 2, 31, 32, 33, 1023, 1024, 1025, 65535, 65536, 65537, 131071, 131072, 131073, VolumeSize / 2, 0} {
		id, frame := Frame(uint64(i), n)
		ref := put(t, s, id, frame)
		check(t, s, ref, frame)
		refs, frames = append(refs, ref), append(frames, frame)
	}
	for i, ref := range refs {
		if err := s.Sync(context.Background(), ref.Volume); err != nil {
			t.Fatalf("Sync: %v", err)
		}
		check(t, s, ref, frames[i])
	}
}

func getReusesBuffer(t *testing.T, s blob.Store) {
	id, frame := Frame(1, 1000)
	ref := put(t, s, id, frame)
	buf := make([]byte, 17, 2000)
	got, err := s.Get(context.Background(), ref, buf)
	if err != nil || !bytes.Equal(got, frame) {
		t.Fatalf("Get into a buffer: %d bytes, %v", len(got), err)
	}
	if &got[0] != &buf[0] {
		t.Error("Get allocated although the buffer was large enough")
	}
	got[0] ^= 1 // the result is the caller's
	check(t, s, ref, frame)
}

func putKeepsNothing(t *testing.T, s blob.Store) {
	id, frame := Frame(2, 5000)
	mine := bytes.Clone(frame)
	ref := put(t, s, id, mine)
	if !bytes.Equal(mine, frame) {
		t.Error("Put changed the caller's frame")
	}
	clear(mine)
	check(t, s, ref, frame)
}

func putTwice(t *testing.T, s blob.Store) {
	id, frame := Frame(3, 5000)
	first := put(t, s, id, frame)
	second := put(t, s, id, frame)
	check(t, s, first, frame)
	check(t, s, second, frame)
}

func wrongRef(t *testing.T, s blob.Store) {
	for _, n := range []int{5000, 65536, 65537, 131072, 200_000} {
		id, frame := Frame(4, n)
		ref := put(t, s, id, frame)
		other, _ := Frame(5, n)
		for name, change := range map[string]func(*blob.Ref){
			"volume":            func(r *blob.Ref) { r.Volume += 99 },
			"ID":                func(r *blob.Ref) { r.ID = other },
			"offset, too small": func(r *blob.Ref) { r.Offset-- },
			"offset, too large": func(r *blob.Ref) { r.Offset++ },
			"offset, huge":      func(r *blob.Ref) { r.Offset = 1<<32 - 1 },
			"size, too small":   func(r *blob.Ref) { r.Size-- },
			"size, too large":   func(r *blob.Ref) { r.Size++ },
			"size, huge":        func(r *blob.Ref) { r.Size = 1<<32 - 1 },
		} {
			wrong := ref
			change(&wrong)
			_, err := s.Get(context.Background(), wrong, nil)
			for call, err := range map[string]error{"Get": err, "Probe": s.Probe(context.Background(), wrong)} {
				var corrupt *blob.CorruptionError
				if !errors.As(err, &corrupt) {
					t.Errorf("%d bytes: %s with a wrong %s: %v", n, call, name, err)
				} else if corrupt.ID != wrong.ID || corrupt.Volume != wrong.Volume {
					t.Errorf("%d bytes: %s with a wrong %s: the error names chunk %s in volume %d", n, call, name, corrupt.ID, corrupt.Volume)
				}
			}
		}
	}
}

func frameTooLarge(t *testing.T, s blob.Store) {
	id, frame := Frame(6, blob.MaxFrameSize+1)
	if _, err := s.Put(context.Background(), id, frame); !errors.Is(err, blob.ErrFrameSize) {
		t.Errorf("Put of %d bytes: %v", len(frame), err)
	}
}

// frameOverVolume puts frames that are larger than a volume, as one is that was stored when volumes
// were larger: each gets a volume of its own.
func frameOverVolume(t *testing.T, s blob.Store) {
	var volumes []uint64
	for i, n := range []int{100, VolumeSize + 1, VolumeSize + 1, 3 * VolumeSize, 100} {
		id, frame := Frame(uint64(i), n)
		ref, err := s.Put(context.Background(), id, frame)
		if err != nil {
			t.Fatalf("Put of %d bytes: %v", n, err)
		}
		if n > VolumeSize && slices.Contains(volumes, ref.Volume) {
			t.Errorf("a frame of %d bytes went to a volume that holds others", n)
		}
		volumes = append(volumes, ref.Volume)
		if err := s.Sync(context.Background(), ref.Volume); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(context.Background(), ref, nil)
		if err != nil || !bytes.Equal(got, frame) {
			t.Errorf("a frame of %d bytes reads back wrong: %d bytes, %v", n, len(got), err)
		}
	}
}

func volumesFill(t *testing.T, s blob.Store) {
	const frames, size = 40, 100_000
	refs := fill(t, s, frames, size)
	infos, err := s.Volumes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var total, count int64
	for i, v := range infos {
		if i > 0 && v.ID <= infos[i-1].ID {
			t.Errorf("volume %d is listed behind %d", v.ID, infos[i-1].ID)
		}
		if v.Outdated {
			t.Errorf("volume %d, which is new, is called outdated", v.ID)
		}
		if v.Bytes > VolumeSize {
			t.Errorf("volume %d holds %d bytes, limit is %d", v.ID, v.Bytes, VolumeSize)
		}
		total += v.Bytes
		count += v.Frames
	}
	if total != frames*size || count != frames {
		t.Errorf(
			"volumes account for %d bytes in %d frames, wanted %d in %d", total, count, frames*size,
			frames,
		)
	}
	for i, ref := range refs {
		_, frame := Frame(uint64(1000+i), size)
		check(t, s, ref, frame)
	}
}

func fill(t *testing.T, s blob.Store, frames, size int) []blob.Ref {
	t.Helper()
	refs := make([]blob.Ref, frames)
	for i := range refs {
		id, frame := Frame(uint64(1000+i), size)
		refs[i] = put(t, s, id, frame)
	}
	return refs
}

func removeVolume(t *testing.T, s blob.Store) {
	ctx := context.Background()
	refs := fill(t, s, 40, 100_000)
	infos, err := s.Volumes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	gone := map[uint64]bool{}
	for i, v := range infos {
		if i%2 == 0 {
			continue
		}
		if v.Active {
			if err := s.Remove(ctx, v.ID); err != nil && !errors.Is(err, blob.ErrVolumeActive) {
				t.Errorf("Remove of volume %d, which was active: %v", v.ID, err)
			}
		}
		for range 2 {
			if err := s.Seal(ctx, v.ID); err != nil && !errors.Is(err, blob.ErrNoVolume) {
				t.Fatalf("Seal of volume %d: %v", v.ID, err)
			}
		}
		if err := s.Remove(ctx, v.ID); err != nil && !errors.Is(err, blob.ErrNoVolume) {
			t.Fatalf("Remove of volume %d: %v", v.ID, err)
		}
		gone[v.ID] = true
		if err := s.Remove(ctx, v.ID); !errors.Is(err, blob.ErrNoVolume) {
			t.Errorf("second Remove of volume %d: %v", v.ID, err)
		}
	}
	for i, ref := range fill(t, s, 40, 100_000) {
		if gone[ref.Volume] {
			t.Fatalf(
				"frame %d went to a volume that goes by the number %d of one that was removed", i,
				ref.Volume,
			)
		}
	}
	for i, ref := range refs {
		_, frame := Frame(uint64(1000+i), 100_000)
		if !gone[ref.Volume] {
			check(t, s, ref, frame)
			continue
		}
		var corrupt *blob.CorruptionError
		if _, err := s.Get(ctx, ref, nil); !errors.As(err, &corrupt) {
			t.Errorf("Get from a removed volume: %v", err)
		}
	}
}

func sealVolume(t *testing.T, s blob.Store) {
	ctx := context.Background()
	id, frame := Frame(8, 1000)
	first := put(t, s, id, frame)
	if err := s.Remove(ctx, first.Volume); !errors.Is(err, blob.ErrVolumeActive) {
		t.Errorf("Remove of a volume that takes writes: %v", err)
	}
	check(t, s, first, frame)
	if err := s.Seal(ctx, first.Volume); err != nil {
		t.Fatalf("Seal: %v", err)
	}
	check(t, s, first, frame)
	id, frame = Frame(9, 1000)
	if second := put(t, s, id, frame); second.Volume == first.Volume {
		t.Error("Put chose a sealed volume")
	}
	infos, err := s.Volumes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range infos {
		if v.ID == first.Volume && v.Active {
			t.Error("a sealed volume is called active")
		}
	}
	if err := s.Sync(ctx, first.Volume); err != nil {
		t.Errorf("Sync of a sealed volume: %v", err)
	}
}

// numberAfter is told of volumes that the store does not have, as of those that were lost.
func numberAfter(t *testing.T, s blob.Store) {
	const lost = 1000
	for _, volume := range []uint64{0, lost, 3} { // the last one takes nothing back
		if err := s.NumberAfter(volume); err != nil {
			t.Fatalf("NumberAfter(%d): %v", volume, err)
		}
	}
	for i, ref := range fill(t, s, 40, 100_000) {
		if ref.Volume <= lost {
			t.Fatalf("frame %d went to volume %d, after NumberAfter(%d)", i, ref.Volume, lost)
		}
	}
	if err := s.NumberAfter(blob.MaxVolume + 1); err == nil {
		t.Error("NumberAfter takes a number that leaves none behind it")
	}
}

func free(t *testing.T, s blob.Store) {
	if n, err := s.Free(); err != nil || n < 0 {
		t.Errorf("Free: %d bytes, %v", n, err)
	}
}

func syncUnknown(t *testing.T, s blob.Store) {
	if err := s.Sync(context.Background(), 99); !errors.Is(err, blob.ErrNoVolume) {
		t.Errorf("Sync of a volume that is not there: %v", err)
	}
	if err := s.Sync(context.Background()); err != nil {
		t.Errorf("Sync of no volume: %v", err)
	}
}

func endedContext(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, err := range calls(ctx, s) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func closed(t *testing.T, s blob.Store) {
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	after := calls(context.Background(), s)
	_, after["Free"] = s.Free()
	after["NumberAfter"] = s.NumberAfter(1)
	for name, err := range after {
		if !errors.Is(err, blob.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Close(); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

func calls(ctx context.Context, s blob.Store) map[string]error {
	id, frame := Frame(7, 100)
	_, put := s.Put(ctx, id, frame)
	_, get := s.Get(ctx, blob.Ref{ID: id, Volume: 1, Size: 100}, nil)
	_, volumes := s.Volumes(ctx)
	errs := map[string]error{
		"Probe": s.Probe(ctx, blob.Ref{ID: id, Volume: 1, Size: 100}),
		"Put":   put, "Get": get, "Volumes": volumes,
		"Sync": s.Sync(ctx, 1), "Seal": s.Seal(ctx, 1), "Remove": s.Remove(ctx, 1),
	}
	if _, err := s.Trim(ctx, 1, nil); !errors.Is(err, errors.ErrUnsupported) {
		errs["Trim"] = err
	}
	return errs
}

func sideBySide(t *testing.T, s blob.Store) {
	ctx := context.Background()
	const workers, rounds, size = 8, 60, 30_000
	var wg sync.WaitGroup
	for w := range uint64(workers) {
		wg.Go(func() {
			var refs []blob.Ref
			for i := range uint64(rounds) {
				id, frame := Frame(w*1000+i, size)
				ref, err := s.Put(ctx, id, frame)
				if err != nil {
					t.Errorf("Put: %v", err)
					return
				}
				refs = append(refs, ref)
				if i%7 == 0 {
					if err := s.Sync(ctx, ref.Volume); err != nil {
						t.Errorf("Sync: %v", err)
					}
				}
				_, want := Frame(w*1000+i/2, size)
				got, err := s.Get(ctx, refs[i/2], nil)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("Get beside writers: %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}
