package intake

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/crypto/md5lanes"
	"github.com/gabion-storage/gabion/engine/internal/frame"
)

// Config is what an Intake works with. All but Pack is needed.
type Config struct {
	Blobs blob.Store // where chunks are stored
	Pins  *Pins      // where they are pinned meanwhile

	// Find returns where a chunk is that need not be stored again: the index has it, nothing bad is
	// known of it, and it is there as far as can be told without reading it. ok is false if there is
	// none.
	Find func(ctx context.Context, id blob.ID) (ref blob.Ref, ok bool, err error)

	// Stored is told of each frame that has been put.
	Stored func(blob.Ref)

	// Room fails when nothing more may be stored.
	Room func() error

	// Pace waits until n more bytes may be taken in. It fails only when ctx ends.
	Pace func(ctx context.Context, n int) error

	ChunkSize  int   // in bytes
	Budget     int64 // of the chunk buffers together, in bytes; room for one chunk at least
	PageChunks int   // how many chunks make a full page
	Processors int   // how many chunks may be addressed, packed and sealed at a time
	Pack       bool  // chunks, where that makes them smaller
}

// An Intake turns bodies into stored chunks. Its methods may be called from many goroutines. The
// memory it uses is its buffers, one scratch a processor, one block for each body under way whose
// client may be slow, and two pages of chunks for each, however long the bodies are.
type Intake struct {
	Config
	md5     *md5lanes.Pool
	budget  *budget
	blocks  *blocks
	scratch chan []byte // one a processor: who has one may compute
}

// New makes an intake. It owns nothing that has to be closed.
func New(c Config) *Intake {
	in := &Intake{
		Config:  c,
		md5:     md5lanes.NewPool(),
		budget:  newBudget(c.Budget, c.ChunkSize),
		blocks:  newBlocks(c.ChunkSize),
		scratch: make(chan []byte, c.Processors),
	}
	for range c.Processors {
		in.scratch <- make([]byte, frame.ScratchSize(c.ChunkSize))
	}
	return in
}

// Out counts the chunk buffers, and the blocks that bodies are read into, that are out. While no
// body is under way and no Read either, there are none.
func (in *Intake) Out() int {
	return cap(in.budget.slots) - len(in.budget.slots) + int(in.blocks.out.Load())
}

// MD5 reads a body to its end and returns its MD5 and its size. It stores nothing, but reads as
// Take does, so that a body that panics or blocks does no more harm than there.
func (in *Intake) MD5(ctx context.Context, b *Body) (sum [16]byte, size int64, err error) {
	f := in.newFilling(b)
	go f.read(ctx)
	defer f.end()
	hash := in.md5.New()
	defer hash.Close()
	for {
		select {
		case filled := <-f.filled:
			if filled.buf == nil {
				return hash.Sum(), size, filled.err
			}
			_, err := hash.Write(filled.buf.chunk())
			size += int64(filled.buf.n)
			in.budget.put(filled.buf)
			if err != nil {
				return sum, 0, err
			}
		case <-ctx.Done():
			return sum, 0, context.Cause(ctx)
		}
	}
}

// Sync makes chunks durable: from then on the index may name them.
func (in *Intake) Sync(ctx context.Context, chunks []*Chunk) error {
	var volumes []uint64
	for _, ch := range chunks {
		if v := ch.Ref.Volume; ch.pinned && !ch.durable && !slices.Contains(volumes, v) {
			volumes = append(volumes, v)
		}
	}
	if len(volumes) == 0 {
		return nil
	}
	if err := in.Blobs.Sync(ctx, volumes...); err != nil {
		if ctx.Err() == nil {
			in.Pins.forsake(volumes, err)
		}
		return fmt.Errorf("syncing %d volumes: %w", len(volumes), err)
	}
	return nil
}

// Release unpins the last page of a body that Take has returned.
func (in *Intake) Release(t *Taken) { in.unpin(t.Page) }

func (in *Intake) unpin(chunks []*Chunk) {
	for _, ch := range chunks {
		if ch.pinned {
			in.Pins.unpin(blob.ID(ch.ID))
			ch.pinned = false
		}
	}
}

// store addresses one chunk, makes sure that it is stored, and gives its buffer back. One whose
// frame is at most inline bytes long is not stored, but kept.
func (in *Intake) store(
	ctx context.Context, b *buffer, keys frame.Keys, ch *Chunk, inline int,
) error {
	defer func() {
		b.awaitDigests()
		in.budget.put(b)
	}()
	err := in.compute(ctx, func([]byte) error {
		ch.CRC64 = crypto.CRC64(0, b.chunk())
		ch.ID = keys.AddressOf(b.chunk())
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
			b.awaitDigests() // now, rather than while others could compute
		}
		return in.compute(ctx, func(scratch []byte) (err error) {
			made, err = frame.Encode(b.mem, b.n, ch.ID, keys, in.Pack, scratch, b.awaitDigests)
			return err
		})
	}
	if inline > 0 {
		if err := encode(); err != nil {
			return err
		}
		if len(made) <= inline {
			ch.Frame = bytes.Clone(made) // it lies in the buffer
			return nil
		}
	}
	at, err := in.Pins.pin(ctx, blob.ID(ch.ID), func() (location, bool, error) {
		ref, ok, err := in.Find(ctx, blob.ID(ch.ID))
		return location{ref: ref, durable: true}, ok, err
	}, func() (blob.Ref, error) {
		if err := in.Room(); err != nil {
			return blob.Ref{}, err
		}
		if err := encode(); err != nil {
			return blob.Ref{}, err
		}
		ref, err := in.Blobs.Put(ctx, blob.ID(ch.ID), made)
		if err == nil {
			in.Stored(ref)
		}
		return ref, err
	})
	ch.Ref, ch.durable, ch.pinned = at.ref, at.durable, err == nil
	return err
}

// compute runs fn while fewer goroutines than there are processors do.
func (in *Intake) compute(ctx context.Context, fn func(scratch []byte) error) error {
	select {
	case s := <-in.scratch:
		defer func() { in.scratch <- s }()
		return fn(s)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
