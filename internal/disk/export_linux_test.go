package disk

import (
	"encoding/binary"
	"os"
	"testing"
)

// ResidentPages counts the pages of m that are in the process's memory, by proc_pid_pagemap(5).
func ResidentPages(t *testing.T, m Mapping) (n int) {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	page := uintptr(os.Getpagesize())
	entries := make([]byte, 8*(m.end-m.start)/page)
	if _, err := f.ReadAt(entries, int64(m.start/page*8)); err != nil {
		t.Fatal(err)
	}
	for ; len(entries) > 0; entries = entries[8:] {
		if binary.NativeEndian.Uint64(entries)>>63 == 1 {
			n++
		}
	}
	return n
}
