//go:build unix

package intake

import "golang.org/x/sys/unix"

func mapMemory(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

// unmapMemory cannot fail for what mapMemory has returned, and there would be nobody to tell.
func unmapMemory(mem []byte) { _ = unix.Munmap(mem) }
