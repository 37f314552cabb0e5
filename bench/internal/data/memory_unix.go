//go:build unix

package data

import "golang.org/x/sys/unix"

// allocate returns n bytes outside of Go's heap, and what gives them back. In the heap, a gigabyte of
// them would have the garbage collector run far more rarely than where the engine is used, which
// would flatter whoever allocates.
func allocate(n int) (mem []byte, free func()) {
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n), func() {}
	}
	// It fails only for what Mmap did not return.
	return mem, func() { _ = unix.Munmap(mem) }
}
