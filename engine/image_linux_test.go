package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

const imageSize = 512 << 20

// A fileSystem is one that a test makes in a file. What is written to it reaches the file by syncs,
// not by the clock, so that a copy of the file catches no half of a commit.
type fileSystem struct {
	name    string
	made    []string // arguments of making it
	options string   // of mounting
}

// The file systems, each with its own idea of what else one sync carries along.
var fileSystems = []fileSystem{
	{"ext4", []string{"-m", "0"}, "commit=300"}, // no blocks that only root gets
	{"xfs", nil, "nouuid"},                      // the original may be mounted still
	{"btrfs", nil, "commit=300"},
}

// TestPowerLossImage has a process work on a file system of its own, kills it at a random moment,
// and copies the image that the file system lies in. What was not synced by then is only in the
// page cache and not in the copy, as after a power loss. The copy is mounted and compared with what
// the process had acknowledged. GABION_IMAGES sets the number of rounds on each file system.
func TestPowerLossImage(t *testing.T) {
	for _, fs := range fileSystems {
		t.Run(fs.name, func(t *testing.T) { powerLossImage(t, fs) })
	}
}

func powerLossImage(t *testing.T, fs fileSystem) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(seed(t), 5))
	var total killTotals
	for round := range rounds(t, "GABION_IMAGES", 2) {
		image, copied := filepath.Join(dir, "image"), filepath.Join(dir, "copy")
		mount := fs.make(t, image)
		live := &killedStore{dir: filepath.Join(mount.Dir, "store"), keyring: filepath.Join(dir, "keyring")}
		story := live.life(t, round, rng, func(p *os.Process) error {
			// Dead, with all its threads, before the image is copied: a sync that is still under
			// way in the kernel moves what lies in the image, and the copy would catch half of
			// that.
			if err := p.Kill(); err != nil {
				return err
			}
			if !eventually(func() bool { return isDead(p.Pid) }) {
				return errors.New("the process does not die")
			}
			return copySparse(copied, image)
		})
		mount.Unmount()

		mount = fs.mount(t, copied)
		after := &killedStore{dir: filepath.Join(mount.Dir, "store"), keyring: live.keyring}
		if _, err := os.Stat(after.dir); err == nil || len(story) > 0 {
			after.check(t, round, story, &total)
		}
		mount.Unmount()
		if t.Failed() {
			t.Fatalf("round %d failed", round)
		}
	}
	total.report(t)
}

// TestPowerLossAfterClose copies the image right after a clean Close, once for a new store and once
// for one that was there: what Close has listed and summed must be on the disk when it returns.
// Volumes are sealed, copied and removed before, and the reserve file is made. GABION_IMAGES sets
// the number of rounds.
func TestPowerLossAfterClose(t *testing.T) {
	for _, fs := range fileSystems {
		t.Run(fs.name, func(t *testing.T) { powerLossAfterClose(t, fs) })
	}
}

func powerLossAfterClose(t *testing.T, fs fileSystem) {
	dir := t.TempDir()
	image, copied := filepath.Join(dir, "image"), filepath.Join(dir, "copy")
	o := &engine.Options{Keys: keys(t), ChunkSize: 64 << 10, VolumeSize: 2 << 20, ReserveSpace: 64 << 20}
	objects := map[string]uint64{}
	mount := fs.make(t, image)
	for round := range rounds(t, "GABION_IMAGES", 2) {
		o.Volumes = volumeKinds[round%len(volumeKinds)]
		// The parents are made by Open, too.
		e := open(t, filepath.Join(mount.Dir, "new", "store"), o)
		for n := range 6 {
			key, sum := fmt.Sprintf("%d/%d", round, n), uint64(100*round+n)
			mustObject(t, e, "image", key, []string{"", "AES256"}[n%2], random(sum, 1_300_000), random(sum+1, n*9_000))
			objects[key] = sum
		}
		for n := range 3 { // so that volumes are copied
			key := fmt.Sprintf("%d/%d", round, 2*n)
			mustDelete(t, e, "image", key)
			delete(objects, key)
		}
		for n := range 6 { // so that many rounds fit the image
			if key := fmt.Sprintf("%d/%d", round-20, n); objects[key] != 0 {
				mustDelete(t, e, "image", key)
				delete(objects, key)
			}
		}
		mustReclaim(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if err := copySparse(copied, image); err != nil {
			t.Fatal(err)
		}
		mount.Unmount()
		mount = fs.mount(t, copied)
		e = open(t, filepath.Join(mount.Dir, "new", "store"), o)
		if res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true}); err != nil || len(res.Problems) > 0 {
			t.Errorf("Check: %+v, %v", res, err)
		}
		for key, sum := range objects {
			n := int(sum % 100)
			if want := append(random(sum, 1_300_000), random(sum+1, n*9_000)...); !bytes.Equal(readAll(t, e, "image", key), want) {
				t.Errorf("object %s reads back wrong", key)
			}
		}
		reserve, err := disk.Usage(filepath.Join(mount.Dir, "new", "store"), "RESERVE")
		if err != nil || reserve < 32<<20 {
			t.Errorf("%d bytes are set aside, %v", reserve, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		image, copied = copied, image // the survivor lives on
	}
	mount.Unmount()
}

// isDead says whether of a process nothing is left but its exit status.
func isDead(pid int) bool {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(threads) > 1 {
		return errors.Is(err, fs.ErrNotExist)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && bytes.Contains(status, []byte("State:\tZ"))
}

// make makes the file system in the image, and mounts it.
func (fs fileSystem) make(t *testing.T, image string) *disktest.Mounted {
	t.Helper()
	disktest.Make(t, fs.name, image, imageSize, fs.made...)
	return fs.mount(t, image)
}

func (fs fileSystem) mount(t *testing.T, image string) *disktest.Mounted {
	t.Helper()
	return disktest.MountImage(t, fs.name, image, fs.options)
}

// copySparse copies a file without its holes.
func copySparse(to, from string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := dst.Truncate(imageSize); err != nil {
		return err
	}
	const seekData, seekHole = 3, 4 // lseek(2)
	for at := int64(0); ; {
		begin, err := src.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return nil // nothing but a hole up to the end
		}
		if err != nil {
			return err
		}
		if at, err = src.Seek(begin, seekHole); err != nil {
			return err
		}
		if _, err := src.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := dst.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if n, err := io.CopyN(dst, src, at-begin); err != nil {
			return fmt.Errorf("copied %d of %d bytes: %w", n, at-begin, err)
		}
	}
}
