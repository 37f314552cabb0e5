package engine

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// InitiateMultipartUploadRequest begins an upload. What it says about the object is kept and given
// to the object at Complete.
type InitiateMultipartUploadRequest struct {
	Bucket string
	Key    string // 1 to 1023 bytes of UTF-8, not beginning with / or \

	ContentType        string // application/octet-stream if empty
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	Expires            string
	Metadata           map[string]string // at most 8 KiB; names are letters, digits and -, kept in lower case
	Tags               map[string]string // at most 10; keys at most 128 bytes, values 256
	StorageClass       string            // Standard if empty; kept and returned, without effect

	// ServerSideEncryption is "", "AES256" or "KMS". It applies to all parts. Both need
	// Options.Keys; with KMS, ServerSideEncryptionKeyID may name the key.
	ServerSideEncryption      string
	ServerSideEncryptionKeyID string

	// ForbidOverwrite fails the call with ErrFileAlreadyExists when the object exists.
	ForbidOverwrite bool
}

// InitiateMultipartUploadResult names the upload.
type InitiateMultipartUploadResult struct {
	Bucket                    string
	Key                       string
	UploadID                  string // 32 upper-case hex digits
	ServerSideEncryption      string
	ServerSideEncryptionKeyID string
}

// InitiateMultipartUpload begins an upload. An object of that name is not touched, and any number
// of uploads of one name may be open, as in OSS.
func (e *Engine) InitiateMultipartUpload(ctx context.Context, req *InitiateMultipartUploadRequest) (_ *InitiateMultipartUploadResult, err error) {
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
	attributes, err := checkAttributes(index.Attributes{
		ContentType:        req.ContentType,
		CacheControl:       req.CacheControl,
		ContentDisposition: req.ContentDisposition,
		ContentEncoding:    req.ContentEncoding,
		Expires:            req.Expires,
		StorageClass:       req.StorageClass,
		Metadata:           req.Metadata,
		Tags:               req.Tags,
	})
	if err != nil {
		return nil, err
	}
	var id index.ContentID
	if id, err = newID(); err != nil {
		return nil, err
	}
	rec := index.Upload{Initiated: e.now(), Attributes: attributes}
	rec.Encryption, err = e.newEncryption(ctx, id, req.ServerSideEncryption, req.ServerSideEncryptionKeyID)
	if err != nil {
		return nil, err
	}
	err = e.index.Update(ctx, func(tx index.Tx) error {
		if _, err := bucketRules(tx, req.Bucket); err != nil {
			return err
		}
		if req.ForbidOverwrite {
			if err := checkAbsent(tx, req.Bucket, req.Key); err != nil {
				return err
			}
		}
		if err := count(tx, index.Totals{Uploads: 1}); err != nil {
			return err
		}
		return index.Put(tx, index.UploadKey(req.Bucket, req.Key, id), &rec)
	})
	if err != nil {
		return nil, err
	}
	return &InitiateMultipartUploadResult{
		Bucket: req.Bucket, Key: req.Key, UploadID: id.String(),
		ServerSideEncryption:      rec.Encryption.Algorithm,
		ServerSideEncryptionKeyID: rec.Encryption.KeyID,
	}, nil
}

// newEncryption checks what a request says of encryption and makes a data key for the content.
func (e *Engine) newEncryption(ctx context.Context, id index.ContentID, algorithm, keyID string) (index.Encryption, error) {
	switch {
	case algorithm == "" && keyID == "":
		return index.Encryption{}, nil
	case algorithm != "KMS" && keyID != "":
		return index.Encryption{}, ErrInvalidArgument.saying("ServerSideEncryptionKeyID goes with ServerSideEncryption KMS only.")
	case algorithm != "KMS" && algorithm != "AES256":
		return index.Encryption{}, ErrInvalidEncryptionAlgorithm
	}
	wrapped, err := e.ciphers.generate(ctx, id, keyID)
	if err != nil {
		return index.Encryption{}, err
	}
	return index.Encryption{Algorithm: algorithm, KeyID: keyID, WrappedKey: wrapped.Blob, Wrapper: wrapped.KeyID}, nil
}

// checkAbsent fails with ErrFileAlreadyExists if there is such an object.
func checkAbsent(r index.Reader, bucket, key string) error {
	_, err := index.Get(r, index.ObjectKey(bucket, key))
	if errors.Is(err, index.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return ErrFileAlreadyExists
}

// AbortMultipartUploadRequest names an upload to give up.
type AbortMultipartUploadRequest struct {
	Bucket, Key, UploadID string
}

// AbortMultipartUploadResult is empty.
type AbortMultipartUploadResult struct{}

// AbortMultipartUpload ends an upload and gives up its parts; their space comes back in the
// background. A part that is under way fails with ErrNoSuchUpload when it finishes. A second Abort
// fails with ErrNoSuchUpload, as in OSS.
func (e *Engine) AbortMultipartUpload(ctx context.Context, req *AbortMultipartUploadRequest) (_ *AbortMultipartUploadResult, err error) {
	c, err := e.begin(ctx, call{op: "AbortMultipartUpload", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	if err := e.giveUpReserve(); err != nil {
		return nil, err
	}
	err = e.index.Update(ctx, func(tx index.Tx) error {
		up, err := findUpload(tx, req.Bucket, req.Key, req.UploadID)
		if err != nil {
			return ecForUpload(err, "0042-00000002")
		}
		return e.abort(tx, req.Bucket, req.Key, up.id)
	})
	if err != nil {
		return nil, err
	}
	e.sweeper.wake()
	return &AbortMultipartUploadResult{}, nil
}

// abort ends an upload inside a transaction and queues its parts for the sweeper.
func (e *Engine) abort(tx index.Tx, bucket, key string, id index.ContentID) error {
	if err := index.Delete(tx, index.UploadKey(bucket, key, id)); err != nil {
		return err
	}
	if err := e.discard(tx, id, index.TrashContent); err != nil {
		return err
	}
	return count(tx, index.Totals{Uploads: -1})
}

// An openUpload is an upload as a transaction sees it.
type openUpload struct {
	index.Upload
	id    index.ContentID
	rules Rules
}

// findUpload returns an open upload, or ErrNoSuchBucket or ErrNoSuchUpload.
func findUpload(r index.Reader, bucket, key, uploadID string) (*openUpload, error) {
	rules, err := bucketRules(r, bucket)
	if err != nil {
		return nil, err
	}
	id, ok := index.ParseContentID(uploadID)
	if !ok {
		return nil, ErrNoSuchUpload
	}
	rec, err := index.Get(r, index.UploadKey(bucket, key, id))
	if errors.Is(err, index.ErrNotFound) {
		return nil, ErrNoSuchUpload
	}
	if err != nil {
		return nil, err
	}
	return &openUpload{Upload: rec, id: id, rules: rules}, nil
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
