package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// Limits of one step of the copying.
const (
	copyBytes   = 32 << 20 // of frames, about, that share a sync
	copyWorkers = 8        // frames that are copied at a time
)

// A clonedChunk is what a store and its clone say of one chunk. Either is nil if it has none.
type clonedChunk struct {
	id       index.ChunkID
	from, to *index.Chunk
}

// chunkWork is what is to be done about the chunks of a window.
type chunkWork struct {
	missing []clonedChunk // to be copied
	doubted []clonedChunk // that the store has found to be damaged since they were copied
	changed []clonedChunk // to be had by as many references, or not any more
	raw     []pair        // that cannot be decoded
}

// chunks makes the clone have the chunks that the store has, with as many references.
func (p *pull) chunks(ctx context.Context, see look) error {
	table := index.Chunks()
	return p.pairs(ctx, see, table.Start, table.End, func(pairs []pair) error {
		work, err := p.sort(pairs)
		if err != nil {
			return err
		}
		err = errors.Join(
			p.write(ctx, work.raw), p.count(ctx, work.changed), p.doubt(ctx, work.doubted),
		)
		if err != nil {
			return err
		}
		for chunks := work.missing; len(chunks) > 0; {
			n := batchOf(chunks)
			if err := p.copy(ctx, chunks[:n]); err != nil {
				return err
			}
			chunks = chunks[n:]
			p.report()
		}
		return nil
	})
}

// sort finds out what is to be done about chunks.
func (p *pull) sort(pairs []pair) (work chunkWork, err error) {
	for _, r := range pairs {
		id, err := index.ParseChunkKey(r.key)
		if err != nil {
			return work, err
		}
		if r.from != nil {
			p.progress.Seen++
		}
		c := clonedChunk{id: id}
		c.to, _ = decodeChunk(r.to) // of the store's, which could not be decoded either
		if c.from, err = decodeChunk(r.from); err != nil {
			if _, newer := errors.AsType[*index.VersionError](err); newer {
				return work, err // it may say where the chunk is in a way that is not true here
			}
			p.damaged = true
		}
		if c.from != nil && c.from.Damaged {
			p.damaged = true
		}
		switch {
		case c.from == nil && c.to == nil:
			if err == nil || r.to == nil || !bytes.Equal(r.from.Value, r.to.Value) {
				work.raw = append(work.raw, r)
			}
		case err != nil: // the clone has it still
		case c.from == nil:
			work.changed = append(work.changed, c)
		case c.to == nil || !p.sound[c.to.Volume], c.to.Damaged && !c.from.Damaged:
			work.missing = append(work.missing, c)
		case c.from.Damaged && !c.to.Damaged:
			work.doubted = append(work.doubted, c)
		case c.to.Refs != c.from.Refs:
			work.changed = append(work.changed, c)
		}
	}
	return work, nil
}

func decodeChunk(item *index.Item) (*index.Chunk, error) {
	if item == nil {
		return nil, nil
	}
	rec, err := index.Decode(index.Key[index.Chunk](item.Key), item.Value)
	if err != nil {
		return nil, err
	}
	return &rec, nil
}

// count makes chunks that the clone has be referred to as often as in the store.
func (p *pull) count(ctx context.Context, chunks []clonedChunk) error {
	records := make([]*index.Chunk, len(chunks))
	for i, c := range chunks {
		if c.from != nil {
			rec := *c.to
			rec.Refs = c.from.Refs
			records[i] = &rec
		}
	}
	return p.replace(ctx, chunks, records)
}

// doubt makes the clone take chunks for damaged that it has copied before the store knew. What the
// store cannot read any more was whole when it was copied, and the clone's is better.
func (p *pull) doubt(ctx context.Context, chunks []clonedChunk) error {
	var volumes []uint64
	var frame []byte
	records := make([]*index.Chunk, len(chunks))
	for i, c := range chunks {
		rec := *c.to
		rec.Refs = c.from.Refs
		records[i] = &rec
		var err error
		frame, err = p.read(ctx, ledger.RefOf(c.id, *c.from), frame)
		switch {
		case err == nil:
			rec.Damaged = true
			volumes = append(volumes, rec.Volume)
		case !isDamage(err):
			return err
		}
	}
	if err := p.seal(ctx, volumes); err != nil {
		return err
	}
	return p.replace(ctx, chunks, records)
}

// seal ends the writing to volumes with frames that are perhaps not what they should be: a Put of
// what they should be must not find one of them.
func (p *pull) seal(ctx context.Context, volumes []uint64) error {
	slices.Sort(volumes)
	var errs []error
	for _, volume := range slices.Compact(volumes) {
		errs = append(errs, p.to.blobs.Seal(ctx, volume))
	}
	return errors.Join(errs...)
}

// replace replaces the clone's records of chunks, those of a window at most.
func (p *pull) replace(
	ctx context.Context, chunks []clonedChunk, records []*index.Chunk,
) error {
	if len(chunks) == 0 {
		return nil
	}
	return p.update(ctx, func(tx index.Tx) error {
		var delta ledger.Delta
		for i, c := range chunks {
			if err := delta.Replace(tx, c.id, c.to, records[i]); err != nil {
				return err
			}
		}
		return delta.Apply(tx)
	})
}

// batchOf is how many chunks are copied at once.
func batchOf(chunks []clonedChunk) (n int) {
	for size := int64(0); n < len(chunks) && size < copyBytes; n++ {
		size += int64(chunks[n].from.Stored)
	}
	return n
}

// copy puts the frames of chunks into the clone, makes them durable and then writes their records,
// in that order.
func (p *pull) copy(ctx context.Context, chunks []clonedChunk) error {
	if err := p.to.room(); err != nil {
		return err
	}
	refs, err := p.copyFrames(ctx, chunks)
	var volumes, doubtful []uint64
	records := make([]*index.Chunk, len(chunks))
	for i, ref := range refs {
		rec := &index.Chunk{
			Volume: ref.Volume, Offset: ref.Offset, Stored: ref.Size, Refs: chunks[i].from.Refs,
			Damaged: chunks[i].from.Damaged,
		}
		records[i] = rec
		switch {
		case ref.Volume == lostVolume:
			rec.Damaged, p.damaged = true, true
			continue
		case ref.Volume == 0: // it was not copied
			continue
		case rec.Damaged:
			doubtful = append(doubtful, ref.Volume)
		}
		if !slices.Contains(volumes, ref.Volume) {
			volumes = append(volumes, ref.Volume)
		}
	}
	if err == nil {
		err = p.to.blobs.Sync(ctx, volumes...)
	}
	// After a failure, too: what nothing refers to could be found all the same.
	if err := errors.Join(err, p.seal(context.WithoutCancel(ctx), doubtful)); err != nil {
		return err
	}
	if err := p.replace(ctx, chunks, records); err != nil {
		return err
	}
	for _, volume := range volumes {
		p.sound[volume] = true
	}
	for _, rec := range records {
		if rec.Volume != lostVolume {
			p.progress.Chunks++
			p.progress.Bytes += int64(rec.Stored)
		}
	}
	return nil
}

// copyFrames puts the frames of chunks into the clone's volumes. Those that the store has lost are
// said to be in the lost volume.
func (p *pull) copyFrames(ctx context.Context, chunks []clonedChunk) ([]blob.Ref, error) {
	refs, errs := make([]blob.Ref, len(chunks)), make([]error, len(chunks))
	next := make(chan int)
	var workers sync.WaitGroup
	for range copyWorkers {
		workers.Go(func() {
			var frame []byte
			for i := range next {
				ref := ledger.RefOf(chunks[i].id, *chunks[i].from)
				if frame, errs[i] = p.read(ctx, ref, frame); errs[i] == nil {
					refs[i], errs[i] = p.to.blobs.Put(ctx, ref.ID, frame)
				} else if isDamage(errs[i]) {
					refs[i], errs[i] = blob.Ref{ID: ref.ID, Volume: lostVolume, Size: ref.Size}, nil
				}
			}
		})
	}
	for i := range chunks {
		next <- i
	}
	close(next)
	workers.Wait()
	return refs, errors.Join(errs...)
}

// read reads a frame from where it was. Get has verified its checksum; more cannot be verified
// without keys. When it is not there, it may have moved since.
func (p *pull) read(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	frame, err := p.from.blobs.Get(ctx, ref, buf)
	if !isDamage(err) {
		return frame, err
	}
	frame, err = p.from.chunks.fetch(ctx, index.ChunkID(ref.ID), buf)
	return frame, ofLedger(err)
}
