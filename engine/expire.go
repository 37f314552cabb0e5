package engine

import (
	"context"
	"errors"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// ExpireRequest says which uploads are stale.
type ExpireRequest struct {
	// Before: uploads that have been idle since before it are aborted. An upload is idle from when
	// its newest part finished, or from Initiate if it has none. Zero means the time now less
	// Options.UploadExpiry, which must be set then.
	Before time.Time
}

// ExpireResult counts what was aborted.
type ExpireResult struct {
	Uploads int64
}

// Expire aborts stale uploads in all buckets, as OSS's lifecycle rules do. With
// Options.UploadExpiry the same happens in the background. A part that is under way does not count
// as activity until it has finished; it then fails with ErrNoSuchUpload.
func (e *Engine) Expire(ctx context.Context, req *ExpireRequest) (_ *ExpireResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "Expire"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	before := req.Before
	if before.IsZero() {
		if e.opts.UploadExpiry == 0 {
			return nil, ErrInvalidArgument.saying("Before is zero, and Options.UploadExpiry is not set.")
		}
		before = e.now().Add(-e.opts.UploadExpiry)
	}
	n, err := e.expire(ctx, before)
	if err != nil {
		return nil, err
	}
	return &ExpireResult{Uploads: n}, nil
}

// A staleUpload is one to abort.
type staleUpload struct {
	bucket, key string
	id          index.ContentID
}

// expire aborts the uploads idle since before, and says how many.
func (e *Engine) expire(ctx context.Context, before time.Time) (aborted int64, err error) {
	stale, err := e.staleUploads(ctx, before)
	if err != nil {
		return 0, err
	}
	for _, s := range stale {
		err := e.index.Update(ctx, func(tx index.Tx) error {
			up, err := findRecord(tx, s.bucket, s.key, s.id.String())
			if err != nil {
				return err
			}
			// Again: a part may have finished since.
			if idle, err := idleSince(tx, up.id, up.Initiated); err != nil || !idle.Before(before) {
				return errors.Join(err, errNotStale)
			}
			return e.abort(tx, s.bucket, s.key, up.id)
		})
		switch {
		case err == nil:
			aborted++
		case errors.Is(err, errNotStale) || errors.Is(err, ErrNoSuchUpload) || errors.Is(err, ErrNoSuchBucket):
		default:
			return aborted, err
		}
	}
	if aborted > 0 {
		e.sweeper.wake()
	}
	return aborted, nil
}

var errNotStale = errors.New("engine: the upload is in use again")

func (e *Engine) staleUploads(ctx context.Context, before time.Time) (stale []staleUpload, err error) {
	err = e.index.View(ctx, func(r index.Reader) error {
		for name, err := range bucketNames(r) {
			if err != nil {
				return err
			}
			for entry, err := range index.Scan(r, index.UploadsOf(name)) {
				if err != nil {
					return err
				}
				_, key, id, err := index.ParseUploadKey(entry.Key)
				if err != nil {
					return err
				}
				idle, err := idleSince(r, id, entry.Record.Initiated)
				if err != nil {
					return err
				}
				if idle.Before(before) {
					stale = append(stale, staleUpload{name, key, id})
				}
			}
		}
		return nil
	})
	return stale, err
}

// idleSince returns when an upload was last used.
func idleSince(r index.Reader, id index.ContentID, initiated time.Time) (time.Time, error) {
	last := initiated
	for entry, err := range index.Scan(r, index.PartsOf(id)) {
		if err != nil {
			return last, err
		}
		if entry.Record.Modified.After(last) {
			last = entry.Record.Modified
		}
	}
	return last, nil
}
