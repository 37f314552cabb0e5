package contest

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/crypto/md5lanes"
	"github.com/gabion-storage/gabion/engine"
)

// Limits are what uploads cannot be faster than: the engine's is the lesser of the processors' and
// the disk's. crypto/md5 is the processors' limit of who computes nothing but an ETag.
func Limits() []Contender {
	return []Contender{
		{
			Name: "computing", Encrypts: true, WriteOnly: true, Open: openComputing,
			Note: "the processors' limit: MD5, CRC-64, chunk addresses, compression and sealing as in" +
				" the engine, of bytes that are not copied; nothing is stored",
		},
		{
			Name: "crypto/md5", Encrypts: true, WriteOnly: true, Open: openStandardMD5,
			Note: "MD5 of the parts by the standard library, a goroutine a part in flight",
		},
		Disk(),
	}
}

// A limit is a Store that only takes parts.
type limit struct {
	part  func(body []byte) (etag string, err error)
	close func() error
}

func (l limit) Initiate(context.Context, string) (string, error) { return "", nil }

func (l limit) UploadPart(_ context.Context, _, _ string, _ int, body []byte) (string, error) {
	return l.part(body)
}

func (l limit) Complete(_ context.Context, _, _ string, etags []string) (string, error) {
	if slices.Contains(etags, "") {
		return "", nil
	}
	return ETag(etags)
}

func (l limit) Download(context.Context, string, io.Writer) error { return errors.ErrUnsupported }
func (l limit) Close() error                                      { return l.close() }

func openStandardMD5(context.Context, string, bool) (Store, error) {
	part := func(body []byte) (string, error) { return fmt.Sprintf("%x", md5.Sum(body)), nil }
	return limit{part, func() error { return nil }}, nil
}

func openComputing(_ context.Context, _ string, encrypt bool) (Store, error) {
	c := &computing{md5: md5lanes.NewPool(), buffers: make(chan []byte, runtime.GOMAXPROCS(0))}
	for range cap(c.buffers) {
		c.buffers <- make([]byte, frameSize)
	}
	if encrypt {
		key, err := crypto.NewDataKey()
		if err != nil {
			return nil, err
		}
		if c.cipher, err = crypto.NewCipher(key); err != nil {
			return nil, err
		}
	}
	return limit{c.part, func() error { return nil }}, nil
}

const computedChunk = engine.DefaultChunkSize

var frameSize = crypto.NonceSize + s2.MaxEncodedLen(computedChunk) + crypto.TagSize

// computing computes of parts what the engine does: as many chunks at once as there are buffers,
// one a processor, beside their MD5s, which share the processors' lanes.
type computing struct {
	md5     *md5lanes.Pool
	cipher  *crypto.Cipher // nil: do not seal
	buffers chan []byte
}

func (c *computing) part(body []byte) (etag string, err error) {
	pieces := slices.Collect(slices.Chunk(body, computedChunk))
	chunks := make([]computed, len(pieces))
	sum := c.md5.New()
	defer sum.Close()
	var running sync.WaitGroup
	for i, piece := range pieces {
		running.Go(func() { chunks[i] = c.chunk(piece) })
		if _, failed := sum.Write(piece); failed != nil {
			err = failed
		}
	}
	running.Wait()
	for _, chunk := range chunks {
		err = errors.Join(err, chunk.err)
	}
	return fmt.Sprintf("%x", sum.Sum()), err
}

// computed is what becomes of a chunk: its sums, and the size of its frame.
type computed struct {
	crc64   uint64
	address crypto.Address
	size    int
	err     error
}

// chunk computes the sums of a chunk, packs it, and seals what is smaller.
func (c *computing) chunk(piece []byte) computed {
	buffer := <-c.buffers
	defer func() { c.buffers <- buffer }()
	body, room := piece, buffer[crypto.NonceSize:]
	if packed := s2.Encode(room, piece); len(packed) < len(piece) {
		body = packed
	}
	if c.cipher == nil {
		return computed{crypto.CRC64(0, piece), crypto.AddressOf(piece), len(body), nil}
	}
	n := copy(room, body) // of what was packed, onto itself
	address := c.cipher.AddressOf(piece)
	frame, err := c.cipher.Seal(buffer[:crypto.NonceSize+n], address[:])
	return computed{crypto.CRC64(0, piece), address, len(frame), err}
}
