package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// content is a body that has been taken in: split into chunks that are stored, though perhaps not
// yet durable, and pinned until release.
type content struct {
	md5    [16]byte
	crc64  uint64
	size   int64
	chunks []*chunk
}

// inline is the only chunk, if its frame is to be kept in the index, or nil.
func (c *content) inline() *chunk {
	if len(c.chunks) == 1 && c.chunks[0].frame != nil {
		return c.chunks[0]
	}
	return nil
}

type chunk struct {
	id    crypto.Address
	size  int
	crc64 uint64
	frame []byte // of a chunk that is not stored: see content.inline
	found foundChunk
	held  bool // pinned
}

// pipeline turns bodies into stored chunks. The memory it uses is its buffers, one scratch a processor,
// and one block for each body under way whose client may be slow, however long the bodies are.
type pipeline struct {
	blobs   blob.Store
	index   index.Store
	md5     *crypto.MD5Pool
	budget  *budget
	blocks  *blocks
	scratch chan []byte // one a processor: who has one may compute
	pins    *pins
	damage  *damage
	room    func() error // refuses what adds data when the disk is full
}

func newPipeline(blobs blob.Store, idx index.Store, d *damage, o *Options, room func() error, processors int) *pipeline {
	p := &pipeline{
		blobs:   blobs,
		index:   idx,
		md5:     crypto.NewMD5Pool(),
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

// take reads a body to its end and stores its chunks. Three stages run side by side: one goroutine
// reads into buffers, the caller's computes the MD5 in order, and one a chunk addresses, packs and
// stores it; where that is done in place it waits for the MD5. On success the caller must release the
// content; on failure nothing is left pinned.
//
// A Read that does not return does not hold up the caller once its context has ended; it keeps its
// goroutine and one block of memory, but no buffer, until it does return.
func (p *pipeline) take(caller context.Context, in *intake) (*content, error) {
	ctx, cancel := context.WithCancelCause(caller)
	defer cancel(nil)
	sum := p.md5.New()
	defer sum.Close()

	f := p.newFilling(in)
	var reading sync.WaitGroup
	reading.Go(func() { f.read(ctx) })

	c := &content{}
	var stores sync.WaitGroup
	whole := false
	defer func() {
		if !whole { // an error, or a panic of the caller's progress function
			cancel(errAbandoned)
			f.end()
			stores.Wait()
			if in.own { // Close waits for the call, but not for what the call leaves behind
				reading.Wait()
			}
			p.release(c)
		}
	}()
	err := p.spread(ctx, in, c, f.filled, sum, func(b *buffer, ch *chunk, inline int) {
		stores.Go(func() {
			if err := p.store(ctx, b, in.cipher, ch, inline); err != nil {
				cancel(err)
			}
		})
	})
	if err != nil {
		cancel(err)
	}
	stores.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, ended(caller, err)
	}
	c.md5 = sum.Sum()
	for _, ch := range c.chunks {
		c.crc64 = crypto.CombineCRC64(c.crc64, ch.crc64, int64(ch.size))
	}
	whole = true
	return c, nil
}

// ended makes sure that an error of a context that has ended shows that: the caller may have ended it
// with a cause of its own.
func ended(ctx context.Context, err error) error {
	if e := ctx.Err(); err != nil && e != nil && !errors.Is(err, e) {
		return fmt.Errorf("%w: %w", e, err)
	}
	return err
}

// errAbandoned stops the stages of a body that is not taken in.
var errAbandoned = errors.New("engine: the body was abandoned")

// spread receives the filled buffers in order, hands each to store and computes the digests meanwhile.
func (p *pipeline) spread(ctx context.Context, in *intake, c *content, filled <-chan filledBuffer, sum *crypto.MD5, store func(b *buffer, ch *chunk, inline int)) error {
	for {
		var f filledBuffer
		select {
		case f = <-filled:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if f.buf == nil {
			if f.err != nil {
				return f.err
			}
			return checkSize(in, c.size)
		}
		c.size += int64(f.buf.n)
		if err := in.checkMost(c.size); err != nil {
			p.budget.put(f.buf)
			return err
		}
		ch, inline := &chunk{size: f.buf.n}, 0
		if f.last && len(c.chunks) == 0 {
			inline = in.inline
		}
		c.chunks = append(c.chunks, ch)
		store(f.buf, ch, inline)
		_, err := sum.Write(f.buf.chunk())
		for _, d := range in.digests {
			d.Write(f.buf.chunk()) // a hash never fails
		}
		f.buf.digested <- struct{}{} // in any case: store waits for it
		if err != nil {
			return err
		}
		if in.progress != nil {
			in.progress(c.size)
		}
	}
}

// store addresses one chunk, makes sure that it is stored, and gives its buffer back. One whose
// frame is at most inline bytes long is not stored, but kept.
func (p *pipeline) store(ctx context.Context, b *buffer, cipher *crypto.Cipher, ch *chunk, inline int) error {
	defer func() {
		b.settle()
		p.budget.put(b)
	}()
	err := p.compute(ctx, func([]byte) error {
		ch.crc64 = crypto.CRC64(0, b.chunk())
		if cipher != nil {
			ch.id = cipher.AddressOf(b.chunk())
		} else {
			ch.id = crypto.AddressOf(b.chunk())
		}
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
		if cipher != nil {
			b.settle() // now, rather than while others could compute
		}
		return p.compute(ctx, func(scratch []byte) (err error) {
			frame, err = encodeFrame(b, ch.id, cipher, scratch)
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

// lookUp finds a chunk that the index knows, and that is there as far as can be told without reading it.
// One that is known to be damaged, or turns out to be missing, is not found.
func (p *pipeline) lookUp(ctx context.Context, id crypto.Address) (found foundChunk, ok bool, err error) {
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
func chunkRecord(ctx context.Context, idx index.Store, id index.ChunkID) (rec index.Chunk, ok bool, err error) {
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

// sync makes the chunks of c durable.
func (p *pipeline) sync(ctx context.Context, c *content) error {
	var volumes []uint64
	for _, ch := range c.chunks {
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

// release unpins the chunks of c.
func (p *pipeline) release(c *content) {
	for _, ch := range c.chunks {
		if ch.held {
			p.pins.release(blob.ID(ch.id))
			ch.held = false
		}
	}
}
