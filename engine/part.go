package engine

import (
	"context"
	"encoding/base64"
	"io"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/intake"
	"github.com/gabion-storage/gabion/index"
)

// UploadPartRequest carries one part.
type UploadPartRequest struct {
	Bucket, Key, UploadID string
	PartNumber            int // 1 to 10000

	// Body is read to its end, or to one byte over Size or the limit. A nil Body is an empty one.
	// It may be read from a goroutine of the engine's; when UploadPart has returned with an error, one
	// last Read may still be under way. A Body that is slow is cut into smaller chunks when memory
	// is short.
	Body io.Reader

	Size       int64   // length of Body in bytes, at most 5 GiB; 0 is not known, EmptyBody is none
	ContentMD5 string  // base64 of the body's MD5, verified; "" means not given
	CRC64      *uint64 // the body's CRC-64/XZ, verified; nil means not given

	// Checksum is one more digest of the body, verified. Algorithm may be left out when the upload
	// was initiated with one, and must be the same.
	Checksum Checksum

	// SSECustomerKey is the key that the upload was initiated with, if it was with one.
	SSECustomerKey crypto.CustomerKey

	// Progress is called with the bytes taken in so far, now and then, from the caller's goroutine.
	// It must return soon: until then the call holds chunk buffers that others may wait for.
	Progress func(done int64)
}

// UploadPartResult describes the part stored.
type UploadPartResult struct {
	ETag         string    // hex of the body's MD5, in the case of the bucket's rules: upper for OSS
	Size         int64     // bytes that the body had
	ContentMD5   string    // base64 of the body's MD5
	CRC64        uint64    // CRC-64/XZ of the body
	Checksum     Checksum  // if the upload was initiated with an algorithm
	LastModified time.Time // when it was committed
	Encryption
}

// A Part is one entry of ListParts.
type Part struct {
	PartNumber   int
	ETag         string   // as UploadPart returned it
	Size         int64    // bytes
	CRC64        uint64   // CRC-64/XZ
	Checksum     Checksum // if the upload was initiated with an algorithm
	LastModified time.Time
}

func partOf(up *openUpload, number int, rec *index.Part) Part {
	return Part{
		PartNumber: number, ETag: up.bucket.rules.etag(rec.ETag), Size: rec.Size, CRC64: rec.CRC64,
		Checksum: partChecksum(up.Checksum.Algorithm, rec.Checksum), LastModified: rec.Modified,
	}
}

func resultOfPart(up *openUpload, rec *index.Part) UploadPartResult {
	return UploadPartResult{
		ETag: up.bucket.rules.etag(rec.ETag), Size: rec.Size,
		ContentMD5: base64.StdEncoding.EncodeToString(rec.ETag[:]), CRC64: rec.CRC64,
		Checksum: partChecksum(up.Checksum.Algorithm, rec.Checksum), LastModified: rec.Modified,
		Encryption: encryptionOf(&up.Encryption),
	}
}

// UploadPart stores one part of an upload. When it returns without error the part is durable: it
// survives a crash and a power loss. When it fails, the upload is as it was.
//
// A part of the same number is replaced; of several uploaded at once the one that finishes last
// wins, as a whole. Any size up to 5 GiB is taken, as OSS does; CompleteMultipartUpload checks the
// minimum.
//
// It fails with
//   - ErrNoSuchBucket;
//   - ErrNoSuchUpload, also when the upload is completed or aborted while the part is under way;
//   - ErrInvalidArgument when PartNumber or Size is out of range, or the body longer than Size;
//   - ErrIncompleteBody when the body is shorter than Size, or fails, or its Checksum's Trailer does;
//   - ErrEntityTooLarge for more than 5 GiB;
//   - ErrInvalidDigest for a ContentMD5 that is malformed; ErrInvalidDigest and ErrInvalidCRC64,
//     under S3's rules ErrBadDigest, when the body is not what ContentMD5 and CRC64 say, and
//     ErrBadDigest when it is not what Checksum says;
//   - ErrInvalidRequest when Checksum or SSECustomerKey do not fit the upload;
//   - ErrPartAlreadyExist and ErrPartNotSequential, of a sequential upload, for every number but the next;
//   - the errors of Options.Keys, as those of InitiateMultipartUpload, of an upload that is encrypted
//     with it;
//   - ErrNoSpace when the disk is filled up to Options.ReserveSpace.
func (e *Engine) UploadPart(
	ctx context.Context, req *UploadPartRequest,
) (_ *UploadPartResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{
		op: "UploadPart", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID,
		part: req.PartNumber,
	})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	wanted, err := req.check()
	if err != nil {
		return nil, err
	}
	if err := e.room(); err != nil {
		return nil, err
	}
	// Before the body is read: who has no upload gets no bytes taken.
	at := partPlace{req.Bucket, req.Key, req.UploadID, req.PartNumber}
	up, err := e.openForPart(ctx, at)
	if err != nil {
		return nil, ecForUpload(err, ecUploadPart)
	}
	in := newIncoming(req.Body, req.Size, req.Progress)
	cipher, err := e.cipherOfUpload(ctx, at, up, req.SSECustomerKey)
	if err != nil {
		return nil, err
	}
	rec, err := e.takePart(
		ctx, at, up, cipher, in, req.Checksum,
		func(body *intake.Taken) error { return wanted.compare(body, up.bucket.rules) },
	)
	if err != nil {
		return nil, ecForUpload(err, ecUploadPart)
	}
	res := resultOfPart(up, rec)
	return &res, nil
}

const (
	ecUploadPart     = "0042-00000104"
	ecUploadPartCopy = "0042-00000311"
)

// partPlace is where a part goes.
type partPlace struct {
	bucket, key, uploadID string
	number                int
}

// openForPart finds the upload, if it can take the part. What it returns of a sequential one and the
// parts before this one are of one moment: the part goes on with the MD5 of those.
func (e *Engine) openForPart(ctx context.Context, at partPlace) (up *openUpload, err error) {
	up, err = e.lookUpload(ctx, at.bucket, at.key, at.uploadID)
	if err != nil || !up.Sequential {
		return up, err
	}
	// Again, since this is seldom, and others need not read more for it.
	r, err := index.Fetch(
		ctx, e.index, append(uploadKeysOf(at.bucket, at.key, at.uploadID),
			index.PartKey(up.id, at.number), index.PartKey(up.id, at.number-1))...,
	)
	if err != nil {
		return nil, err
	}
	if up, err = findUpload(r, at.bucket, at.key, at.uploadID); err != nil {
		return nil, err
	}
	return up, checkSequence(r, up, at.number)
}

// cipherOfUpload returns the cipher of an upload, nil if it is not encrypted, when what the
// upload's record says is what was said at its start.
func (e *Engine) cipherOfUpload(
	ctx context.Context, at partPlace, up *openUpload, customer crypto.CustomerKey,
) (*crypto.Cipher, error) {
	cipher, err := e.provenCipher(
		ctx, up.id, &up.Encryption, customer,
		func(s seals) error { return s.upload(at.bucket, at.key, &up.Upload) },
	)
	return cipher, otherThanBegun(err, customer)
}

// takePart takes in the body of a part and makes the part durable. check may refuse the body.
func (e *Engine) takePart(
	ctx context.Context,
	at partPlace,
	up *openUpload,
	cipher *crypto.Cipher,
	in *incoming,
	asked Checksum,
	check func(*intake.Taken) error,
) (*index.Part, error) {
	sum, err := checksumOfBody(asked, up.Checksum.Algorithm)
	if err != nil {
		return nil, err
	}
	in.AddDigest(sum.hash)
	var whole *wholeMD5
	if up.Sequential {
		if whole, err = resumeMD5(up, at.number, cipher); err != nil {
			return nil, err
		}
		in.AddDigest(whole)
	}
	d, err := e.newDraft(up.id, cipher)
	if err != nil {
		return nil, err
	}
	defer d.end()
	if err := d.begin(in, &up.bucket); err != nil {
		return nil, err
	}
	body, err := e.take(ctx, in, d)
	if err != nil {
		return nil, err
	}
	defer e.intake.Release(body)
	if err := check(body); err != nil {
		return nil, err
	}
	p := newPart{place: at, body: body, draft: d}
	if p.checksum, err = sum.sum(body); err != nil {
		return nil, err
	}
	if whole != nil {
		if p.digest, p.md5, err = whole.suspend(); err != nil {
			return nil, err
		}
	}
	return e.commitPart(ctx, &p)
}

// digests are what a caller says a body's digests are.
type digests struct {
	md5   *[16]byte
	crc64 *uint64
}

// check validates the request.
func (req *UploadPartRequest) check() (d digests, err error) {
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return d, err
	}
	if err := checkPartNumber(req.PartNumber); err != nil {
		return d, err
	}
	return checkBody(req.Size, req.ContentMD5, req.CRC64, ErrEntityTooLarge)
}

// checkBody validates what a request says of its body.
func checkBody(
	size int64, contentMD5 string, crc64 *uint64, tooLarge *Error,
) (d digests, err error) {
	if size < 0 && size != EmptyBody {
		return d, ErrInvalidArgument.saying("Size is %d, must not be negative.", size).
			about("Size", size)
	}
	if size > MaxPartSize {
		return d, tooLarge.saying("Size is %d, must be at most %d.", size, int64(MaxPartSize)).
			about("Size", size).sized(size, MaxPartSize)
	}
	if contentMD5 != "" {
		sum, err := parseMD5(contentMD5)
		if err != nil {
			return d, err
		}
		d.md5 = &sum
	}
	d.crc64 = crc64
	return d, nil
}

func (d *digests) compare(body *intake.Taken, rules ruleSet) error {
	if d.md5 != nil && *d.md5 != body.MD5 {
		return rules.digestMismatch(ErrInvalidDigest.ec("0017-00000503"))
	}
	if d.crc64 != nil && *d.crc64 != body.CRC64 {
		return rules.digestMismatch(ErrInvalidCRC64)
	}
	return nil
}

// newPart is a part whose chunks are stored, or known, and which the index does not name yet.
type newPart struct {
	place    partPlace
	body     *intake.Taken
	draft    *draft
	checksum []byte

	// Of a sequential upload: its MD5 up to and with this part, under way and as a sum.
	digest, md5 []byte
}

// record makes the record of the part that the body is, under the draft's manifest.
func (d *draft) record(body *intake.Taken, checksum []byte) *index.Part {
	return &index.Part{
		ETag: body.MD5, Size: body.Size, CRC64: body.CRC64, Checksum: checksum,
		Manifest: d.id, Chunks: body.Chunks, Inline: body.Inline() != nil, Scope: d.scope,
	}
}

// commitPart makes what is left of the chunks durable and then names the part in the index.
func (e *Engine) commitPart(ctx context.Context, p *newPart) (*index.Part, error) {
	rec := p.draft.record(p.body, p.checksum)
	replaced := false
	err := p.draft.publish(ctx, p.body, func(tx index.Tx, also index.Totals) (err error) {
		// Again, and this time for good: it may have been completed or aborted meanwhile.
		up, err := findUpload(tx, p.place.bucket, p.place.key, p.place.uploadID)
		if err != nil {
			return err
		}
		if err := p.advance(tx, up); err != nil {
			return err
		}
		rec.Modified = e.now()
		p.draft.seals.signPart(p.place.number, rec)
		replaced, err = e.trash.PutPart(tx, up.id, p.place.number, rec, also)
		return err
	})
	if replaced {
		e.worker.wake()
	}
	return rec, err
}

// advance makes the part the last one of a sequential upload. The one before it was there when its
// body was taken in, and cannot have changed since: so the digest is still right.
func (p *newPart) advance(tx index.Tx, up *openUpload) error {
	if !up.Sequential {
		return nil
	}
	if err := checkSequence(tx, up, p.place.number); err != nil {
		return err
	}
	up.Digest, up.MD5 = p.digest, p.md5
	return index.Put(tx, index.UploadKey(p.place.bucket, p.place.key, up.id), &up.Upload)
}

// combinedCRC64 is the CRC-64 of the parts one behind the other.
func combinedCRC64(parts []numberedPart) (crc uint64) {
	for i := range parts {
		crc = crypto.CombineCRC64(crc, parts[i].CRC64, parts[i].Size)
	}
	return crc
}
