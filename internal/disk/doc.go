// Package disk holds the few things Gabion needs from a file system beyond package os: durable
// puts, preallocation, writing past the page cache, free space, directory locks and checksum lists
// of closed directories.
//
// A [Dir] is a directory in which nothing is trusted to be what it is called. All that a store does
// below its own directory goes through one; functions that take a path are for the way there, and
// for files that their user chooses, which may lie behind symlinks.
//
// Platforms differ in what they can guard:
//
//	              Linux              macOS                   Windows
//	Preallocate   fallocate          no-op                   no-op
//	CheckSpace    fallocate          no-op                   no-op
//	Extend        fallocate          no-op                   no-op
//	CreateDirect  O_DIRECT (6.1)     page cache              page cache
//	DetachMapping known mappings     no-op                   no-op
//	WriteInPlace  Btrfs              no-op                   no-op
//	ReuseMemory   mremap (5.7)       no-op                   no-op
//	Async         io_submit          blocks                  blocks
//	WritePieces   pwritev            a write for each        a write for each
//	Dir.Sync      fsync              fsync (F_FULLFSYNC)     no-op: NTFS journals directory entries
//	Dir.Space     bytes and inodes   bytes and inodes        bytes
//	Dir.Lock      flock, also of the directory itself        LockFileEx
//	Usage         allocated blocks   allocated blocks        file sizes
//
// The free space is counted in the file system's own unit: f_frsize on Linux, f_bsize elsewhere.
//
// Where Preallocate is a no-op, a disk that fills up while a memory-mapped file is being written
// kills the process; only the free-space reserve stands before that.
package disk
