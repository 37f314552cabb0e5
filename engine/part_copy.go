package engine

import (
	"context"
	"fmt"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/intake"
	"github.com/gabion-storage/gabion/index"
)

// UploadPartCopyRequest makes a part from an object, or from a range of it.
type UploadPartCopyRequest struct {
	Bucket, Key, UploadID string
	PartNumber            int // 1 to 10000

	SourceBucket, SourceKey string

	// SourceRange is a range as "bytes=0-102399" or "bytes=102400-". One that is malformed or
	// reaches beyond the source is ignored and the whole source copied, as OSS does. Under S3's
	// rules it fails with ErrInvalidArgument, and so does one without both ends.
	SourceRange string

	// Conditions are judged on the source. Those that do not hold fail as OSS's do: IfMatch and
	// IfUnmodifiedSince with ErrPreconditionFailed, IfNoneMatch and IfModifiedSince with
	// ErrNotModified; under S3's rules all with ErrPreconditionFailed.
	Conditions

	SourceSSECustomerKey crypto.CustomerKey // that the source was stored with, if it was with one
	SSECustomerKey       crypto.CustomerKey // that the upload was initiated with, if it was with one

	// Progress is called with the bytes copied so far, now and then, from the caller's goroutine.
	// It may not be called at all, and must return soon: until then the call holds chunk buffers that
	// others may wait for.
	Progress func(done int64)
}

// UploadPartCopyResult describes the part stored.
type UploadPartCopyResult struct {
	UploadPartResult
	SourceSize  int64  // of the whole source
	SourceRange string // what was copied, as "bytes 0-102399/204800"; empty if all of it
}

// UploadPartCopy stores a part that is a copy of an object, or of a range of it. What holds for
// UploadPart holds for it, too: durability, replacing, and the errors; the ETag is the MD5 of the
// bytes copied. Further errors are ErrNoSuchBucket and ErrNoSuchKey for the source, those of the
// conditions, ErrEntityTooLarge when more than 5 GiB would be copied, and a *CorruptionError when
// the source is damaged.
//
// A range that is exactly one part of the source, or all of an object that PutObject stored, is
// copied by reference: nothing is read or written but metadata, and small bodies that are kept with
// it, while the index takes them. Otherwise, and if source or upload is encrypted or the buckets'
// scopes of deduplication forbid it as in CopyObject, the range is read and hashed. Chunks that are
// stored already are not stored again: where both sides are plain and in one scope, these are all
// but the chunks at the ends of the range.
func (e *Engine) UploadPartCopy(
	ctx context.Context, req *UploadPartCopyRequest,
) (_ *UploadPartCopyResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{
		op: "UploadPartCopy", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID,
		part: req.PartNumber,
	})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	for _, err := range []error{
		checkNames(req.Bucket, req.Key), checkSourceNames(req.SourceBucket, req.SourceKey),
		checkPartNumber(req.PartNumber), e.room(),
	} {
		if err != nil {
			return nil, err
		}
	}
	p := &partCopy{
		engine: e, req: req, at: partPlace{req.Bucket, req.Key, req.UploadID, req.PartNumber},
	}
	if p.up, err = e.openForPart(ctx, p.at); err != nil {
		return nil, ecForUpload(err, ecUploadPartCopy)
	}
	from := objectRef{
		req.SourceBucket, req.SourceKey, req.Conditions, req.SourceSSECustomerKey,
	}
	if p.source, err = e.openSource(ctx, c, from, p.up.bucket.rules); err != nil {
		return nil, err
	}
	defer p.source.close()
	if err := p.chooseRange(); err != nil {
		return nil, err
	}
	rec, err := p.run(ctx)
	if err != nil {
		return nil, ecForUpload(err, ecUploadPartCopy)
	}
	res := &UploadPartCopyResult{
		UploadPartResult: resultOfPart(p.up, rec), SourceSize: p.source.size,
	}
	if p.span.partial {
		res.SourceRange = fmt.Sprintf(
			"bytes %d-%d/%d", p.span.start, p.span.start+p.span.length-1, p.source.size,
		)
	}
	return res, nil
}

// partCopy is one UploadPartCopy under way.
type partCopy struct {
	engine *Engine
	req    *UploadPartCopyRequest
	at     partPlace
	up     *openUpload
	source *openedObject
	span   span
}

// chooseRange decides what is copied.
func (p *partCopy) chooseRange() (err error) {
	if p.up.bucket.rules.standardRanges && p.req.SourceRange != "" {
		first, last, ok := splitRange(p.req.SourceRange)
		if !ok || first < 0 || last < 0 {
			return ErrInvalidArgument.saying(
				"The SourceRange value must be of the form bytes=first-last where first and last are "+
					"the zero-based offsets of the first and last bytes to copy",
			).about("SourceRange", p.req.SourceRange)
		}
		if last >= p.source.size {
			return ErrInvalidArgument.saying(
				"Range specified is not valid for source object of size: %d", p.source.size,
			).about("SourceRange", p.req.SourceRange)
		}
	}
	if p.span, err = parseRange(p.req.SourceRange, p.source.size, false); err != nil {
		// A copy ignores what does not fit, the last 0 bytes, too.
		p.span = span{length: p.source.size}
	}
	if p.span.length > MaxPartSize {
		return ErrEntityTooLarge.saying(
			"%d bytes would be copied, a part has at most %d.", p.span.length, int64(MaxPartSize),
		).sized(p.span.length, MaxPartSize)
	}
	return nil
}

func (p *partCopy) run(ctx context.Context) (*index.Part, error) {
	e := p.engine
	cipher, err := e.cipherOfUpload(ctx, p.at, p.up, p.req.SSECustomerKey)
	if err != nil {
		return nil, err
	}
	part, err := p.wholePart(ctx, cipher)
	if err != nil {
		return nil, err
	}
	if part != nil {
		d, err := e.newDraft(p.up.id, nil)
		if err != nil {
			return nil, err
		}
		defer d.end()
		body, err := d.refer(ctx, part)
		if err != nil {
			return nil, err
		}
		return e.commitPart(
			ctx, &newPart{place: p.at, body: body, draft: d, checksum: part.Checksum},
		)
	}
	in := p.source.incoming(ctx, p.span)
	in.Progress = p.req.Progress
	return e.takePart(
		ctx, p.at, p.up, cipher, in, Checksum{}, func(*intake.Taken) error { return nil },
	)
}

// wholePart returns the part of the source that can be copied by reference, or nil: its digests
// must be known, its chunks neither sealed nor to be sealed, and found by nobody whom the scope of
// the target's bucket keeps from that. A small body, which a reference puts into the index once
// more, is copied as any other while the index takes no bodies.
func (p *partCopy) wholePart(ctx context.Context, cipher *crypto.Cipher) (*index.Part, error) {
	if cipher != nil || p.source.cipher != nil || p.up.Sequential || p.source.count == 0 {
		return nil, nil
	}
	a := crypto.ChecksumAlgorithm(p.up.Checksum.Algorithm)
	if a != "" && a != crypto.MD5 && string(a) != partAlgorithm(p.source.rec) {
		return nil, nil
	}
	var part *segment
	err := p.engine.index.View(ctx, func(r index.Reader) (err error) {
		if p.source.size == 0 {
			part, err = p.source.segmentNumber(r, 0)
		} else {
			part, err = p.source.segmentAt(r, p.span.start)
		}
		return err
	})
	if err != nil || part.start != p.span.start || part.Size != p.span.length ||
		!p.up.bucket.admits(part.Scope) {
		return nil, err
	}
	if part.Inline {
		if limit, err := p.engine.inlineLimit(); err != nil || limit == 0 {
			return nil, err
		}
	}
	rec := part.Part
	switch {
	case a == "":
		rec.Checksum = nil
	case a == crypto.MD5:
		rec.Checksum = rec.ETag[:] // which every part has
	case len(rec.Checksum) == 0:
		return nil, nil // the object has a checksum, its parts have none
	default:
		err = checkSum(a, &rec)
	}
	return &rec, err
}
