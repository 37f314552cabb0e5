package s3blob

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/gabion-storage/gabion/blob"
)

// magic begins every volume.
const magic = "GABIONV1"

// recordHeader is of how many bytes the head of a record is.
const recordHeader = len(blob.ID{}) + 4 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendHeader appends the head of the record of a frame.
func appendHeader(to []byte, id blob.ID, frame []byte) []byte {
	begin := len(to)
	to = append(to, id[:]...)
	to = binary.BigEndian.AppendUint32(to, uint32(len(frame)))
	sum := crc32.Update(crc32.Checksum(to[begin:], castagnoli), castagnoli, frame)
	return binary.BigEndian.AppendUint32(to, sum)
}

// checkHeader fails when the head is not that of the frame of ref.
func checkHeader(head []byte, ref blob.Ref) error {
	id, size := blob.ID(head), binary.BigEndian.Uint32(head[len(ref.ID):])
	switch {
	case id != ref.ID:
		return corrupt(ref, "another frame is at this place", nil)
	case size != ref.Size:
		return corrupt(ref, fmt.Sprintf("the frame has %d bytes, wanted are %d", size, ref.Size), nil)
	}
	return nil
}

// checkFrame fails when the frame is not what the head says.
func checkFrame(head, frame []byte, ref blob.Ref) error {
	sum := crc32.Update(crc32.Checksum(head[:recordHeader-4], castagnoli), castagnoli, frame)
	if want := binary.BigEndian.Uint32(head[recordHeader-4:]); sum != want {
		return corrupt(ref, fmt.Sprintf("the frame's CRC-32C is %08x, wanted is %08x", sum, want), nil)
	}
	return nil
}

func corrupt(ref blob.Ref, reason string, err error) *blob.CorruptionError {
	return &blob.CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: reason, Err: err}
}
