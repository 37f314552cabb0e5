package volumes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// A failingLog cannot be read.
type failingLog struct{ err error }

func (l failingLog) ReadAt([]byte, int64) (int, error) { return 0, l.err }

// TestWhatDamageIs tells failed reads that say something about the frame from those that do not.
func TestWhatDamageIs(t *testing.T) { forKinds(t, testWhatDamageIs) }

func testWhatDamageIs(t *testing.T, k volumes.Kind) {
	for err, want := range map[error]bool{
		syscall.EIO:    true,
		syscall.ENOMEM: false,
		syscall.EAGAIN: false,
		fs.ErrClosed:   false,
		&os.PathError{Op: "read", Err: syscall.EMFILE}: false,
		fmt.Errorf("anything"):                         true,
	} {
		_, got := volumes.ReadFrame(k, failingLog{err}, blob.Ref{Volume: 7, Size: 10}, nil)
		var corrupt *blob.CorruptionError
		if is := errors.As(got, &corrupt); is != want || !errors.Is(got, err) {
			t.Errorf("reading fails with %v: damage is %t, wanted %t", got, is, want)
		}
	}
}

// TestDamagedVolumeTakesSpace opens a store with a file that is longer than a volume can be.
func TestDamagedVolumeTakesSpace(t *testing.T) { forKinds(t, testDamagedVolumeTakesSpace) }

func testDamagedVolumeTakesSpace(t *testing.T, k volumes.Kind) {
	dir := t.TempDir()
	file := filepath.Join(dir, "0000000000000001.log")
	if k != volumes.Log {
		file = filepath.Join(dir, "0000000000000001.badger", "000001.vlog")
	}
	const long = 4 << 30
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, make([]byte, 1<<20), 0o600), os.Truncate(file, long)); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, small(k))
	defer s.Close()
	infos, err := s.Volumes(t.Context())
	if err != nil || len(infos) != 1 {
		t.Fatalf("volumes: %+v, %v", infos, err)
	}
	if v := infos[0]; v.Damage == nil || v.Size != long || v.DiskBytes < 1<<20 || v.Bytes != 0 || v.Frames != 0 {
		t.Errorf("the volume is %+v", v)
	}
}

// TestProbeOfActive probes a frame in an active volume and again when that is sealed. The one costs
// what the other does: what an active volume occupies is not asked for.
func TestProbeOfActive(t *testing.T) {
	forKinds(t, func(t *testing.T, k volumes.Kind) {
		s := open(t, t.TempDir(), small(k))
		defer s.Close()
		ref := fillWith(t, s, 1)[0]
		probe := func() {
			if err := s.Probe(t.Context(), ref); err != nil {
				t.Error(err)
			}
		}
		if err := s.Sync(t.Context(), ref.Volume); err != nil {
			t.Fatal(err)
		}
		active := testing.AllocsPerRun(100, probe)
		if err := s.Seal(t.Context(), ref.Volume); err != nil {
			t.Fatal(err)
		}
		if sealed := testing.AllocsPerRun(100, probe); active > sealed+1 {
			t.Errorf("a probe allocates %v times in an active volume, %v in a sealed one", active, sealed)
		}
	})
}
