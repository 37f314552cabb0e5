package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const imageSize = 512 << 20

// TestPowerLossImage has a process work on a file system of its own, kills it at a random moment,
// and copies the image that the file system lies in. What was not synced by then is only in the
// page cache and not in the copy, as after a power loss. The copy is mounted and compared with what
// the process had acknowledged. GABION_IMAGES sets the number of rounds.
func TestPowerLossImage(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(seed(t), 5))
	var total killTotals
	for round := range rounds(t, "GABION_IMAGES", 2) {
		image, copied := filepath.Join(dir, "image"), filepath.Join(dir, "copy")
		mount := mountImage(t, image, true)
		live := &killedStore{dir: filepath.Join(mount.dir, "store"), keyring: filepath.Join(dir, "keyring")}
		story := live.life(t, round, rng, func(p *os.Process) error {
			// Dead, with all its threads, before the image is copied: a sync that is still under way in
			// the kernel moves what lies in the image, and the copy would catch half of that.
			if err := p.Kill(); err != nil {
				return err
			}
			if !eventually(func() bool { return isDead(p.Pid) }) {
				return errors.New("the process does not die")
			}
			return copySparse(copied, image)
		})
		mount.unmount(t)

		mount = mountImage(t, copied, false)
		after := &killedStore{dir: filepath.Join(mount.dir, "store"), keyring: live.keyring}
		if _, err := os.Stat(after.dir); err == nil || len(story) > 0 {
			after.check(t, round, story, &total)
		}
		mount.unmount(t)
		if t.Failed() {
			t.Fatalf("round %d failed", round)
		}
	}
	total.report(t)
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

// A mountedImage is a file system in a file.
type mountedImage struct {
	dir     string
	mounted bool
}

// mountImage mounts the file system in the image, after making it if fresh. It skips the test where
// that is not possible.
func mountImage(t *testing.T, image string, fresh bool) *mountedImage {
	t.Helper()
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Skipf("a file system in a file needs privileges and tools: %s: %v: %s", name, err, out)
		}
	}
	if fresh {
		if err := errors.Join(os.RemoveAll(image), os.WriteFile(image, nil, 0o600), os.Truncate(image, imageSize)); err != nil {
			t.Fatal(err)
		}
		run("mkfs.ext4", "-q", "-F", "-m", "0", image) // no blocks that only root gets
	}
	m := &mountedImage{dir: t.TempDir()}
	// The journal is committed by syncs, not by the clock, so that a copy catches no half of one.
	run("mount", "-o", "loop,commit=300", image, m.dir)
	m.mounted = true
	t.Cleanup(func() {
		if m.mounted {
			m.unmount(t)
		}
	})
	return m
}

func (m *mountedImage) unmount(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("umount", m.dir).CombinedOutput(); err != nil {
		t.Errorf("umount: %v: %s", err, out)
	}
	m.mounted = false
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
