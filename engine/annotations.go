package engine

import (
	"context"
	"maps"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// PutObjectAnnotationsRequest replaces what a front end keeps with an object.
type PutObjectAnnotationsRequest struct {
	Bucket, Key    string
	Annotations    map[string]string  // as in Attributes; none deletes those that there are
	SSECustomerKey crypto.CustomerKey // that the object was stored with, if it was with one
}

// PutObjectAnnotationsResult is empty.
type PutObjectAnnotationsResult struct{}

// PutObjectAnnotations replaces all Annotations of an object. It is the engine's own: neither OSS
// nor S3 has it. Otherwise it is like PutObjectTagging in what it changes, costs and promises, and
// in its errors; too many annotations are ErrInvalidArgument.
func (e *Engine) PutObjectAnnotations(
	ctx context.Context, req *PutObjectAnnotationsRequest,
) (_ *PutObjectAnnotationsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "PutObjectAnnotations", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkAnnotations(req.Annotations); err != nil {
		return nil, err
	}
	if err := e.room(); err != nil {
		return nil, err
	}
	annotations := maps.Clone(req.Annotations)
	err = e.changeAttributes(
		ctx, objectRef{bucket: req.Bucket, key: req.Key, customer: req.SSECustomerKey},
		func(_ ruleSet, a *index.Attributes) error {
			a.Annotations = annotations
			return nil
		},
	)
	if err != nil {
		return nil, err
	}
	return &PutObjectAnnotationsResult{}, nil
}

// PutBucketAnnotationsRequest replaces what a front end keeps with a bucket.
type PutBucketAnnotationsRequest struct {
	Bucket      string
	Annotations map[string]string // as in Attributes; none deletes those that there are
}

// PutBucketAnnotationsResult is empty.
type PutBucketAnnotationsResult struct{}

// PutBucketAnnotations replaces the Annotations of a bucket. They go with the bucket when it is
// deleted. It is the engine's own: neither OSS nor S3 has it. It is durable when it returns without
// error. A bucket that does not exist fails with ErrNoSuchBucket, too many annotations with
// ErrInvalidArgument, and a disk that is filled up to Options.ReserveSpace with ErrNoSpace. Records
// of buckets have no MAC, so whoever can write the disk can change the annotations.
func (e *Engine) PutBucketAnnotations(
	ctx context.Context, req *PutBucketAnnotationsRequest,
) (_ *PutBucketAnnotationsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "PutBucketAnnotations", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	for _, err := range []error{
		checkBucketName(req.Bucket), checkAnnotations(req.Annotations), e.room(),
	} {
		if err != nil {
			return nil, err
		}
	}
	annotations := maps.Clone(req.Annotations)
	err = e.index.Update(ctx, func(tx index.Tx) error {
		rec, err := findBucket(tx, req.Bucket)
		if err != nil {
			return err
		}
		rec.Annotations = annotations
		return index.Put(tx, index.BucketKey(req.Bucket), rec)
	})
	if err != nil {
		return nil, err
	}
	return &PutBucketAnnotationsResult{}, nil
}
