package volumes

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/gabion-storage/gabion/blob"
)

// A record is what a volume's log keeps of one frame:
//
//	| "gbnf" 4 | size of the frame 4 | ID 32 | CRC-32C of these 40 bytes | frame | CRC-32C of all but the first sum |
//
// Numbers are big endian. Who has a Ref needs only what follows the header; the header is for
// finding records without one.
const (
	recordMagic    = "gbnf"
	sumSize        = 4
	headerSize     = 4 + 4 + 32 + sumSize
	recordOverhead = headerSize + sumSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type recordHeader [headerSize]byte

func headerOf(id blob.ID, size uint32) (h recordHeader) {
	h.fill(id, size)
	return h
}

// fill makes h the header of a frame.
func (h *recordHeader) fill(id blob.ID, size uint32) {
	copy(h[:], recordMagic)
	binary.BigEndian.PutUint32(h[4:], size)
	copy(h[8:], id[:])
	binary.BigEndian.PutUint32(
		h[headerSize-sumSize:], crc32.Checksum(h[:headerSize-sumSize], castagnoli),
	)
}

// parse returns the size of the frame that the header is of, if it is one.
func (h *recordHeader) parse() (size uint32, ok bool) {
	size = binary.BigEndian.Uint32(h[4:])
	return size, *h == headerOf(blob.ID(h[8:]), size)
}

type recordTrailer [sumSize]byte

// trailer is the checksum behind the frame. It covers the ID and the size, too: no frame passes for
// another.
func (h *recordHeader) trailer(frame []byte) (t recordTrailer) {
	headerSum := binary.BigEndian.Uint32(h[headerSize-sumSize:])
	binary.BigEndian.PutUint32(t[:], crc32.Update(headerSum, castagnoli, frame))
	return t
}

// recordSize is what a frame takes in the log, but for the end of the last block of its batch.
func recordSize(frame []byte) int64 { return int64(len(frame)) + recordOverhead }
