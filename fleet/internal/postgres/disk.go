//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// StartOnDisk starts a new server like Start, whose data has a disk of its own of so many MiB,
// which can be filled. It skips the test where none can be mounted.
func StartOnDisk(t testing.TB, megabytes int) *Server {
	t.Helper()
	s := New(t)
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	size := fmt.Sprintf("size=%dm,mode=0700", megabytes)
	mount := exec.Command("mount", "-t", "tmpfs", "-o", size, "tmpfs", data)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("needs privileges to mount a disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		s.Kill()
		unmount(t, data)
	})
	s.Own(data)
	s.Init(data)
	s.Run()
	return s
}

// unmount waits until those that were killed have let go of the disk.
func unmount(t testing.TB, dir string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		out, err := exec.Command("umount", dir).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("umount: %v: %s", err, out)
		}
	}
}

func (s *Server) ballast() string { return filepath.Join(s.data, "ballast") }

// Fill fills the disk of the server, whatever was free.
func (s *Server) Fill() {
	s.t.Helper()
	f, err := os.Create(s.ballast())
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Fatal(err)
	}
}

// Unfill takes away what Fill has filled the disk with.
func (s *Server) Unfill() {
	s.t.Helper()
	if err := os.Remove(s.ballast()); err != nil {
		s.t.Fatal(err)
	}
}
