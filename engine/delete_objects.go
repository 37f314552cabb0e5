package engine

import (
	"context"

	"github.com/gabion-storage/gabion/index"
)

// MaxDeleteKeys is how many keys one DeleteObjects may name.
const MaxDeleteKeys = 1000

// deleteBatch is how many objects one transaction of DeleteObjects deletes, so that others do not
// wait for it long.
const deleteBatch = 100

// DeleteObjectsRequest names objects to delete.
type DeleteObjectsRequest struct {
	Bucket string
	Keys   []string // 1 to 1000; a key may come twice
	Quiet  bool     // only what failed is answered

	// IfMatch is empty, or has an entry for each of the Keys, as IfMatch of DeleteObjectRequest. A
	// key whose object does not match is an error of its own.
	IfMatch []string
}

// DeleteObjectsResult answers each key of the request once, in the order of the request.
type DeleteObjectsResult struct {
	Deleted []string // also those that were not there, as in OSS; none if Quiet
	Errors  []DeleteError
}

// A DeleteError says why one key of DeleteObjects was not deleted.
type DeleteError struct {
	Key string
	Err *Error
}

// DeleteObjects deletes up to 1000 objects, as OSS's DeleteMultipleObjects does. If the list is
// empty or longer, nothing is deleted and the call fails with ErrMalformedXML. A key that cannot be
// an object's name, or whose record is damaged, is an error of its own and does not keep the others
// from being deleted.
//
// Unlike DeleteObject it is not one step: others may see some of the objects gone and some not yet,
// and a call that fails as a whole may have deleted some. It is safe to repeat. Its cost does not
// depend on the objects' sizes; the space comes back in the background. When it returns without
// error, the result for each key is durable. It goes on when the disk is full, as DeleteObject
// does, and fails with ErrNoSuchBucket.
func (e *Engine) DeleteObjects(
	ctx context.Context, req *DeleteObjectsRequest,
) (_ *DeleteObjectsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "DeleteObjects", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkBucketName(req.Bucket); err != nil {
		return nil, err
	}
	if n := len(req.Keys); n == 0 || n > MaxDeleteKeys {
		return nil, ErrMalformedXML.saying("Keys has %d entries, must have 1 to %d.", n, MaxDeleteKeys).
			ec("0016-00000608")
	}
	if n := len(req.IfMatch); n > 0 && n != len(req.Keys) {
		return nil, ErrInvalidRequest.saying("IfMatch has %d entries, Keys has %d.", n, len(req.Keys))
	}
	res := &DeleteObjectsResult{}
	for from := 0; from < len(req.Keys); from += deleteBatch {
		to := min(from+deleteBatch, len(req.Keys))
		failed, err := e.deleteObjects(ctx, req, from, to)
		if err != nil {
			return nil, err
		}
		for i, key := range req.Keys[from:to] {
			switch {
			case failed[i] != nil:
				of := call{op: c.op, bucket: c.bucket, key: key, ctx: ctx}
				of.wrap(&failed[i])
				res.Errors = append(res.Errors, DeleteError{key, asError(ctx, failed[i])})
			case !req.Quiet:
				res.Deleted = append(res.Deleted, key)
			}
		}
	}
	return res, nil
}

// deleteObjects deletes the objects of some of the keys in one transaction. failed says of each why it
// was left out.
func (e *Engine) deleteObjects(
	ctx context.Context, req *DeleteObjectsRequest, from, to int,
) (failed []error, err error) {
	failed = make([]error, to-from)
	err = e.index.Update(ctx, func(tx index.Tx) error {
		b, err := openBucket(tx, req.Bucket)
		if err != nil {
			return err
		}
		for i, key := range req.Keys[from:to] {
			when := overwriting{bucket: req.Bucket, key: key}
			if len(req.IfMatch) > 0 {
				when.IfMatch = req.IfMatch[from+i]
			}
			if failed[i] = checkDeletable(tx, b.rules, when); failed[i] != nil {
				continue
			}
			// From here on an error is one of the transaction: a key that is left out must not have
			// been written to.
			if err := e.deleteObject(tx, req.Bucket, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.worker.wake()
	return failed, nil
}

// checkDeletable fails if the record under key cannot be read or is not the one that it must be, or
// if there is none and the rules allow none: what is there is deleted whatever its name.
func checkDeletable(r index.Reader, rules ruleSet, when overwriting) error {
	_, err := index.Get(r, index.ObjectKey(when.bucket, when.key))
	if isAbsent(err) {
		return rules.checkKey(when.key)
	}
	if err != nil {
		return err
	}
	return when.check(r)
}
