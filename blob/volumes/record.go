package volumes

import (
	"encoding/binary"
	"hash/crc32"
)

// A record is what the log of a volume keeps of one frame:
//
//	| head | frame | CRC-32C |
//
// The head says which frame it is, and how long; what it looks like depends on the kind of volume.
// The sum, big endian, is that of head and frame: no frame passes for another. Who has a Ref knows
// the head and needs only what follows it; the head is for finding records without a Ref.
const (
	sumSize     = 4
	maxHeadSize = 49
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A head is what lies before a frame.
type head struct {
	room [maxHeadSize]byte
	size int
	sum  uint32 // CRC-32C of it, with which the record's begins
}

func (h *head) bytes() []byte { return h.room[:h.size] }

type trailer [sumSize]byte

// trailer is the checksum behind the frame.
func (h *head) trailer(frame []byte) (t trailer) {
	binary.BigEndian.PutUint32(t[:], crc32.Update(h.sum, castagnoli, frame))
	return t
}
