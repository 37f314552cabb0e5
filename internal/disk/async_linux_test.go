package disk_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gabion-storage/gabion/internal/disk"
)

// TestDirectIsDirect looks whether writing goes past the page cache where the kernel says it can.
func TestDirectIsDirect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := openDir(t, filepath.Dir(path)).CreateDirect(filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st); err != nil || st.Dio_offset_align == 0 || st.Dio_offset_align > disk.BlockSize {
		t.Skipf("this file system cannot: %v", err)
	}
	if flags&unix.O_DIRECT == 0 {
		t.Fatal("the file was not opened so")
	}
	const size = 64 * disk.BlockSize
	if err := disk.Extend(f, 0, size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(randomBlocks(3, 64), 0); err != nil {
		t.Fatal(err)
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(mem) }()
	if n := residentPages(t, mem); n > 0 {
		t.Errorf("%d pages are in the page cache", n)
	}
}

// TestExtend makes a file longer, in two steps.
func TestExtend(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for from := range int64(2) {
		if err := disk.Extend(f, from<<20, (from+1)<<20); err != nil {
			t.Fatal(err)
		}
		if info, err := f.Stat(); err != nil || info.Size() != (from+1)<<20 {
			t.Errorf("the file has %d bytes, %v", info.Size(), err)
		}
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, make([]byte, 2<<20)) {
		t.Errorf("it does not read as zeros: %v", err)
	}
}

// residentPages counts the pages of a mapped file that are in memory.
func residentPages(t *testing.T, mem []byte) (n int) {
	t.Helper()
	resident := make([]byte, (len(mem)+os.Getpagesize()-1)/os.Getpagesize())
	if err := mincore(mem, resident); err != nil {
		t.Fatal(err)
	}
	for _, page := range resident {
		n += int(page & 1)
	}
	return n
}

// TestAsyncEnds returns all file handles with Close, and all contexts, each of which the kernel
// maps into memory.
func TestAsyncEnds(t *testing.T) {
	handles := func() int {
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
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := handles()
	var async disk.Async
	for range 3 {
		if err := async.WriteAt(f, []byte("bytes"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := handles(); n != before+2 {
		t.Errorf("calls one after another use %d handles and contexts, wanted is one of each", n-before)
	}
	if err := async.Close(); err != nil {
		t.Fatal(err)
	}
	if n := handles(); n != before {
		t.Errorf("%d handles and contexts are left", n-before)
	}
}

// TestAsyncForbidden runs the tests of Async where a sandbox forbids one of the calls that it is
// made of.
func TestAsyncForbidden(t *testing.T) {
	for call := range forbidden {
		t.Run(call, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestAsyncForbiddenChild$")
			child.Env = append(os.Environ(), forbiddenEnv+"="+call)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

const forbiddenEnv = "GABION_FORBIDDEN_CALL"

var forbidden = map[string]uintptr{"io_setup": unix.SYS_IO_SETUP, "io_submit": unix.SYS_IO_SUBMIT}

// TestAsyncForbiddenChild is the process that TestAsyncForbidden starts: a call forbidden once is
// so for ever.
func TestAsyncForbiddenChild(t *testing.T) {
	call, ok := forbidden[os.Getenv(forbiddenEnv)]
	if !ok {
		t.Skip("TestAsyncForbidden starts this")
	}
	forbid(t, call)
	if _, _, errno := unix.Syscall(call, 0, 0, 0); errno != unix.EPERM {
		t.Fatalf("the call is not forbidden: %v", errno)
	}
	TestAsync(t)
	TestAsyncFails(t)
}

// forbid makes a system call fail with EPERM, on all threads.
func forbid(t *testing.T, call uintptr) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(call)},
		{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW},
	}
	program := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(program))); errno != 0 {
		t.Skip(errno)
	}
}

func mincore(mem, resident []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), uintptr(unsafe.Pointer(&resident[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
