package engine

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// contentCheck is what is known of a content.
type contentCheck struct {
	owners uint64
	upload bool            // the owner is an upload, which shares with nobody
	hits   []Problem       // of its parts, to be repeated for each owner
	md5    *[md5.Size]byte // of all parts together, as they were read; nil if that was not wanted
}

// manifestCheck says what belongs to a manifest that has an owner.
type manifestCheck struct {
	pages  int // any number, if it is negative
	inline bool
}

// content checks the content of an object or upload, once for all its owners.
func (k *check) content(
	ctx context.Context, hit Problem, id index.ContentID, open *opener, parts []numberedPart,
	hits []Problem,
) error {
	c := k.contents[id]
	if c == nil {
		c = &contentCheck{hits: hits}
		k.contents[id] = c
		if err := k.parts(ctx, c, open, parts); err != nil {
			return err
		}
	}
	c.owners++
	for _, h := range c.hits {
		hit.PartNumber, hit.Err = h.PartNumber, h.Err
		k.problem(hit)
	}
	return nil
}

// parts checks the parts of a content.
func (k *check) parts(
	ctx context.Context, c *contentCheck, open *opener, parts []numberedPart,
) error {
	for i := range parts {
		hit, err := k.part(parts[i].number, &parts[i].Part, open)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if hit != nil {
			c.hits = append(c.hits, Problem{PartNumber: parts[i].number, Err: hit})
		}
	}
	if open.whole != nil && len(c.hits) == 0 {
		c.md5 = (*[md5.Size]byte)(open.whole.Sum(nil))
	}
	return nil
}

// An opener verifies the records of a content, and reads and verifies its chunks.
type opener struct {
	encrypted bool // so that manifests say no checksums of its chunks
	seals     seals

	// read is nil without Data.
	read func(scope index.Scope, ref blob.Ref, inline []byte, c index.PageChunk) ([]byte, error)

	sealed bool // what read returns is the frame, since nobody has the key

	whole hash.Hash // the MD5 of all parts together; nil if nothing is said of it, or it is not found out
}

// sumWhole has the MD5 of all parts together made while they are read, if that of each does not say
// it.
func (o *opener) sumWhole(parts []numberedPart) {
	if len(parts) > 1 && o.read != nil && !o.sealed {
		o.whole = md5.New()
	}
}

// opener returns what verifies a content. proof verifies the record that has it.
func (k *check) opener(
	ctx context.Context, id index.ContentID, enc *index.Encryption, proof func(seals) error,
) (*opener, error) {
	if enc.Customer {
		return k.sealedOpener(id), nil
	}
	var cipher *crypto.Cipher
	var err error
	if enc.Algorithm != "" {
		cipher, err = k.engine.provenCipher(ctx, id, enc, nil, proof)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && cipher == nil { // what is wrong with the record is found out behind it
		if k.res.UnopenedCause == nil {
			k.res.UnopenedCause = typed(err)
		}
		return k.sealedOpener(id), nil
	}
	seals := k.engine.sealsOf(id, cipher)
	if !k.data {
		return &opener{encrypted: cipher != nil, seals: seals}, nil
	}
	chunks := k.engine.chunks.strictly()
	return &opener{
		encrypted: cipher != nil, seals: seals,
		read: func(scope index.Scope, ref blob.Ref, inline []byte, c index.PageChunk) ([]byte, error) {
			keys, err := k.engine.keysOf(cipher, scope)
			if err != nil {
				return nil, err
			}
			if inline != nil {
				return chunks.open(inline, c, keys, &k.scratch)
			}
			frame, err := k.frame(ref)
			if err != nil {
				return nil, err
			}
			return chunks.decode(ref, frame, c, keys, &k.scratch)
		},
	}, nil
}

// sealedOpener reads what cannot be opened: that the frame is the one that was stored is all there
// is to find out.
func (k *check) sealedOpener(id index.ContentID) *opener {
	seals := k.engine.sealsWithoutKey(id)
	if !k.data {
		return &opener{encrypted: true, seals: seals, sealed: true}
	}
	return &opener{
		encrypted: true, seals: seals, sealed: true,
		read: func(_ index.Scope, ref blob.Ref, inline []byte, _ index.PageChunk) ([]byte, error) {
			if inline != nil {
				return inline, nil // the record's checksum has been verified
			}
			return k.frame(ref)
		},
	}
}

// frame reads a frame, which is there until the next one is read.
func (k *check) frame(ref blob.Ref) (frame []byte, err error) {
	frame, err = k.frames.take(ref, k.scratch.frame)
	k.scratch.frame = frame
	return frame, err
}

// A partCheck is one part that is being checked.
type partCheck struct {
	*check
	rec  *index.Part
	open *opener
	err  error // the first thing wrong with it
	end  error // the first thing that kept the check from finding out
	next int64 // where the next chunk begins

	listed uint64 // CRC-64 by the checksums that the manifest says
	md5    hash.Hash
	crc64  uint64
}

func (p *partCheck) wrong(err error) {
	first := &p.err
	if !isFinding(err) {
		first = &p.end
	}
	if *first == nil {
		*first = err
	}
}

// isFinding reports whether an error says something of what is stored. Any other is about who reads
// it, and ends a check: no data is lost where the process has no file handles left.
func isFinding(err error) bool {
	err = typed(err)
	_, newer := errors.AsType[*FormatError](err)
	return newer || isDamage(err)
}

// part checks one part and counts its references. hit is the first thing wrong with it.
func (k *check) part(number int, rec *index.Part, open *opener) (hit, err error) {
	p := &partCheck{check: k, rec: rec, open: open, md5: md5.New()}
	if err := open.seals.part(number, rec); err != nil {
		p.wrong(err)
	}
	if _, twice := k.manifests[rec.Manifest]; twice {
		p.wrong(ledger.WrongManifest(rec, "it has two owners"))
	}
	if rec.Inline {
		k.manifests[rec.Manifest] = manifestCheck{inline: true}
		p.inline()
	} else {
		k.manifests[rec.Manifest] = manifestCheck{pages: ledger.Pages(rec)}
		p.pages()
	}
	if !open.encrypted && p.err == nil && p.listed != rec.CRC64 {
		p.wrong(
			ledger.WrongManifest(
				rec, "its chunks have CRC-64 %016x in their order, the part has %016x", p.listed,
				rec.CRC64,
			),
		)
	}
	switch {
	case open.sealed:
		k.res.Unopened++
	case open.read == nil:
	case p.err == nil && (p.crc64 != rec.CRC64 || [16]byte(p.md5.Sum(nil)) != rec.ETag):
		p.wrong(&CorruptionError{
			What: "manifest " + rec.Manifest.String(), Where: "index",
			Err: fmt.Errorf(
				"its chunks have CRC-64 %016x and MD5 %x in their order, the part has %016x and %x",
				p.crc64, p.md5.Sum(nil), rec.CRC64, rec.ETag,
			),
		})
	}
	return p.err, p.end
}

// inline checks a part that the index has itself.
func (p *partCheck) inline() {
	err := p.reach(p.rec.Manifest, 0)
	var page *ledger.Page
	if err == nil {
		page, err = ledger.ReadInline(p.r, p.rec, &p.open.seals)
	}
	if err != nil {
		p.wrong(err)
		return
	}
	p.totals.InlineBytes += int64(len(page.Inline))
	p.list(page.Chunks[0])
	if p.open.read == nil {
		return
	}
	data, err := p.open.read(p.rec.Scope, blob.Ref{}, page.Inline, page.Chunks[0])
	p.res.Bytes += int64(len(data))
	p.digest(page.Chunks[0], data, err)
}

// pages checks the pages of a part. It goes on behind one that is wrong, to count what the others
// refer to.
func (p *partCheck) pages() {
	for n := range ledger.Pages(p.rec) {
		err := p.reach(p.rec.Manifest, n)
		var page *ledger.Page
		if err == nil {
			page, err = ledger.ReadPage(p.r, p.rec, n, &p.open.seals)
		}
		if err == nil && page.Start != p.next {
			err = ledger.WrongManifest(
				p.rec, "page %d begins at byte %d, the one before ends at %d", n, page.Start,
				p.next,
			)
		}
		if err != nil {
			p.wrong(err)
			p.count(n)
			continue
		}
		p.next = page.End()
		for _, c := range page.Chunks {
			p.list(c)
			p.reference(c)
		}
	}
	if p.next != p.rec.Size {
		p.wrong(ledger.WrongManifest(p.rec, "it lists %d bytes, wanted are %d", p.next, p.rec.Size))
	}
}

// list takes what the manifest says of the next chunk into the part's CRC-64 by the manifest.
func (p *partCheck) list(c index.PageChunk) {
	p.listed = crypto.CombineCRC64(p.listed, c.CRC64, int64(c.Size))
}

// count counts the references of a page that is wrong as far as it can be decoded.
func (p *partCheck) count(n int) {
	page, err := index.Get(p.r, index.PageKey(p.rec.Manifest, n))
	if err != nil {
		return
	}
	for _, c := range page.Chunks {
		p.counted(c.ID)
	}
}

// counted counts one use of a chunk.
func (k *check) counted(id index.ChunkID) *chunkCheck {
	k.totals.References++
	rec := k.chunks[id]
	if rec != nil {
		rec.counted++
	}
	return rec
}

// reference counts one use of a chunk and, if the data is to be checked, reads it.
func (p *partCheck) reference(c index.PageChunk) {
	rec := p.counted(c.ID)
	switch {
	case rec == nil:
		p.wrong(ledger.MissingRecord(c.ID))
		return
	case p.open.read == nil || rec.err != nil || p.open.sealed && rec.read:
		if rec.err != nil {
			p.wrong(rec.err)
		}
		return
	}
	place := ledger.RefOf(c.ID, rec.Chunk)
	data, err := p.open.read(p.rec.Scope, place, nil, c)
	switch {
	case err != nil:
		rec.err = err
		p.failed[place] = err
	case !rec.read && !p.open.sealed && (rec.Damaged || p.engine.damage.Known(place) != nil):
		p.sound = append(p.sound, place)
	}
	if !rec.read {
		p.res.Bytes += int64(len(data))
	}
	rec.read = true
	p.digest(c, data, err)
}

// digest compares the next chunk with what the manifest says of it, and takes it into the digests
// of the part. Of sealed content the manifest says nothing that the seal does not.
func (p *partCheck) digest(c index.PageChunk, data []byte, err error) {
	if err != nil {
		p.wrong(err)
	}
	if p.err != nil || p.open.sealed {
		return
	}
	crc := crypto.CRC64(0, data)
	if !p.open.encrypted && crc != c.CRC64 {
		p.wrong(
			ledger.WrongManifest(
				p.rec, "it says that chunk %s has CRC-64 %016x, it has %016x", c.ID, c.CRC64, crc,
			),
		)
		return
	}
	p.md5.Write(data) // a hash never fails
	if p.open.whole != nil {
		p.open.whole.Write(data)
	}
	p.crc64 = crypto.CombineCRC64(p.crc64, crc, int64(len(data)))
}

// trashContent counts the references of a content of which any number of parts may be gone.
func (k *check) trashContent(e *checkedEntry[index.Trash]) error {
	id := *e.content
	if k.contents[id] != nil {
		k.miscounted("content %s is in use and in the trash queue", id)
	} else {
		k.contents[id] = &contentCheck{}
	}
	for _, h := range e.hits {
		k.problem(Problem{Kind: BadAccounting, PartNumber: h.PartNumber, Err: h.Err})
	}
	var err error
	for _, p := range e.parts {
		err = errors.Join(err, k.trashManifest(p.Manifest))
	}
	return err
}

// trashManifest counts the references of a manifest of which any number of pages may be gone.
func (k *check) trashManifest(id index.ManifestID) error {
	if _, twice := k.manifests[id]; twice {
		k.miscounted("manifest %s is in use and in the trash queue", id)
	}
	k.manifests[id] = manifestCheck{pages: -1, inline: true}
	if err := k.reach(id, 0); err != nil {
		return err
	}
	for entry, err := range index.ScanAll(k.r, index.PagesOf(id)) {
		if err != nil {
			if err := k.undecoded(Problem{Kind: BadAccounting}, entry.Key, err); err != nil {
				return err
			}
			continue
		}
		for _, c := range entry.Record.Chunks {
			k.counted(c.ID)
		}
	}
	in, err := index.Get(k.r, index.InlineKey(id))
	switch {
	case err == nil:
		k.totals.InlineBytes += int64(len(in.Frame))
	case !errors.Is(err, index.ErrNotFound):
		return k.undecoded(Problem{Kind: BadAccounting}, index.InlineKey(id), err)
	}
	return nil
}
