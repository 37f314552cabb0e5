package engine

import (
	"context"
	"encoding/base64"
	"io"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// maxInlineFrame is how long the frame of a body may be, in bytes, to be kept in the index, where
// it costs no sync of its own.
const maxInlineFrame = 32 << 10

// PutObjectRequest carries a whole object.
type PutObjectRequest struct {
	Bucket string
	Key    string // as in InitiateMultipartUploadRequest

	// Body is read to its end, or to one byte over Size or 5 GiB. A nil Body is an empty one. It may
	// be read from a goroutine of the engine's; when PutObject has returned with an error, one last
	// Read may still be under way.
	Body io.Reader

	Size       int64   // length of Body in bytes, at most 5 GiB; 0 is not known, EmptyBody is none
	ContentMD5 string  // base64 of the body's MD5, verified; "" means not given
	CRC64      *uint64 // the body's CRC-64/XZ, verified; nil means not given

	// Checksum is one more digest of the body, kept with the object. Its Value, if given, is
	// verified.
	Checksum Checksum

	// Progress is called with the bytes taken in so far, now and then, from the caller's goroutine.
	// It must return soon: until then the call holds chunk buffers that others may wait for.
	Progress func(done int64)

	Attributes
	EncryptionRequest
	Preconditions
}

// PutObjectResult describes the object stored.
type PutObjectResult struct {
	ETag         string    // hex of the body's MD5, in the case of the bucket's rules
	Size         int64     // bytes that the body had
	ContentMD5   string    // base64 of the body's MD5
	CRC64        uint64    // CRC-64/XZ of the body
	Checksum     Checksum  // if one was asked for
	LastModified time.Time // when it was committed
	Encryption
}

// PutObject stores an object from one body of at most 5 GiB. When it returns without error the
// object is durable; when it fails, what was there before still is. A body of one chunk that takes
// at most 32 KiB as stored (compressed, with 8 bytes more, or 36 if encrypted) is kept in the
// index, and costs a single sync; but not while the live data of the index are more than 32 MiB and
// more than an eighth of the free space of its disk.
//
// It fails with the errors that UploadPart has for a body, with those of InitiateMultipartUpload,
// and with those of the Preconditions: ErrFileAlreadyExists, ErrNoSuchKey and
// ErrPreconditionFailed, and ErrNotImplemented for an IfNoneMatch other than *. A body over 5 GiB
// fails with ErrInvalidArgument, as in OSS, and with ErrEntityTooLarge under S3's rules.
func (e *Engine) PutObject(
	ctx context.Context, req *PutObjectRequest,
) (_ *PutObjectResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "PutObject", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	p := &putting{engine: e, req: req, when: overwriting{req.Bucket, req.Key, req.Preconditions}}
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	obj, err := p.store(ctx)
	if err != nil {
		return nil, err
	}
	return &PutObjectResult{
		ETag: obj.ETag, Size: obj.Size,
		ContentMD5: base64.StdEncoding.EncodeToString(obj.MD5), CRC64: obj.CRC64,
		Checksum: objectChecksum(obj), LastModified: obj.Modified,
		Encryption: encryptionOf(&obj.Encryption),
	}, nil
}

// putting is one PutObject under way.
type putting struct {
	engine *Engine
	req    *PutObjectRequest
	when   overwriting

	bucket liveBucket
	wanted digests
	sum    bodyChecksum
	obj    index.Object
	cipher *crypto.Cipher
	in     *incoming
}

// prepare checks everything that can be checked before the body is read.
func (p *putting) prepare(ctx context.Context) (err error) {
	req, e := p.req, p.engine
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return err
	}
	if err := req.Preconditions.validate(); err != nil {
		return err
	}
	if p.sum, err = checksumOfBody(req.Checksum, string(req.Checksum.Algorithm)); err != nil {
		return err
	}
	now, err := index.Fetch(ctx, e.index, append(p.when.keys(), index.BucketKey(req.Bucket))...)
	if err != nil {
		return err
	}
	if p.bucket, err = openBucketFor(now, req.Bucket, req.Key); err != nil {
		return err
	}
	if p.obj.Attributes, err = p.bucket.attributes(&req.Attributes); err != nil {
		return err
	}
	p.wanted, err = checkBody(req.Size, req.ContentMD5, req.CRC64, p.bucket.rules.putTooLarge())
	if err != nil {
		return err
	}
	if err := e.room(); err != nil {
		return err
	}
	if err := p.when.check(now); err != nil {
		return err
	}
	if p.obj.Content, err = newID(); err != nil {
		return err
	}
	p.in = newIncoming(req.Body, req.Size, req.Progress)
	p.in.tooLarge = p.bucket.rules.putTooLarge()
	if p.in.Inline, err = e.inlineLimit(); err != nil {
		return err
	}
	p.in.AddDigest(p.sum.hash)
	p.obj.Encryption, p.cipher, err = e.newEncryption(
		ctx, p.obj.Content, p.bucket.rules, &req.EncryptionRequest,
	)
	return err
}

// store takes in the body, makes it durable and then names it as the object, in that order.
func (p *putting) store(ctx context.Context) (*index.Object, error) {
	e, obj := p.engine, &p.obj
	d, err := e.newDraft(obj.Content, p.cipher)
	if err != nil {
		return nil, err
	}
	defer d.end()
	if err := d.begin(p.in, &p.bucket); err != nil {
		return nil, err
	}
	body, err := e.take(ctx, p.in, d)
	if err != nil {
		return nil, err
	}
	defer e.intake.Release(body)
	if err := p.wanted.compare(body, p.bucket.rules); err != nil {
		return nil, err
	}
	sum, err := p.sum.sum(body)
	if err != nil {
		return nil, err
	}
	part := d.record(body, sum)
	obj.Type, obj.ETag, obj.MD5 = string(ObjectNormal), p.bucket.rules.etag(body.MD5), body.MD5[:]
	obj.Size, obj.CRC64, obj.Parts = body.Size, body.CRC64, 1
	if p.sum.kept {
		obj.Checksum = index.Checksum{
			Algorithm: string(p.sum.algorithm), Type: string(ChecksumFullObject), Value: sum,
		}
	}
	err = d.publish(ctx, body, func(tx index.Tx, also index.Totals) error {
		if err := p.bucket.check(tx); err != nil {
			return err
		}
		if err := p.when.check(tx); err != nil {
			return err
		}
		obj.Modified = e.now()
		part.Modified = obj.Modified
		d.seals.signPart(1, part)
		d.seals.signObject(p.req.Bucket, p.req.Key, obj)
		// The content is new, so there is no part that this one would replace.
		if err := index.Put(tx, index.PartKey(obj.Content, 1), part); err != nil {
			return err
		}
		also.Parts++
		return e.putObject(tx, p.req.Bucket, p.req.Key, obj, also)
	})
	if err != nil {
		return nil, err
	}
	e.worker.wake()
	return obj, nil
}
