package disk

import (
	"encoding/binary"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ResidentBytes counts what of mem, which begins with a page, is in the process's memory, by
// proc_pid_pagemap(5).
func ResidentBytes(t *testing.T, mem []byte) (n int) {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	page := os.Getpagesize()
	first := uintptr(unsafe.Pointer(unsafe.SliceData(mem))) / uintptr(page)
	entries := make([]byte, 8*len(mem)/page)
	if _, err := f.ReadAt(entries, int64(first*8)); err != nil {
		t.Fatal(err)
	}
	for ; len(entries) > 0; entries = entries[8:] {
		if binary.NativeEndian.Uint64(entries)>>63 == 1 {
			n += page
		}
	}
	return n
}

// LoseEvents makes the next n looks for the end of an operation fail, each with EINVAL, and returns
// the contexts that failed, and those that were looked at afterwards.
func LoseEvents(a *Async, n int) (failed, later map[uintptr]bool) {
	failed, later = map[uintptr]bool{}, map[uintptr]bool{}
	a.collect = func(context uintptr, end *ioEvent) (int, unix.Errno) {
		if n > 0 {
			n--
			failed[context] = true
			return 0, unix.EINVAL
		}
		later[context] = true
		return getEvents(context, end)
	}
	return failed, later
}

// Lanes returns how many lanes there are.
func Lanes(a *Async) int { return a.lanes }

// Behind is what is left of pieces when n bytes of them have been written.
var Behind = behind

// LoseHandle has d fail to sync itself.
func LoseHandle(d *Dir) error { return d.handle.Close() }
