package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/frame"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// storedChunks are the chunks that the index knows: where they are, whether they are sound, and
// what is in them. Reads, copies and Check ask here, and so does the intake for what it need not
// store.
type storedChunks struct {
	index  index.Store
	blobs  blob.Store
	damage *damage

	// strict has reads verify the content address of plain chunks as well. It is set where records
	// are authenticated: what a MAC vouches for is the address, and to make another chunk of the same
	// checksums is easy.
	strict bool
}

// strictly are the same chunks, with reads that verify the content address.
func (s *storedChunks) strictly() *storedChunks {
	strict := *s
	strict.strict = true
	return &strict
}

// record returns the record of a chunk, if there is one.
func (s *storedChunks) record(
	ctx context.Context, id index.ChunkID,
) (rec index.Chunk, ok bool, err error) {
	rec, err = index.FetchOne(ctx, s.index, index.ChunkKey(id))
	if errors.Is(err, index.ErrNotFound) {
		return rec, false, nil
	}
	return rec, err == nil, err
}

// find returns where a chunk is that is there as far as can be told without reading it. One that is
// known to be damaged, or turns out to be missing, is not found.
func (s *storedChunks) find(
	ctx context.Context, id blob.ID,
) (ref blob.Ref, ok bool, err error) {
	var failed blob.Ref // where the proof has failed
	var failure error
	for {
		rec, ok, err := s.record(ctx, index.ChunkID(id))
		if err != nil || !ok || s.damage.KnownIn(index.ChunkID(id), &rec) != nil {
			return blob.Ref{}, false, err
		}
		ref := ledger.RefOf(index.ChunkID(id), rec)
		if ref == failed {
			s.damage.noteOne(ctx, ref, failure)
			return blob.Ref{}, false, nil
		}
		err = s.damage.prove(ctx, ref)
		if err == nil {
			return ref, true, nil
		}
		if !isDamage(err) {
			return blob.Ref{}, false, err
		}
		// Between the two steps the chunk may have moved and its old volume gone: look again.
		failed, failure = ref, err
	}
}

// prove fails when a chunk is known to be damaged or turns out not to be there.
func (s *storedChunks) prove(ctx context.Context, id index.ChunkID) error {
	_, ok, err := s.find(ctx, blob.ID(id))
	if err != nil || ok {
		return err
	}
	rec, ok, err := s.record(ctx, id)
	switch {
	case err != nil:
		return err
	case !ok:
		return ledger.MissingRecord(id)
	}
	return s.damage.KnownIn(id, &rec)
}

// locate says where the index has a chunk.
func (s *storedChunks) locate(ctx context.Context, id index.ChunkID) (blob.Ref, error) {
	rec, ok, err := s.record(ctx, id)
	if err == nil && !ok {
		err = ledger.MissingRecord(id)
	}
	return ledger.RefOf(id, rec), err
}

// read reads and verifies one chunk. The result lies in d's memory.
func (s *storedChunks) read(
	ctx context.Context, c index.PageChunk, keys frame.Keys, d *chunkData,
) (plain []byte, err error) {
	err = s.pursue(ctx, c.ID, func(ref blob.Ref) (err error) {
		plain, err = s.readAt(ctx, ref, c, keys, d)
		return err
	})
	return plain, err
}

// fetch reads the frame of a chunk, of which the checksum is verified, into the storage of buf.
func (s *storedChunks) fetch(
	ctx context.Context, id index.ChunkID, buf []byte,
) (stored []byte, err error) {
	err = s.pursue(ctx, id, func(ref blob.Ref) (err error) {
		stored, err = s.blobs.Get(ctx, ref, buf)
		return err
	})
	return stored, err
}

// pursue has read read a chunk where the index says that it is.
func (s *storedChunks) pursue(
	ctx context.Context, id index.ChunkID, read func(blob.Ref) error,
) error {
	var failed blob.Ref // where reading has failed
	var failure error
	for {
		ref, err := s.locate(ctx, id)
		if err != nil {
			return err
		}
		if ref == failed {
			s.damage.noteOne(ctx, ref, failure)
			return failure
		}
		if err = read(ref); err == nil {
			s.damage.good(ref)
			return nil
		}
		// Between the two steps the chunk may have moved and its old volume gone. It is damaged
		// only if the index still says that it is there.
		failed, failure = ref, err
	}
}

// readAt reads and verifies the chunk that lies at ref. The result lies in d's memory.
func (s *storedChunks) readAt(
	ctx context.Context, ref blob.Ref, c index.PageChunk, keys frame.Keys, d *chunkData,
) ([]byte, error) {
	stored, err := s.blobs.Get(ctx, ref, d.frame)
	if err != nil {
		return nil, err
	}
	d.frame = stored
	return s.decode(ref, stored, c, keys, d)
}

// open verifies a chunk that the index has itself. The result lies in d's memory, or is part of the
// frame if that is neither sealed nor compressed.
func (s *storedChunks) open(
	inline []byte, c index.PageChunk, keys frame.Keys, d *chunkData,
) ([]byte, error) {
	if keys.Cipher != nil { // which unseals in place
		d.frame = append(d.frame[:0], inline...)
		inline = d.frame
	}
	return s.decode(blob.Ref{ID: blob.ID(c.ID)}, inline, c, keys, d)
}

// decode decodes and verifies the frame of a chunk, which lies at ref and has been fetched. A ref of
// no volume is that of a chunk which the index has itself.
func (s *storedChunks) decode(
	ref blob.Ref, stored []byte, c index.PageChunk, keys frame.Keys, d *chunkData,
) ([]byte, error) {
	want := frame.Chunk{Address: crypto.Address(c.ID), Size: int(c.Size), CRC64: c.CRC64}
	plain, err := frame.Decode(stored, want, keys, &d.plain)
	if err == nil && s.strict && keys.Cipher == nil { // a seal has proved the address already
		err = frame.VerifyAddress(plain, want.Address, keys)
	}
	if err == nil {
		return plain, nil
	}
	where := "index"
	if ref.Volume != 0 {
		where = fmt.Sprintf("volume %d", ref.Volume)
	}
	return nil, &CorruptionError{What: "chunk " + ref.ID.String(), Where: where, Err: err}
}

// chunkData is a decoded chunk, and the memory for decoding the next.
type chunkData struct {
	start int64 // in the object
	bytes []byte

	frame, plain []byte
}

// inPlain says whether the chunk, which has bytes, was unpacked into plain.
func (d *chunkData) inPlain() bool { return cap(d.plain) > 0 && &d.bytes[0] == &d.plain[:1][0] }

func (d *chunkData) covers(at int64) bool {
	return at >= d.start && at < d.end()
}

// end is where the next chunk begins.
func (d *chunkData) end() int64 { return d.start + int64(len(d.bytes)) }

func (d *chunkData) from(at int64) []byte { return d.bytes[at-d.start:] }
