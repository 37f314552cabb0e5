package blob

import "encoding/binary"

// pieceSize is the most of a frame that one record of the value log holds; a longer frame is kept
// in several, all written by one transaction. Badger encodes each record in a buffer that it makes
// anew for every transaction, as large as the largest record, and copies it from there to the log.
// With pieces that buffer stays in the CPU's cache, and frames of 1 MiB cost a tenth of the garbage.
const pieceSize = 64 << 10

// The key of a piece is the frame's ID, and after the first piece also its number in big endian.
const pieceKeySize = len(ID{}) + 2

// pieceCount is the number of pieces that a frame of so many bytes is kept in.
func pieceCount(size int) int { return max(1, (size+pieceSize-1)/pieceSize) }

// pieceOf returns the bytes of piece i.
func pieceOf(frame []byte, i int) []byte {
	from := i * pieceSize
	return frame[from:min(from+pieceSize, len(frame))]
}

// pieceKey returns the key of piece i.
func pieceKey(id ID, i int) []byte {
	key := append(make([]byte, 0, pieceKeySize), id[:]...)
	if i > 0 {
		key = binary.BigEndian.AppendUint16(key, uint16(i))
	}
	return key
}

// idOfPiece returns the ID of the frame that the key of a piece belongs to.
func idOfPiece(key []byte) (id ID, ok bool) {
	n := copy(id[:], key)
	return id, n == len(id) && (len(key) == n || len(key) == pieceKeySize)
}

// A load is what a batch of frames adds to a volume.
type load struct {
	records int
	bytes   int64 // of the frames
}

func (l load) plus(frame []byte) load {
	return load{records: l.records + pieceCount(len(frame)), bytes: l.bytes + int64(len(frame))}
}

// logBytes bounds how far the batch moves the end of the value log.
func (l load) logBytes() int64 {
	return l.bytes + int64(l.records)*int64(recordOverhead) + batchOverhead
}
