package lease_test

import (
	"context"
	crand "crypto/rand"
	"errors"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// There are few names and chunks, so that processes meet.
func (p *process) someName() string         { return string(rune('a' + p.below(3))) }
func (p *process) someChunk() index.ChunkID { return index.ChunkID{byte('A' + p.below(3))} }

// put puts an object, of a chunk that it finds or stores.
func (p *process) put(ctx context.Context) error {
	began := p.node.Begin()
	defer p.node.End(began)
	name, chunk := p.someName(), p.someChunk()
	place, err := p.find(ctx, chunk)
	if err != nil {
		return err
	}
	p.pause(p.upTo(lasts))
	var content [16]byte
	_, _ = crand.Read(content[:])
	err = p.node.Store().Update(ctx, func(tx index.Tx) error {
		return putObject(tx, name, content, chunk, place)
	})
	if err != nil {
		return err
	}
	p.count("puts")
	p.check()
	return nil
}

// find says in which volume a chunk is, after storing it if need be.
func (p *process) find(ctx context.Context, chunk index.ChunkID) (volume uint64, err error) {
	p.finds(1)
	defer p.finds(-1)
	var rec index.Chunk
	err = p.node.Store().View(ctx, func(r index.Reader) error {
		rec, err = index.Get(r, index.ChunkKey(chunk))
		return err
	})
	switch {
	case err == nil && !p.isCondemned(rec.Volume):
		return rec.Volume, nil
	case err == nil || errors.Is(err, index.ErrNotFound):
		p.travel()
		return p.store(chunk), nil
	}
	return 0, err
}

// delete deletes an object now and then.
func (p *process) delete(ctx context.Context) error {
	p.pause(p.upTo(lasts / 2))
	began := p.node.Begin()
	defer p.node.End(began)
	name := p.someName()
	err := p.node.Store().Update(ctx, func(tx index.Tx) error { return deleteObject(tx, name) })
	if err == nil {
		p.count("deletes")
	}
	return err
}

// read opens an object and reads it a few times.
func (p *process) read(ctx context.Context) error {
	began := p.node.Begin()
	defer p.node.End(began)
	var content [16]byte
	err := p.node.Store().View(ctx, func(r index.Reader) error {
		value, err := r.Get(objectKey(p.someName()))
		copy(content[:], value)
		return err
	})
	if errors.Is(err, index.ErrNotFound) {
		return nil
	}
	for range 3 {
		if err != nil {
			return err
		}
		err = p.readOnce(ctx, content)
		p.pause(p.upTo(10 * time.Second))
	}
	return err
}

// readOnce reads a content that is open. When it is not there and the process has its lease, it is
// lost. A chunk that was moved meanwhile is looked for again.
func (p *process) readOnce(ctx context.Context, content [16]byte) error {
	for last := uint64(0); ; {
		var chunk index.ChunkID
		var rec index.Chunk
		err := p.node.Store().View(ctx, func(r index.Reader) (err error) {
			chunk, rec, err = chunkOf(r, content)
			return err
		})
		if err == nil {
			p.travel()
			if p.has(rec.Volume, chunk) {
				p.count("reads")
				return nil
			}
		}
		if err != nil && !errors.Is(err, index.ErrNotFound) {
			return err
		}
		if err == nil && rec.Volume != last {
			last = rec.Volume
			continue
		}
		if err := p.node.Confirm(ctx); err != nil {
			return err
		}
		p.Errorf("what process %s has open is gone: %v", p.name, err)
		return nil
	}
}
