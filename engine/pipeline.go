package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/crypto/md5lanes"
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
	index   index.Store
	md5     *md5lanes.Pool
	budget  *budget
	blocks  *blocks
	scratch chan []byte // one a processor: who has one may compute
	pins    *pins
	damage  *damage
	room    func() error // refuses what adds data when the disk is full

	throttle *throttle // slows bodies down; nil does not
}

func newPipeline(
	blobs blob.Store, idx index.Store, d *damage, o *Options, room func() error, processors int,
) *pipeline {
	p := &pipeline{
		blobs:   blobs,
		index:   idx,
		md5:     md5lanes.NewPool(),
		budget:  newBudget(o.MemoryBudget, o.ChunkSize),
		blocks:  newBlocks(o.ChunkSize),
		scratch: make(chan []byte, processors),
		pins:    newPins(func(ref blob.Ref) bool { return d.known(ref) != nil }),
		damage:  d,
		room:    room,
	}
	for range processors {
		p.scratch <- make([]byte, s2.MaxEncodedLen(o.ChunkSize))
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
	ctx context.Context, b *buffer, keys chunkKeys, ch *chunk, inline int,
) error {
	defer func() {
		b.settle()
		p.budget.put(b)
	}()
	err := p.compute(ctx, func([]byte) error {
		ch.crc64 = crypto.CRC64(0, b.chunk())
		ch.id = keys.addressOf(b.chunk())
		return nil
	})
	if err != nil {
		return err
	}
	var frame []byte // made once: the plaintext is gone then
	encode := func() error {
		if frame != nil {
			return nil
		}
		if keys.cipher != nil {
			b.settle() // now, rather than while others could compute
		}
		return p.compute(ctx, func(scratch []byte) (err error) {
			frame, err = encodeFrame(b, ch.id, keys.cipher, scratch)
			return err
		})
	}
	if inline > 0 {
		if err := encode(); err != nil {
			return err
		}
		if len(frame) <= inline {
			ch.frame = bytes.Clone(frame) // it lies in the buffer
			return nil
		}
	}
	ch.found, err = p.pins.hold(ctx, blob.ID(ch.id), func() (foundChunk, bool, error) {
		return p.lookUp(ctx, ch.id)
	}, func() (blob.Ref, error) {
		if err := p.room(); err != nil {
			return blob.Ref{}, err
		}
		if err := encode(); err != nil {
			return blob.Ref{}, err
		}
		ref, err := p.blobs.Put(ctx, blob.ID(ch.id), frame)
		if err == nil {
			p.damage.good(ref)
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

// lookUp finds a chunk that the index knows, and that is there as far as can be told without
// reading it. One that is known to be damaged, or turns out to be missing, is not found.
func (p *pipeline) lookUp(
	ctx context.Context, id crypto.Address,
) (found foundChunk, ok bool, err error) {
	var failed blob.Ref // where the proof has failed
	var failure error
	for {
		rec, ok, err := chunkRecord(ctx, p.index, index.ChunkID(id))
		if err != nil || !ok || p.damage.knownIn(index.ChunkID(id), &rec) != nil {
			return foundChunk{}, false, err
		}
		ref := refOf(index.ChunkID(id), rec)
		if ref == failed {
			p.damage.noteOne(ctx, ref, failure)
			return foundChunk{}, false, nil
		}
		err = p.damage.prove(ctx, ref)
		if err == nil {
			return foundChunk{ref: ref, durable: true}, true, nil
		}
		if !isDamage(err) {
			return foundChunk{}, false, err
		}
		// Between the two steps the chunk may have moved and its old volume gone: look again.
		failed, failure = ref, err
	}
}

// chunkRecord returns the record of a chunk, if the index has one.
func chunkRecord(
	ctx context.Context, idx index.Store, id index.ChunkID,
) (rec index.Chunk, ok bool, err error) {
	err = idx.View(ctx, func(r index.Reader) (err error) {
		rec, err = index.Get(r, index.ChunkKey(id))
		if errors.Is(err, index.ErrNotFound) {
			return nil
		}
		ok = err == nil
		return err
	})
	return rec, ok, err
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
