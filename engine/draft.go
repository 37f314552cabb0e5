package engine

import (
	"context"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/intake"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// A draft is a manifest that is being written. Its full pages are committed while the body comes
// in, each in a transaction of its own, so that neither memory nor a transaction grows with the
// body. The last page goes with what names the manifest, so that the manifest is there if and only
// if that is. Until then a manifest with pages is provisional: whatever ends it, its pages are
// garbage that is accounted for.
//
// The methods of a draft are for one goroutine at a time.
type draft struct {
	engine      *Engine
	id          index.ManifestID
	scope       index.Scope // of its chunks
	cipher      *crypto.Cipher
	seals       seals // of the content that it becomes part of
	provisional *ledger.Provisional

	pages  int   // that are committed
	chunks int   // on them
	size   int64 // bytes of these chunks
}

// newDraft begins a manifest for a content. cipher is nil without encryption. The caller must end
// it.
func (e *Engine) newDraft(of index.ContentID, cipher *crypto.Cipher) (*draft, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	return &draft{
		engine: e, id: id, cipher: cipher, seals: e.sealsOf(of, cipher),
		provisional: e.trash.NewProvisional(id, index.TrashManifest),
	}, nil
}

// begin prepares to take in a body for a bucket: its chunks are addressed within the bucket's
// scope, or under its data key.
func (d *draft) begin(in *incoming, b *liveBucket) (err error) {
	if d.cipher == nil {
		d.scope = b.scopeOf(d.id)
	}
	in.Keys, err = d.engine.keysOf(d.cipher, d.scope)
	return err
}

// end gives up what was not published.
func (d *draft) end() { d.provisional.End() }

// add commits a full page. There must be more chunks to come.
func (d *draft) add(ctx context.Context, chunks []*intake.Chunk) error {
	err := d.name(ctx, chunks, func(tx index.Tx) error {
		if err := d.addPage(tx, chunks); err != nil {
			return err
		}
		return d.provisional.Begin(tx)
	})
	if err != nil {
		return err
	}
	d.provisional.Begun()
	d.pages++
	d.chunks += len(chunks)
	for _, ch := range chunks {
		d.size += int64(ch.Size)
	}
	return nil
}

// publish stores the rest of the manifest of a body, and runs fn in the same transaction, which
// names it and counts what it is given.
func (d *draft) publish(
	ctx context.Context, body *intake.Taken, fn func(tx index.Tx, also index.Totals) error,
) error {
	err := d.name(ctx, body.Page, func(tx index.Tx) (err error) {
		var also index.Totals
		switch ch := body.Inline(); {
		case ch != nil:
			rec := index.Inline{PageChunk: d.entry(ch), Frame: ch.Frame}
			d.seals.signInline(d.id, &rec)
			also, err = ledger.PutInline(tx, d.id, &rec)
		case len(body.Page) > 0:
			err = d.addPage(tx, body.Page)
		}
		if err != nil {
			return err
		}
		if err := d.provisional.Name(tx); err != nil {
			return err
		}
		return fn(tx, also)
	})
	if err == nil {
		d.provisional.Named()
	}
	return err
}

// name makes chunks durable and then runs fn, which names them, in a transaction. The order is a
// law, and this is the only place that names chunks of a body: what the index knows has all its
// bytes on disk.
func (d *draft) name(ctx context.Context, chunks []*intake.Chunk, fn func(index.Tx) error) error {
	if err := d.engine.intake.Sync(ctx, chunks); err != nil {
		return err
	}
	return d.engine.index.Update(ctx, fn)
}

// entry is how the manifest lists a chunk. Of what is sealed it does not say the checksum of the
// plaintext: by the checksums of chunks who reads the disk could tell which uploads have some in
// common. A sealed chunk has the tag of its seal instead.
func (d *draft) entry(ch *intake.Chunk) index.PageChunk {
	c := index.PageChunk{ID: index.ChunkID(ch.ID), Size: uint32(ch.Size)}
	if d.cipher == nil {
		c.CRC64 = ch.CRC64
	}
	return c
}

// addPage stores the next page and counts its references.
func (d *draft) addPage(tx index.Tx, chunks []*intake.Chunk) error {
	page := index.Page{Start: d.size, Chunks: make([]index.PageChunk, len(chunks))}
	for i, ch := range chunks {
		page.Chunks[i] = d.entry(ch)
	}
	d.seals.signPage(d.id, d.pages, &page)
	return ledger.PutPage(
		tx, d.engine.damage, d.id, d.pages, &page,
		func(i int) blob.Ref { return chunks[i].Ref },
	)
}

// refer makes the draft one of a part that is there, without encryption. The part must be in use
// until the draft is published: only its own references keep the chunks' records. It may be slowed
// down.
func (d *draft) refer(ctx context.Context, part *index.Part) (*intake.Taken, error) {
	d.scope = part.Scope
	body := &intake.Taken{MD5: part.ETag, Size: part.Size, Chunks: part.Chunks}
	var end int64
	pages := ledger.Pages(part)
	if part.Inline {
		pages = 1
	}
	for n := range pages {
		if n > 0 {
			if err := d.add(ctx, body.Page); err != nil {
				return nil, err
			}
		}
		if err := d.engine.paceReferences(ctx, part, n); err != nil {
			return nil, err
		}
		page, err := d.read(ctx, func(r index.Reader) (*ledger.Page, error) {
			if part.Inline {
				return ledger.ReadInline(r, part, &d.seals)
			}
			return ledger.ReadPage(r, part, n, &d.seals)
		})
		if err != nil {
			return nil, err
		}
		if page.Start != end {
			return nil, ledger.WrongManifest(
				part, "page %d begins at byte %d, the one before ends at %d", n, page.Start, end,
			)
		}
		end = page.End()
		if body.Page, err = d.referTo(ctx, page); err != nil {
			return nil, err
		}
		body.CombineCRC64(body.Page)
	}
	if end != part.Size {
		return nil, ledger.WrongManifest(part, "it lists %d bytes, wanted are %d", end, part.Size)
	}
	if body.CRC64 != part.CRC64 {
		return nil, ledger.WrongManifest(
			part, "its chunks have CRC-64 %016x in their order, the part has %016x", body.CRC64,
			part.CRC64,
		)
	}
	return body, nil
}

// read reads a page in a snapshot of its own: one that lasted over all pages would keep the index
// from giving up what is deleted meanwhile.
func (d *draft) read(
	ctx context.Context, from func(index.Reader) (*ledger.Page, error),
) (page *ledger.Page, err error) {
	err = d.engine.index.View(ctx, func(r index.Reader) (err error) {
		page, err = from(r)
		return err
	})
	return page, err
}

// referTo returns the chunks of a page, which must be there and sound, as chunks of another
// manifest.
func (d *draft) referTo(ctx context.Context, page *ledger.Page) (chunks []*intake.Chunk, err error) {
	for _, pc := range page.Chunks {
		if page.Inline == nil {
			if err := d.engine.chunks.prove(ctx, pc.ID); err != nil {
				return nil, err
			}
		}
		chunks = append(chunks, &intake.Chunk{
			ID: crypto.Address(pc.ID), Size: int(pc.Size), CRC64: pc.CRC64, Frame: page.Inline,
			Ref: blob.Ref{ID: blob.ID(pc.ID)}, // wherever its record says
		})
	}
	return chunks, nil
}
