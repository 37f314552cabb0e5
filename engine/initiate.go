package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// InitiateMultipartUploadRequest begins an upload. Its Attributes are kept, and given to the object
// at Complete.
type InitiateMultipartUploadRequest struct {
	Bucket string
	Key    string // 1 to 1023 bytes of UTF-8, not beginning with / or \; under S3's rules 1024 and any

	Attributes
	EncryptionRequest

	// Checksum names the algorithm and type of one more digest, kept for every part and the object.
	Checksum Checksum

	// Sequential demands that the parts are uploaded one after another, from number 1, each once.
	// The object then has a ContentMD5.
	Sequential bool

	// ForbidOverwrite fails the call with ErrFileAlreadyExists when the object exists.
	ForbidOverwrite bool
}

// InitiateMultipartUploadResult names the upload.
type InitiateMultipartUploadResult struct {
	Bucket   string
	Key      string
	UploadID string   // 32 upper-case hex digits
	Checksum Checksum // algorithm and type, if one was asked for
	Encryption
}

// InitiateMultipartUpload begins an upload. An existing object of that name is not touched, and any
// number of uploads of one name may be open, as in OSS. When it returns without error the upload is
// durable; it stays open until it is completed, aborted or, with Options.UploadExpiry, expired.
//
// It fails with
//   - ErrNoSuchBucket, and ErrFileAlreadyExists with ForbidOverwrite;
//   - ErrInvalidArgument, ErrInvalidTag, ErrBadRequest and ErrInvalidRedirectLocation, under S3's
//     rules also ErrMetadataTooLarge and ErrInvalidStorageClass, for Attributes that the bucket's
//     rules do not allow;
//   - ErrInvalidArgument and ErrInvalidEncryptionAlgorithm for an invalid EncryptionRequest, and
//     the errors of Options.Keys: ErrKmsServiceNotEnabled if that is not set, ErrKeyNotFound,
//     ErrKeyDisabled, ErrKeyPendingDeletion, ErrKeyPendingImport and ErrAccessDenied;
//   - ErrInvalidRequest for a Checksum whose Algorithm and Type do not go together, or with a Value
//     or Trailer;
//   - ErrNoSpace when the disk is filled up to Options.ReserveSpace.
func (e *Engine) InitiateMultipartUpload(
	ctx context.Context, req *InitiateMultipartUploadRequest,
) (_ *InitiateMultipartUploadResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "InitiateMultipartUpload", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	if err := e.room(); err != nil {
		return nil, err
	}
	rec := index.Upload{Sequential: req.Sequential}
	if rec.Checksum, err = checksumOfUpload(req.Checksum); err != nil {
		return nil, err
	}
	bucket, err := e.bucketFor(ctx, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	if rec.Attributes, err = bucket.attributes(&req.Attributes); err != nil {
		return nil, err
	}
	id, initiated, err := e.newUploadID(bucket.rules)
	if err != nil {
		return nil, err
	}
	rec.Generation, rec.Initiated = bucket.generation, initiated
	var cipher *crypto.Cipher
	rec.Encryption, cipher, err = e.newEncryption(ctx, id, bucket.rules, &req.EncryptionRequest)
	if err != nil {
		return nil, err
	}
	e.sealsOf(id, cipher).signUpload(req.Bucket, req.Key, &rec)
	err = e.index.Update(ctx, func(tx index.Tx) error {
		if err := bucket.check(tx); err != nil {
			return err
		}
		if req.ForbidOverwrite {
			if err := checkAbsent(tx, req.Bucket, req.Key); err != nil {
				return err
			}
		}
		if err := ledger.Count(tx, index.Totals{Uploads: 1}); err != nil {
			return err
		}
		e.deletions.note(req.Bucket, arrival{req.Key, id})
		return watch(tx, req.Bucket, req.Key, id, &rec, rec.Initiated)
	})
	if err != nil {
		return nil, err
	}
	e.worker.watch()
	return &InitiateMultipartUploadResult{
		Bucket: req.Bucket, Key: req.Key, UploadID: id.String(),
		Checksum:   checksumOf(&rec.Checksum),
		Encryption: encryptionOf(&rec.Encryption),
	}, nil
}

// bucketFor returns a bucket whose rules allow objects of this name.
func (e *Engine) bucketFor(ctx context.Context, name, key string) (b liveBucket, err error) {
	r, err := index.Fetch(ctx, e.index, index.BucketKey(name))
	if err != nil {
		return b, err
	}
	return openBucketFor(r, name, key)
}

// AbortMultipartUploadRequest names an upload to give up.
type AbortMultipartUploadRequest struct {
	Bucket, Key, UploadID string
}

// AbortMultipartUploadResult is empty.
type AbortMultipartUploadResult struct{}

// AbortMultipartUpload ends an upload and gives up its parts; their space comes back in the
// background. It reads the record of each part. When it returns without error it is durable. A part
// that is under way fails with ErrNoSuchUpload when it finishes. No key is asked for, and it goes
// on when the disk is full.
//
// It fails with ErrNoSuchBucket and ErrNoSuchUpload, the latter also for a second Abort, as in OSS.
func (e *Engine) AbortMultipartUpload(
	ctx context.Context, req *AbortMultipartUploadRequest,
) (_ *AbortMultipartUploadResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{
		op: "AbortMultipartUpload", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID,
	})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	err = e.index.Update(ctx, func(tx index.Tx) error {
		up, err := findRecord(tx, req.Bucket, req.Key, req.UploadID)
		if err != nil {
			return ecForUpload(err, "0042-00000002")
		}
		_, err = e.abort(tx, req.Bucket, req.Key, up)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.worker.wake()
	return &AbortMultipartUploadResult{}, nil
}

// abort ends an upload inside a transaction and queues its parts, if it has any, for the sweeping. It
// says how many it had to look at.
func (e *Engine) abort(tx index.Tx, bucket, key string, up *openUpload) (looked int, err error) {
	parts, err := partsOf(tx, up.id)
	if err != nil {
		return 0, err
	}
	if len(parts) > 0 {
		if err := e.discardParts(tx, up.id, parts); err != nil {
			return 0, err
		}
	}
	return len(parts), endUpload(tx, bucket, key, up)
}

// endUpload deletes the record of an upload and what names it.
func endUpload(tx index.Tx, bucket, key string, up *openUpload) error {
	if !up.Watched.IsZero() {
		if err := index.Delete(tx, index.IdleKey(up.Watched, up.id)); err != nil {
			return err
		}
	}
	if err := index.Delete(tx, index.UploadKey(bucket, key, up.id)); err != nil {
		return err
	}
	return ledger.Count(tx, index.Totals{Uploads: -1})
}

// An openUpload is an upload as a transaction sees it.
type openUpload struct {
	index.Upload
	id     index.ContentID
	bucket liveBucket
}

// findUpload returns an open upload, or ErrNoSuchBucket or ErrNoSuchUpload. One of an earlier
// bucket of the name is not there.
func findUpload(r index.Reader, bucket, key, uploadID string) (*openUpload, error) {
	up, err := findRecord(r, bucket, key, uploadID)
	if err != nil {
		return nil, err
	}
	if up.Generation != up.bucket.generation {
		return nil, ErrNoSuchUpload
	}
	return up, up.bucket.rules.checkKey(key)
}

// lookUpload is findUpload, of what is there now.
func (e *Engine) lookUpload(
	ctx context.Context, bucket, key, uploadID string,
) (*openUpload, error) {
	r, err := index.Fetch(ctx, e.index, uploadKeysOf(bucket, key, uploadID)...)
	if err != nil {
		return nil, err
	}
	return findUpload(r, bucket, key, uploadID)
}

// uploadKeysOf are the keys of what findUpload reads.
func uploadKeysOf(bucket, key, uploadID string) (keys [][]byte) {
	keys = append(keys, index.BucketKey(bucket))
	if id, ok := index.ParseContentID(uploadID); ok {
		keys = append(keys, index.UploadKey(bucket, key, id))
	}
	return keys
}

// findRecord returns an upload to end it. Whatever is there can be ended: also what an earlier
// bucket has left, or what has a name that the bucket's rules do not allow.
func findRecord(r index.Reader, bucket, key, uploadID string) (*openUpload, error) {
	b, err := openBucket(r, bucket)
	if err != nil {
		return nil, err
	}
	if id, ok := index.ParseContentID(uploadID); ok {
		rec, err := index.Get(r, index.UploadKey(bucket, key, id))
		if !isAbsent(err) {
			return &openUpload{Upload: rec, id: id, bucket: b}, err
		}
	}
	if err := b.rules.checkKey(key); err != nil {
		return nil, err
	}
	return nil, ErrNoSuchUpload
}

// isAbsent says that there is no such record, also since there can be none under such a name.
func isAbsent(err error) bool {
	return errors.Is(err, index.ErrNotFound) || errors.Is(err, index.ErrInvalidKey)
}

// ecForUpload gives an ErrNoSuchUpload the fine-grained code that OSS has for the operation.
func ecForUpload(err error, code string) error {
	if errors.Is(err, ErrNoSuchUpload) {
		return ErrNoSuchUpload.ec(code)
	}
	return err
}

// newID makes an id for an upload, a content or a manifest: random bytes, marked as a version 4
// UUID like the ids that OSS gives out.
func newID() (id [16]byte, err error) {
	_, err = rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id, err
}

// newUploadID makes the id of a new upload, and says when it is initiated. Under orderedUploadIDs
// the id begins with a stamp that ascends: it is that time, unless the clock has been ahead before.
// Then the stamp runs ahead of it, and only the stamp: an upload that was dated by it would not
// expire.
func (e *Engine) newUploadID(rules ruleSet) (id index.ContentID, initiated time.Time, err error) {
	random, err := newID()
	if err != nil || !rules.orderedUploadIDs {
		return random, e.now(), err
	}
	initiated = e.now()
	binary.BigEndian.PutUint64(random[:8], uint64(e.stamps.next(initiated).UnixNano()))
	return random, initiated, nil
}

// stamps makes times that are all different and ascend, though the clock may not.
type stamps struct {
	mu   sync.Mutex // guards last
	last time.Time
}

func (s *stamps) next(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !now.After(s.last) {
		now = s.last.Add(1)
	}
	s.last = now
	return now
}
