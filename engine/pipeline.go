package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/crypto/md5lanes"
	"github.com/gabion-storage/gabion/engine/internal/frame"
	"github.com/gabion-storage/gabion/index"
)

// A takenBody is a body that has been taken in: split into chunks that are stored. Those of all
// pages but the last are named by its draft; those of the last are perhaps not yet durable, and
// pinned until release.
type takenBody struct {
	md5    [16]byte
	crc64  uint64
	size   int64
	chunks int      // how many
	page   []*chunk // the last page
}

// sum continues the body's CRC-64 with that of its next chunks.
func (b *takenBody) sum(chunks []*chunk) {
	for _, ch := range chunks {
		b.crc64 = crypto.CombineCRC64(b.crc64, ch.crc64, int64(ch.size))
	}
}

// inline is the only chunk, if its frame is to be kept in the index, or nil.
func (b *takenBody) inline() *chunk {
	if b.chunks == 1 && b.page[0].frame != nil {
		return b.page[0]
	}
	return nil
}

type chunk struct {
	id    crypto.Address
	size  int
	crc64 uint64
	frame []byte // of a chunk that is not stored: see takenBody.inline
	found foundChunk
	held  bool // pinned
}

// pipeline turns bodies into stored chunks. The memory it uses is its buffers, one scratch a
// processor, one block for each body under way whose client may be slow, and two pages of chunks
// for each, however long the bodies are.
type pipeline struct {
	blobs   blob.Store
	md5     *md5lanes.Pool
	budget  *budget
	blocks  *blocks
	scratch chan []byte // one a processor: who has one may compute
	pins    *pins
	chunks  *storedChunks                          // what need not be stored
	room    func() error                           // refuses what adds data when the disk is full
	pace    func(ctx context.Context, n int) error // waits until n more bytes may be taken in
}

func newPipeline(
	blobs blob.Store, chunks *storedChunks, o *Options, room func() error,
	pace func(context.Context, int) error, processors int,
) *pipeline {
	p := &pipeline{
		blobs:   blobs,
		md5:     md5lanes.NewPool(),
		budget:  newBudget(o.MemoryBudget, o.ChunkSize),
		blocks:  newBlocks(o.ChunkSize),
		scratch: make(chan []byte, processors),
		pins:    newPins(func(ref blob.Ref) bool { return chunks.damage.Known(ref) != nil }),
		chunks:  chunks,
		room:    room,
		pace:    pace,
	}
	for range processors {
		p.scratch <- make([]byte, frame.ScratchSize(o.ChunkSize))
	}
	return p
}

// ended makes sure that an error of a context that has ended shows that: the caller may have ended
// it with a cause of its own.
func ended(ctx context.Context, err error) error {
	if e := ctx.Err(); err != nil && e != nil && !errors.Is(err, e) {
		return fmt.Errorf("%w: %w", e, err)
	}
	return err
}

// store addresses one chunk, makes sure that it is stored, and gives its buffer back. One whose
// frame is at most inline bytes long is not stored, but kept.
func (p *pipeline) store(
	ctx context.Context, b *buffer, keys frame.Keys, ch *chunk, inline int,
) error {
	defer func() {
		b.settle()
		p.budget.put(b)
	}()
	err := p.compute(ctx, func([]byte) error {
		ch.crc64 = crypto.CRC64(0, b.chunk())
		ch.id = keys.AddressOf(b.chunk())
		return nil
	})
	if err != nil {
		return err
	}
	var made []byte // once: the plaintext is gone then
	encode := func() error {
		if made != nil {
			return nil
		}
		if keys.Cipher != nil {
			b.settle() // now, rather than while others could compute
		}
		return p.compute(ctx, func(scratch []byte) (err error) {
			made, err = frame.Encode(b.mem, b.n, ch.id, keys, scratch, b.settle)
			return err
		})
	}
	if inline > 0 {
		if err := encode(); err != nil {
			return err
		}
		if len(made) <= inline {
			ch.frame = bytes.Clone(made) // it lies in the buffer
			return nil
		}
	}
	ch.found, err = p.pins.hold(ctx, blob.ID(ch.id), func() (foundChunk, bool, error) {
		ref, ok, err := p.chunks.find(ctx, index.ChunkID(ch.id))
		return foundChunk{ref: ref, durable: true}, ok, err
	}, func() (blob.Ref, error) {
		if err := p.room(); err != nil {
			return blob.Ref{}, err
		}
		if err := encode(); err != nil {
			return blob.Ref{}, err
		}
		ref, err := p.blobs.Put(ctx, blob.ID(ch.id), made)
		if err == nil {
			p.chunks.damage.good(ref)
		}
		return ref, err
	})
	ch.held = err == nil
	return err
}

// compute runs fn while fewer goroutines than there are processors do.
func (p *pipeline) compute(ctx context.Context, fn func(scratch []byte) error) error {
	select {
	case s := <-p.scratch:
		defer func() { p.scratch <- s }()
		return fn(s)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sync makes chunks durable.
func (p *pipeline) sync(ctx context.Context, chunks []*chunk) error {
	var volumes []uint64
	for _, ch := range chunks {
		if v := ch.found.ref.Volume; ch.held && !ch.found.durable && !slices.Contains(volumes, v) {
			volumes = append(volumes, v)
		}
	}
	if len(volumes) == 0 {
		return nil
	}
	if err := p.blobs.Sync(ctx, volumes...); err != nil {
		return fmt.Errorf("syncing %d volumes: %w", len(volumes), err)
	}
	return nil
}

// release unpins chunks.
func (p *pipeline) release(chunks []*chunk) {
	for _, ch := range chunks {
		if ch.held {
			p.pins.release(blob.ID(ch.id))
			ch.held = false
		}
	}
}
