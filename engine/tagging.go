package engine

import (
	"context"
	"errors"
	"maps"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// PutObjectTaggingRequest replaces the tags of an object.
type PutObjectTaggingRequest struct {
	Bucket, Key    string
	Tags           map[string]string  // as in Attributes; none deletes those that there are
	SSECustomerKey crypto.CustomerKey // that the object was stored with, if it was with one
}

// PutObjectTaggingResult is empty.
type PutObjectTaggingResult struct{}

// PutObjectTagging replaces all tags of an object, as OSS and S3 do. Nothing else of the object
// changes, not even LastModified. It costs one small transaction, whatever the object's size, and
// is durable when it returns.
//
// It fails with ErrNoSuchBucket and ErrNoSuchKey, with ErrInvalidTag or ErrBadRequest for tags that
// the bucket's rules do not allow, with ErrUnavailable when the object is overwritten again and
// again meanwhile, and with ErrNoSpace when the disk is filled up to Options.ReserveSpace. The tags
// of an encrypted object are under its MAC, so the object's key is needed: the call may fail with
// the errors of Options.Keys, and for an object under a client's key SSECustomerKey must be given,
// though S3 does not ask for it; else it fails with ErrInvalidRequest or ErrAccessDenied.
func (e *Engine) PutObjectTagging(
	ctx context.Context, req *PutObjectTaggingRequest,
) (_ *PutObjectTaggingResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "PutObjectTagging", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := e.room(); err != nil {
		return nil, err
	}
	tags := maps.Clone(req.Tags)
	err = e.changeAttributes(
		ctx, objectRef{bucket: req.Bucket, key: req.Key, customer: req.SSECustomerKey},
		func(rules ruleSet, a *index.Attributes) error {
			a.Tags = tags
			return rules.checkTags(tags)
		},
	)
	if err != nil {
		return nil, err
	}
	return &PutObjectTaggingResult{}, nil
}

// DeleteObjectTaggingRequest names an object whose tags to delete.
type DeleteObjectTaggingRequest struct {
	Bucket, Key    string
	SSECustomerKey crypto.CustomerKey // that the object was stored with, if it was with one
}

// DeleteObjectTaggingResult is empty.
type DeleteObjectTaggingResult struct{}

// DeleteObjectTagging deletes all tags of an object. It is no error if there are none. What is said
// of PutObjectTagging holds for it, too; but like other deletions it works when the disk is full.
func (e *Engine) DeleteObjectTagging(
	ctx context.Context, req *DeleteObjectTaggingRequest,
) (_ *DeleteObjectTaggingResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "DeleteObjectTagging", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	err = e.changeAttributes(
		ctx, objectRef{bucket: req.Bucket, key: req.Key, customer: req.SSECustomerKey},
		func(_ ruleSet, a *index.Attributes) error {
			a.Tags = nil
			return nil
		},
	)
	if err != nil {
		return nil, err
	}
	return &DeleteObjectTaggingResult{}, nil
}

// GetObjectTaggingRequest names an object whose tags to read.
type GetObjectTaggingRequest struct {
	Bucket, Key string

	// SSECustomerKey is the key that the object was stored with, if it was with one. It may be left
	// out, as clients of S3 do; then the tags are returned without verifying their MAC.
	SSECustomerKey crypto.CustomerKey
}

// GetObjectTaggingResult holds the tags of an object.
type GetObjectTaggingResult struct {
	Tags map[string]string // nil if there are none
}

// GetObjectTagging returns the tags of an object, which HeadObject does, too. It fails with
// ErrNoSuchBucket and ErrNoSuchKey, and with ErrInvalidRequest or ErrAccessDenied when an
// SSECustomerKey is given that is not the object's. Options.Keys is not asked.
func (e *Engine) GetObjectTagging(
	ctx context.Context, req *GetObjectTaggingRequest,
) (_ *GetObjectTaggingResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "GetObjectTagging", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	obj, _, err := e.lookObject(ctx, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	if !obj.Encryption.Customer || req.SSECustomerKey != nil {
		of := objectRef{bucket: req.Bucket, key: req.Key, customer: req.SSECustomerKey}
		if err := e.verifyHead(ctx, of, obj); err != nil {
			return nil, err
		}
	}
	return &GetObjectTaggingResult{Tags: maps.Clone(obj.Attributes.Tags)}, nil
}

// errOverwritten says that an object is another one than before.
var errOverwritten = errors.New("engine: the object was overwritten")

// changeTries is how often a change looks at an object that is overwritten while it does. Each look
// may ask the key provider.
const changeTries = 16

// changeAttributes changes what is said of an object in place.
func (e *Engine) changeAttributes(
	ctx context.Context, of objectRef, change func(ruleSet, *index.Attributes) error,
) error {
	if err := checkNames(of.bucket, of.key); err != nil {
		return err
	}
	for range changeTries {
		// The key comes first: a transaction cannot wait for it.
		seen, rules, err := e.lookObject(ctx, of.bucket, of.key)
		if err != nil {
			return err
		}
		cipher, err := e.cipherOfObject(ctx, of, seen)
		if err != nil {
			return err
		}
		err = e.index.Update(ctx, func(tx index.Tx) error {
			obj, err := findObject(tx, of.bucket, of.key)
			if err != nil {
				return err
			}
			if obj.Content != seen.Content {
				return errOverwritten
			}
			s := e.sealsOf(obj.Content, cipher)
			if err := s.object(of.bucket, of.key, obj); err != nil {
				return err
			}
			if err := change(rules, &obj.Attributes); err != nil {
				return err
			}
			s.signChanged(of.bucket, of.key, obj)
			return index.Put(tx, index.ObjectKey(of.bucket, of.key), obj)
		})
		if !errors.Is(err, errOverwritten) {
			return err
		}
	}
	return ErrUnavailable.saying("The object is overwritten all the time. Try again later.").
		with(errOverwritten)
}
