package volumes

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// The head of a record in a log volume is
//
//	| "gbnf" 4 | size of the frame 4 | ID 32 | CRC-32C of these 40 bytes |
//
// with numbers in big endian. Its own sum is left out of that behind the frame.
const (
	recordMagic = "gbnf"
	logHeadSize = 4 + 4 + 32 + sumSize
)

// head implements kind.
func (logKind) head(ref blob.Ref) (h head) {
	h.size = logHeadSize
	copy(h.room[:], recordMagic)
	binary.BigEndian.PutUint32(h.room[4:], ref.Size)
	copy(h.room[8:], ref.ID[:])
	h.sum = crc32.Checksum(h.room[:logHeadSize-sumSize], castagnoli)
	binary.BigEndian.PutUint32(h.room[logHeadSize-sumSize:], h.sum)
	return h
}

// recordSize implements kind. The end of the last block of a batch comes on top.
func (logKind) recordSize(frame int64) int64 { return logHeadSize + frame + sumSize }

// parse implements kind.
func (k logKind) parse(b []byte, at int64) (ref blob.Ref, ok bool) {
	if len(b) < logHeadSize {
		return blob.Ref{}, false
	}
	ref = blob.Ref{
		ID: blob.ID(b[8:]), Offset: uint32(at), Size: binary.BigEndian.Uint32(b[4:]),
	}
	h := k.head(ref)
	return ref, string(h.bytes()) == string(b[:logHeadSize])
}

// resume implements kind. A batch begins with a block, and any one may be missing: those after it
// may have been written, and synced, before it.
func (logKind) resume(_ io.ReaderAt, from, size int64) (int64, error) {
	return min(disk.RoundUp(from), size), nil
}
