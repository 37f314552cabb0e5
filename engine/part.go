package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// UploadPartRequest carries one part.
type UploadPartRequest struct {
	Bucket, Key, UploadID string
	PartNumber            int // 1 to 10000

	// Body is read to its end, or to one byte over the limit. A nil Body is an empty one. It is
	// read from a goroutine of the engine's; when UploadPart has returned with an error, one last
	// Read may still be under way.
	Body io.Reader

	Size       int64   // length of Body in bytes, at most 5 GiB; 0 means that it is not known
	ContentMD5 string  // base64 of the body's MD5, verified; "" means not given
	CRC64      *uint64 // the body's CRC-64/XZ, verified; nil means not given

	// Progress is called with the bytes taken in so far, now and then, from the caller's goroutine.
	Progress func(done int64)
}

// UploadPartResult describes the part stored.
type UploadPartResult struct {
	ETag                      string // upper-case hex of the body's MD5
	Size                      int64
	ContentMD5                string // base64 of the body's MD5
	CRC64                     uint64 // CRC-64/XZ of the body
	LastModified              time.Time
	ServerSideEncryption      string
	ServerSideEncryptionKeyID string
}

// A Part is one entry of ListParts.
type Part struct {
	PartNumber   int
	ETag         string // upper-case hex of its MD5
	Size         int64
	CRC64        uint64
	LastModified time.Time
}

func partOf(number int, rec *index.Part) Part {
	return Part{PartNumber: number, ETag: partETag(rec.ETag), Size: rec.Size, CRC64: rec.CRC64, LastModified: rec.Modified}
}

func partETag(sum [16]byte) string { return fmt.Sprintf("%X", sum[:]) }

// UploadPart stores one part of an upload. When it returns without error the part is durable: it
// survives a crash and a power loss. When it fails, the upload is as it was.
//
// A part of the same number is replaced; of several that are uploaded at once the one that
// finishes last wins, whole. Any size up to 5 GiB is taken, as OSS does; CompleteMultipartUpload
// checks the minimum. A part that finishes after its upload was completed or aborted fails with
// ErrNoSuchUpload. It fails with ErrInvalidArgument when PartNumber is out of range or the body is
// longer than Size, ErrIncompleteBody when it is shorter or fails, ErrEntityTooLarge,
// ErrInvalidDigest, ErrInvalidCRC64, ErrNoSpace, and ErrRequestTimeout when ctx ends.
func (e *Engine) UploadPart(ctx context.Context, req *UploadPartRequest) (_ *UploadPartResult, err error) {
	c, err := e.begin(ctx, call{op: "UploadPart", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID, part: req.PartNumber})
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
	var up *openUpload
	err = e.index.View(ctx, func(r index.Reader) (err error) {
		up, err = findUpload(r, req.Bucket, req.Key, req.UploadID)
		return err
	})
	if err != nil {
		return nil, ecForUpload(err, "0042-00000104")
	}
	in := &intake{body: req.Body, size: req.Size, limit: MaxPartSize, progress: req.Progress}
	if in.body == nil {
		in.body = strings.NewReader("")
	}
	if in.cipher, err = e.ciphers.of(ctx, up.id, &up.Encryption); err != nil {
		return nil, err
	}
	body, err := e.pipeline.take(ctx, in)
	if err != nil {
		return nil, err
	}
	defer e.pipeline.release(body)
	if err := wanted.compare(body); err != nil {
		return nil, err
	}
	rec, err := e.commitPart(ctx, req, body)
	if err != nil {
		return nil, ecForUpload(err, "0042-00000104")
	}
	return &UploadPartResult{
		ETag:                      partETag(rec.ETag),
		Size:                      rec.Size,
		ContentMD5:                base64.StdEncoding.EncodeToString(rec.ETag[:]),
		CRC64:                     rec.CRC64,
		LastModified:              rec.Modified,
		ServerSideEncryption:      up.Encryption.Algorithm,
		ServerSideEncryptionKeyID: up.Encryption.KeyID,
	}, nil
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
	if req.Size < 0 {
		return d, ErrInvalidArgument.saying("Size is %d, must not be negative.", req.Size)
	}
	if req.Size > MaxPartSize {
		return d, ErrEntityTooLarge.saying("Size is %d, must be at most %d.", req.Size, int64(MaxPartSize))
	}
	if req.ContentMD5 != "" {
		sum, err := parseMD5(req.ContentMD5)
		if err != nil {
			return d, err
		}
		d.md5 = &sum
	}
	d.crc64 = req.CRC64
	return d, nil
}

func (d *digests) compare(body *content) error {
	if d.md5 != nil && *d.md5 != body.md5 {
		return ErrInvalidDigest.ec("0017-00000503")
	}
	if d.crc64 != nil && *d.crc64 != body.crc64 {
		return ErrInvalidCRC64
	}
	return nil
}

// commitPart makes the chunks durable and then names them in the index. The order is a law: a
// part that the index knows has all its bytes on disk.
func (e *Engine) commitPart(ctx context.Context, req *UploadPartRequest, body *content) (*index.Part, error) {
	if err := e.pipeline.sync(ctx, body); err != nil {
		return nil, err
	}
	id, err := newID()
	if err != nil {
		return nil, err
	}
	rec := &index.Part{
		ETag: body.md5, Size: body.size, CRC64: body.crc64,
		Manifest: id, Chunks: len(body.chunks),
	}
	replaced := false
	err = e.publish(ctx, id, body, func(tx index.Tx) (err error) {
		// Again, and this time for good: it may have been completed or aborted meanwhile.
		up, err := findUpload(tx, req.Bucket, req.Key, req.UploadID)
		if err != nil {
			return err
		}
		rec.Modified = e.now()
		replaced, err = e.putPart(tx, up.id, req.PartNumber, rec)
		return err
	})
	if replaced {
		e.sweeper.wake()
	}
	return rec, err
}

// putPart stores the record of a part and discards what it replaces.
func (e *Engine) putPart(tx index.Tx, id index.ContentID, number int, rec *index.Part) (replaced bool, err error) {
	key := index.PartKey(id, number)
	old, err := index.Get(tx, key)
	switch {
	case err == nil:
		replaced = true
		err = e.discard(tx, old.Manifest, index.TrashManifest)
	case errors.Is(err, index.ErrNotFound):
		err = count(tx, index.Totals{Parts: 1})
	}
	if err != nil {
		return false, err
	}
	return replaced, index.Put(tx, key, rec)
}

// combinedCRC64 is the CRC-64 of the parts one behind the other.
func combinedCRC64(parts []index.Part) (crc uint64) {
	for i := range parts {
		crc = crypto.CombineCRC64(crc, parts[i].CRC64, parts[i].Size)
	}
	return crc
}
