package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// contentCheck is what is known of a content.
type contentCheck struct {
	owners uint64
	upload bool // the owner is an upload, which shares with nobody
	parts  int
	size   int64
	crc64  uint64
	hits   []Problem // of its parts, to be repeated for each owner
}

// content checks the content of an object or upload, once for all its owners.
func (k *check) content(ctx context.Context, hit Problem, id index.ContentID, enc *index.Encryption) (*contentCheck, error) {
	c := k.contents[id]
	if c == nil {
		c = &contentCheck{}
		k.contents[id] = c
		if err := k.parts(ctx, c, id, enc); err != nil {
			return nil, err
		}
	}
	c.owners++
	for _, h := range c.hits {
		hit.PartNumber, hit.Err = h.PartNumber, h.Err
		k.problem(hit)
	}
	return c, nil
}

// parts checks the parts of a content.
func (k *check) parts(ctx context.Context, c *contentCheck, id index.ContentID, enc *index.Encryption) error {
	parts, err := partsOf(k.r, id)
	if err != nil {
		return err
	}
	c.parts, c.crc64 = len(parts), combinedCRC64(parts)
	for i := range parts {
		c.size += parts[i].Size
	}
	open, err := k.opener(ctx, id, enc)
	if err != nil {
		c.hits = append(c.hits, Problem{Err: err})
		return nil
	}
	for i := range parts {
		if err := k.part(ctx, &parts[i].Part, open); err != nil {
			c.hits = append(c.hits, Problem{PartNumber: parts[i].number, Err: err})
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// An opener reads and verifies a chunk, and returns how many bytes it has.
type opener func(ref blob.Ref, inline []byte, c index.PageChunk) (int, error)

// opener returns what reads the chunks of a content; nil without Data.
func (k *check) opener(ctx context.Context, id index.ContentID, enc *index.Encryption) (opener, error) {
	if !k.data {
		return nil, nil
	}
	if enc.Customer {
		return k.openSealed(ctx), nil
	}
	cipher, err := k.engine.ciphers.of(ctx, id, enc)
	if err != nil {
		return nil, err
	}
	return func(ref blob.Ref, inline []byte, c index.PageChunk) (int, error) {
		var plain []byte
		var err error
		if inline != nil {
			plain, err = decodeInline(inline, c, cipher, &k.scratch)
		} else {
			k.scratch.reserve(c)
			plain, err = k.engine.readFrame(ctx, ref, int(c.Size), cipher, &k.scratch)
		}
		return len(plain), err
	}, nil
}

// openSealed reads what only a client's key could open: that the frame is the one that was stored
// is all there is to find out.
func (k *check) openSealed(ctx context.Context) opener {
	return func(ref blob.Ref, inline []byte, _ index.PageChunk) (int, error) {
		if inline != nil {
			return len(inline), nil // the record's checksum has been verified
		}
		frame, err := k.engine.blobs.Get(ctx, ref, k.scratch.frame)
		if err == nil {
			k.scratch.frame = frame
		}
		return len(frame), err
	}
}

// part checks one part and counts its references. The error is the first thing wrong with it.
func (k *check) part(ctx context.Context, rec *index.Part, open opener) error {
	var err error
	if k.manifests[rec.Manifest] {
		err = fmt.Errorf("manifest %s has two owners", rec.Manifest)
	}
	k.manifests[rec.Manifest] = true
	for page, pageErr := range pagesOfPart(k.r, rec) {
		switch {
		case pageErr != nil:
			err = errors.Join(err, pageErr)
		case page.inline != nil:
			k.totals.InlineBytes += int64(len(page.inline))
			if open != nil {
				n, openErr := open(blob.Ref{}, page.inline, page.chunks[0])
				k.res.Bytes += int64(n)
				err = errors.Join(err, openErr)
			}
		default:
			for _, c := range page.chunks {
				if chunkErr := k.reference(c, open); err == nil {
					err = chunkErr
				}
			}
		}
	}
	return err
}

// reference counts one use of a chunk and, if the data is to be checked, reads it once.
func (k *check) reference(c index.PageChunk, open opener) error {
	k.totals.References++
	rec := k.chunks[c.ID]
	if rec == nil {
		return &CorruptionError{What: "chunk " + c.ID.String(), Where: "index", Err: errors.New("its record is missing")}
	}
	rec.counted++
	if open != nil && !rec.read && rec.err == nil {
		rec.read = true
		n, err := open(refOf(c.ID, rec.Chunk), nil, c)
		rec.err = err
		switch place := refOf(c.ID, rec.Chunk); {
		case err != nil:
			k.failed[place] = err
		case rec.Damaged || k.engine.damage.known(place) != nil:
			k.sound = append(k.sound, place)
		}
		k.res.Bytes += int64(n)
	}
	return rec.err
}
