/*
Package floor is the least that storing parts durably takes, as the measure of an engine: the same
digests, the same compression and sealing, the same volumes and syncs as Gabion's, and no more. It
has no index, no buckets, no limits and no recovery; what it stored is lost with the process.

It is written to be fast. Digests are computed from the caller's bytes, which are copied only where
compressing or sealing makes new ones. The MD5 of a part and its chunks are computed side by side,
and chunks are stored while further ones are computed. As the engine, it computes as many chunks at
once as there are processors; MD5s are not counted, because they share the processors' lanes.
*/
package floor

import (
	"context"
	"runtime"
	"sync"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/crypto/md5lanes"
)

const (
	chunkSize  = 1 << 20 // the engine's default
	maxBuffers = 64      // the engine's default: what is computed ahead of the disk
)

// A Store keeps parts. Its methods may be called from many goroutines.
type Store struct {
	blobs   blob.Store     // nil: only hash
	cipher  *crypto.Cipher // nil: do not seal
	md5     *md5lanes.Pool
	compute chan struct{} // one token a processor
	slots   chan struct{} // one token a buffer that may still be made
	free    chan []byte

	mu    sync.Mutex
	known map[crypto.Address]Chunk // durable
}

// A Chunk is where a chunk is and how to decode it.
type Chunk struct {
	address    crypto.Address
	ref        blob.Ref
	size       int
	crc64      uint64
	compressed bool
	stored     bool // by this part, and not yet durable
}

// A Part is what became of a part.
type Part struct {
	MD5    [16]byte
	CRC64  uint64
	Size   int64
	chunks []Chunk
}

// Open makes a store in dir, which must be empty. With a cipher it seals.
func Open(ctx context.Context, dir string, cipher *crypto.Cipher) (*Store, error) {
	blobs, err := volumes.Open(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	return newStore(blobs, cipher), nil
}

// HashOnly makes a store that computes MD5, CRC-64 and addresses and stores nothing, nor does it
// compress or seal.
func HashOnly(cipher *crypto.Cipher) *Store { return newStore(nil, cipher) }

func newStore(blobs blob.Store, cipher *crypto.Cipher) *Store {
	s := &Store{
		blobs:   blobs,
		cipher:  cipher,
		md5:     md5lanes.NewPool(),
		compute: make(chan struct{}, runtime.GOMAXPROCS(0)),
		slots:   make(chan struct{}, maxBuffers),
		free:    make(chan []byte, maxBuffers),
		known:   make(map[crypto.Address]Chunk),
	}
	for range cap(s.compute) {
		s.compute <- struct{}{}
	}
	for range maxBuffers {
		s.slots <- struct{}{}
	}
	return s
}

// Close closes the store. The directory stays.
func (s *Store) Close() error {
	if s.blobs == nil {
		return nil
	}
	return s.blobs.Close()
}

// buffer waits for a buffer that a frame fits in.
func (s *Store) buffer() []byte {
	select {
	case b := <-s.free: // used before, so paged in already
		return b
	default:
	}
	select {
	case b := <-s.free:
		return b
	case <-s.slots:
		return make([]byte, crypto.NonceSize+s2.MaxEncodedLen(chunkSize)+crypto.TagSize)
	}
}
