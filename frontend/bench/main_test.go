package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBench sends a small object through faces of two builds, as the command does.
func TestBench(t *testing.T) {
	t.Chdir("..") // where the command is run, and finds what it builds
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	args := []string{
		"-size", "20", "-rounds", "1", "-dir", t.TempDir(), "-only", "OSS$|d, S3$",
		"-build", filepath.Join(os.TempDir(), builtName),
	}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	for name, measured := range map[string]bool{
		"gabion, OSS": true, "gabion, S3": false, builtName + ", OSS": true, builtName + ", S3": true,
		"log volumes": false,
	} {
		if strings.Contains(out.String(), name) != measured {
			t.Errorf("%q is measured: %t, in:\n%s", name, !measured, &out)
		}
	}
}

// TestBusy: the time of processors is that which getrusage says, to two hundredths of a second.
func TestBusy(t *testing.T) {
	self := &server{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}
	const most = 20 * time.Millisecond // user's and system's are each rounded
	before := usage(t)
	for usage(t) < before+5*most {
	}
	least := usage(t)
	busy, err := self.busy()
	if err != nil {
		t.Fatal(err)
	}
	if greatest := usage(t); busy < least-most || busy > greatest+most {
		t.Errorf("%v, not %v to %v", busy, least, greatest)
	}
}

func usage(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestStalls has clients stall for as long as a few requests take.
func TestStalls(t *testing.T) {
	t.Chdir("..")
	var out strings.Builder
	args := []string{"stalls", "-turns", "1", "-turn", "1ns", "-dir", t.TempDir()}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "200 stall, 64 in a chunk") {
		t.Errorf("it says:\n%s", &out)
	}
}
