package volumes

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/badgerfile"
)

// The value log of a Badger volume begins with bytes that say how it is encrypted: it is not. Then
// follow Badger's records (see package badgerfile), one a frame:
//
//	| meta 0 | user meta 0 | key length 40 | size of the frame | expiry 0 | key | frame | CRC-32C |
//	|<--------------------------------- head --------------------------------->|
//
// with unsigned varints for the lengths and the expiry. A key is the frame's ID and a version: the
// greatest number of 64 bits less the version, in big endian. The version of a frame is the place
// of its record in the log. So whoever has a Ref knows each byte of the head, and a record that is
// elsewhere than it was written is none.
const (
	valueLogStart  = badgerfile.LogHeader
	badgerKeySize  = len(blob.ID{}) + 8
	leastRecord    = int64(2 + 1 + 1 + 1 + badgerKeySize + sumSize)
	pointerSize    = 12
	valueLogNumber = 1 // of the only one
	// keyRecordSize is what a key takes of Badger's log of the keys.
	keyRecordSize  = 2 + 1 + 1 + 1 + badgerKeySize + pointerSize + sumSize
	surveyReadSize = 256 << 10
)

// headBegin is how every head begins.
var headBegin = []byte{0, 0, byte(badgerKeySize)}

// head implements kind.
func (badgerKind) head(ref blob.Ref) (h head) {
	b := append(h.room[:0], headBegin...)
	b = binary.AppendUvarint(b, uint64(ref.Size))
	b = append(b, 0)
	b = appendBadgerKey(b, ref)
	h.size, h.sum = len(b), crc32.Checksum(b, castagnoli)
	return h
}

// appendBadgerKey appends the key of a frame.
func appendBadgerKey(b []byte, ref blob.Ref) []byte {
	b = append(b, ref.ID[:]...)
	return binary.BigEndian.AppendUint64(b, math.MaxUint64-uint64(ref.Offset))
}

// recordSize implements kind.
func (badgerKind) recordSize(frame int64) int64 {
	size := leastRecord + frame
	for ; frame >= 1<<7; frame >>= 7 {
		size++
	}
	return size
}

// parse implements kind.
func (k badgerKind) parse(b []byte, at int64) (ref blob.Ref, ok bool) {
	if !bytes.HasPrefix(b, headBegin) {
		return blob.Ref{}, false
	}
	size, n := binary.Uvarint(b[len(headBegin):])
	key := len(headBegin) + n + 1
	if n <= 0 || size > blob.MaxFrameSize || key+badgerKeySize > len(b) {
		return blob.Ref{}, false
	}
	ref = blob.Ref{ID: blob.ID(b[key:]), Offset: uint32(at), Size: uint32(size)}
	h := k.head(ref)
	return ref, bytes.HasPrefix(b, h.bytes())
}

// resume implements kind. Records follow each other without gaps, so one may begin anywhere. That a
// head names its own place makes sure that it is one.
func (k badgerKind) resume(log io.ReaderAt, from, size int64) (int64, error) {
	block := make([]byte, surveyReadSize)
	for at := from; at+leastRecord <= size; {
		b := block[:min(size-at, int64(len(block)))]
		if _, err := log.ReadAt(b, at); err != nil {
			return 0, err
		}
		for i := 0; ; i++ {
			next := bytes.Index(b[i:], headBegin)
			if next < 0 {
				break
			}
			i += next
			here := at + int64(i)
			ref, ok := k.parse(b[i:], here)
			if ok && here+k.recordSize(int64(ref.Size)) <= size {
				return here, nil
			}
		}
		at += int64(max(len(b)-maxHeadSize, 1)) // a head may lie in two blocks
	}
	return size, nil
}

// appendPointer appends what Badger has as the value of a key: in which value log that is, how many
// bytes its record has, and where.
func appendPointer(b []byte, ref blob.Ref) []byte {
	size := badgerKind{}.recordSize(int64(ref.Size))
	for _, n := range []uint32{valueLogNumber, uint32(size), ref.Offset} {
		b = binary.NativeEndian.AppendUint32(b, n) // Badger stores its struct as it lies in memory
	}
	return b
}
