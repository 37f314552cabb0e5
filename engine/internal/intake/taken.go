package intake

import (
	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
)

// A Taken is a body that has been taken in: split into chunks that are stored. Those of all pages
// but the last are in the hands of who got these; those of the last are perhaps not yet durable,
// and pinned until Release.
type Taken struct {
	MD5    [16]byte
	CRC64  uint64
	Size   int64
	Chunks int      // how many
	Page   []*Chunk // the last page
}

// CombineCRC64 continues the body's CRC-64 with that of its next chunks.
func (t *Taken) CombineCRC64(chunks []*Chunk) {
	for _, ch := range chunks {
		t.CRC64 = crypto.CombineCRC64(t.CRC64, ch.CRC64, int64(ch.Size))
	}
}

// Inline returns the only chunk, if its frame is to be kept in the index, or nil.
func (t *Taken) Inline() *Chunk {
	if t.Chunks == 1 && t.Page[0].Frame != nil {
		return t.Page[0]
	}
	return nil
}

// A Chunk is one chunk of a body.
type Chunk struct {
	ID    crypto.Address
	Size  int // of the plaintext, in bytes
	CRC64 uint64
	Frame []byte   // of a chunk that is not stored: see Taken.Inline
	Ref   blob.Ref // where one is that is

	durable bool // see location
	pinned  bool
}
