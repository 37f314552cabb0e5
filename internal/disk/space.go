package disk

import (
	"math"
	"math/bits"
)

// Space is what a file system has left for an unprivileged user.
type Space struct {
	Bytes      int64
	Inodes     int64 // math.MaxInt64 where the file system does not count them
	Privileged int64 // bytes beyond Bytes that this process may take, since it is the superuser's; 0 where that is not known
	Doubtful   bool  // some of Bytes may not be to be had: see Dir.CheckSpace
}

// newSpace makes a Space of a file system's own numbers: blocks free, of so many bytes each, and
// inodes in all and free. What does not fit into 64 bits is as good as endless.
func newSpace(blocks uint64, blockSize int64, inodes, freeInodes uint64) Space {
	s := Space{Bytes: math.MaxInt64, Inodes: math.MaxInt64}
	if high, low := bits.Mul64(blocks, uint64(max(blockSize, 0))); high == 0 {
		s.Bytes = int64(min(low, math.MaxInt64))
	}
	if inodes != 0 {
		s.Inodes = int64(min(freeInodes, math.MaxInt64))
	}
	return s
}
