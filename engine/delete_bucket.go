package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// DeleteBucketRequest names a bucket to delete.
type DeleteBucketRequest struct {
	Bucket string
}

// DeleteBucketResult is empty.
type DeleteBucketResult struct{}

// DeleteBucket deletes a bucket that has neither objects nor open uploads; otherwise it fails with
// ErrBucketNotEmpty, as OSS does. Under S3's rules open uploads do not prevent it: they are
// aborted, in steps of 100, so a call that fails may have aborted some. Calls that began in the
// bucket and are still under way fail with ErrNoSuchBucket or ErrNoSuchUpload, even if another
// bucket of that name exists when they commit: a new bucket begins empty, and nothing of an earlier
// one turns up in it.
//
// It looks through the bucket, and through what the index keeps of deleted records there, in
// snapshots, so that writers do not wait for it. Of several calls for one bucket one works and
// the others wait for it.
//
// It is durable when it returns without error, and goes on when the disk is full, as other
// deletions do. A bucket that is not there, or was deleted before, fails with ErrNoSuchBucket.
func (e *Engine) DeleteBucket(
	ctx context.Context, req *DeleteBucketRequest,
) (_ *DeleteBucketResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "DeleteBucket", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkBucketName(req.Bucket); err != nil {
		return nil, err
	}
	if err := e.emptyAndDelete(ctx, req.Bucket); err != nil {
		return nil, err
	}
	e.worker.wake()
	return &DeleteBucketResult{}, nil
}

// leftoversAtOnce bounds how many uploads one transaction of DeleteBucket gives up; abortParts does,
// too.
const leftoversAtOnce = 100

// emptyAndDelete looks through a bucket in snapshots, since a database keeps deleted records for a
// while, and a scan passes those: a transaction in which it did would keep everybody waiting. What
// begins in the bucket meanwhile is noted, so that the last transaction need look at that only.
func (e *Engine) emptyAndDelete(ctx context.Context, name string) error {
	// A bucket that is not empty is refused before anybody waits.
	err := e.index.View(ctx, func(r index.Reader) error {
		bucket, err := openBucket(r, name)
		if err == nil {
			_, err = leftovers(r, &bucket)
		}
		return err
	})
	if err != nil {
		return err
	}
	begun, err := e.deletions.enter(ctx, name)
	if err != nil {
		return err
	}
	defer e.deletions.leave(name)
	for done := false; !done; {
		d := bucketDeletion{engine: e, begun: begun}
		if err := d.look(ctx, name); err != nil {
			return err
		}
		if done, err = d.finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A bucketDeletion is one look through a bucket, and what follows from it.
type bucketDeletion struct {
	engine *Engine
	bucket liveBucket
	begun  *arrivals
}

// look fails with ErrBucketNotEmpty if there is something that keeps the bucket, and gives up all
// uploads that do not. What it does not see has been noted.
func (d *bucketDeletion) look(ctx context.Context, name string) error {
	d.begun.forget()
	// What was let in before anything was noted is committed when this transaction is, and so in the
	// snapshots after it.
	err := d.engine.index.Update(ctx, func(tx index.Tx) (err error) {
		d.bucket, err = openBucket(tx, name)
		return err
	})
	if err != nil {
		return err
	}
	var uploads []index.Entry[index.Upload]
	err = d.engine.index.View(ctx, func(r index.Reader) (err error) {
		uploads, err = leftovers(r, &d.bucket)
		return err
	})
	for err == nil && len(uploads) > 0 {
		var next index.Range[index.Upload]
		if next, err = d.abort(ctx, uploads); err != nil {
			break
		}
		err = d.engine.index.View(ctx, func(r index.Reader) (err error) {
			uploads, err = leftoverUploads(r, &d.bucket, next)
			return err
		})
	}
	return err
}

// abort gives up uploads in one transaction, which bounds how many. The next ones are those of the
// range that it returns.
func (d *bucketDeletion) abort(
	ctx context.Context, uploads []index.Entry[index.Upload],
) (next index.Range[index.Upload], err error) {
	var n int
	err = d.engine.index.Update(ctx, func(tx index.Tx) (err error) {
		if err = d.bucket.check(tx); err == nil {
			n, err = d.abortIn(tx, uploads)
		}
		return err
	})
	if err != nil {
		return next, err
	}
	d.engine.worker.wake()
	last := uploads[n-1].Key
	_, key, id, err := index.ParseUploadKey(last)
	return index.UploadsAfter(d.bucket.name, "", key, id.String()), err
}

// abortIn gives up the first few of the uploads, as far as they are there, and says how many it has
// seen.
func (d *bucketDeletion) abortIn(
	tx index.Tx, uploads []index.Entry[index.Upload],
) (seen int, err error) {
	parts := 0
	for seen < len(uploads) && parts < abortParts {
		_, key, id, err := index.ParseUploadKey(uploads[seen].Key)
		if err != nil {
			return seen, err
		}
		seen++
		now, err := index.Get(tx, uploads[seen-1].Key)
		if errors.Is(err, index.ErrNotFound) {
			continue
		}
		if err != nil {
			return seen, err
		}
		n, err := d.engine.abort(tx, d.bucket.name, key, &openUpload{Upload: now, id: id})
		if err != nil {
			return seen, err
		}
		parts += n
	}
	return seen, nil
}

// finish deletes the bucket, which was looked through. It fails with ErrBucketNotEmpty if something
// has begun since that keeps it, and is not done if too much has for that to be known.
func (d *bucketDeletion) finish(ctx context.Context) (done bool, err error) {
	for more := true; more; {
		err = d.engine.index.Update(ctx, func(tx index.Tx) (err error) {
			more, err = d.finishIn(tx)
			return err
		})
		if errors.Is(err, errTooManyArrivals) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// finishIn is one transaction of finish. There are more if it cannot give up all that must go
// first.
func (d *bucketDeletion) finishIn(tx index.Tx) (more bool, err error) {
	if err := d.bucket.check(tx); err != nil {
		return false, err
	}
	uploads, err := d.arrived(tx)
	if err != nil {
		return false, err
	}
	n, err := d.abortIn(tx, uploads)
	if err != nil || n < len(uploads) || n == leftoversAtOnce {
		return true, err
	}
	return false, index.Delete(tx, index.BucketKey(d.bucket.name))
}

// errTooManyArrivals says that more has begun in a bucket than was noted.
var errTooManyArrivals = errors.New("engine: too much has begun in the bucket")

// arrived is leftovers, of what has begun in the bucket since it was looked through. It fails with
// errTooManyArrivals if that is not known. Other engines of a fleet do not say what they let in, so
// there it is looked up in the bucket.
func (d *bucketDeletion) arrived(tx index.Tx) (uploads []index.Entry[index.Upload], err error) {
	if d.engine.node != nil {
		return leftovers(tx, &d.bucket)
	}
	keys, all := d.begun.list()
	if !all {
		return nil, errTooManyArrivals
	}
	for _, begun := range keys {
		if begun.uploadID == (index.ContentID{}) {
			_, err := tx.Get(index.ObjectKey(d.bucket.name, begun.key))
			if err == nil {
				err = ErrBucketNotEmpty
			}
			if !errors.Is(err, index.ErrNotFound) {
				return nil, err
			}
			continue
		}
		key := index.UploadKey(d.bucket.name, begun.key, begun.uploadID)
		rec, err := index.Get(tx, key)
		if errors.Is(err, index.ErrNotFound) {
			continue
		}
		if err == nil {
			err = d.bucket.leaves(&rec)
		}
		if err != nil {
			return nil, err
		}
		uploads = append(uploads, index.Entry[index.Upload]{Key: key, Record: rec})
		if len(uploads) == leftoversAtOnce {
			break
		}
	}
	return uploads, nil
}

// leftovers fails with ErrBucketNotEmpty if there is something in the bucket that keeps it, and
// returns the first few uploads that do not.
func leftovers(r index.Reader, b *liveBucket) ([]index.Entry[index.Upload], error) {
	for _, err := range index.Scan(r, index.ObjectsOf(b.name)) {
		if err != nil {
			return nil, err
		}
		return nil, ErrBucketNotEmpty
	}
	return leftoverUploads(r, b, index.UploadsOf(b.name))
}

// leftoverUploads is leftovers, of a range of the uploads alone.
func leftoverUploads(
	r index.Reader, b *liveBucket, rg index.Range[index.Upload],
) (uploads []index.Entry[index.Upload], err error) {
	for entry, err := range index.Scan(r, rg) {
		if err == nil {
			err = b.leaves(&entry.Record)
		}
		if err != nil {
			return nil, err
		}
		if uploads = append(uploads, entry); len(uploads) == leftoversAtOnce {
			break
		}
	}
	return uploads, nil
}

// leaves fails with ErrBucketNotEmpty if the upload keeps the bucket. One of an earlier bucket of
// the name does not, and under deleteUploads none does.
func (b *liveBucket) leaves(up *index.Upload) error {
	if up.Generation != b.generation || b.rules.deleteUploads {
		return nil
	}
	return ErrBucketNotEmpty.saying(
		"The bucket has Multipart Uploads. Please complete or abort them.",
	)
}
