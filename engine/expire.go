package engine

import (
	"context"
	"errors"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
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
	c.pass()
	before := req.Before
	if before.IsZero() {
		if e.opts.UploadExpiry == 0 {
			return nil, ErrInvalidArgument.saying(
				"Before is zero, and Options.UploadExpiry is not set.",
			).about("Before", "")
		}
		before = e.now().Add(-e.opts.UploadExpiry)
	}
	n, _, err := e.expire(ctx, before)
	if err != nil {
		return nil, err
	}
	return &ExpireResult{Uploads: n}, nil
}

// Limits of one transaction that aborts uploads.
const (
	expireUploads = 256
	expireParts   = 8 << 10 // looked at; those of one upload are, however many
)

// watch stores the record of an upload that was last used at a time known now, and puts it into the
// table of idle uploads. It stands there under that time until somebody looks whether it was used
// since: so a part costs nothing more, and looking costs what may be stale, not what exists.
func watch(
	tx index.Tx, bucket, key string, id index.ContentID, rec *index.Upload, used time.Time,
) error {
	rec.Watched = used
	if err := index.PutIdle(tx, used, id, &index.Idle{Bucket: bucket, Key: key}); err != nil {
		return err
	}
	return index.Put(tx, index.UploadKey(bucket, key, id), rec)
}

// expire aborts the uploads idle since before. It says how many, and whether there are others.
func (e *Engine) expire(
	ctx context.Context, before time.Time,
) (aborted int64, left bool, err error) {
	for {
		var x expiring
		err := e.index.Update(ctx, func(tx index.Tx) error {
			x = expiring{engine: e, before: before}
			return x.some(tx)
		})
		if err != nil {
			return aborted, true, err
		}
		if aborted += x.aborted; x.aborted > 0 {
			e.worker.wake()
		}
		if x.walked {
			return aborted, x.left, nil
		}
	}
}

// expiring is one transaction that walks the table of idle uploads.
type expiring struct {
	engine      *Engine
	before      time.Time
	aborted     int64
	seen, parts int
	walked      bool // to the end
	left        bool // there are uploads
}

// some takes the first few uploads that may be stale out of the table, and aborts those that are.
func (x *expiring) some(tx index.Tx) error {
	stale, err := index.IdleBefore(tx, x.before)
	if err != nil {
		return err
	}
	upTo := x.before
	x.walked = true
	for entry, err := range index.Scan(tx, stale) {
		if err != nil {
			return err
		}
		used, id, err := index.ParseIdleKey(entry.Key)
		if err != nil {
			return err
		}
		if x.seen == expireUploads || x.parts >= expireParts {
			x.walked, upTo = false, used
			break
		}
		x.seen++
		if err := x.upload(tx, &entry.Record, used, id); err != nil {
			return err
		}
	}
	totals, err := ledger.Totals(tx)
	if err != nil {
		return err
	}
	x.left = totals.Uploads > 0
	return index.IdleWalked(tx, upTo)
}

// upload aborts an upload, or lets it stand in the table under the time at which it was really
// used.
func (x *expiring) upload(
	tx index.Tx, at *index.Idle, watched time.Time, id index.ContentID,
) error {
	rec, err := index.Get(tx, index.UploadKey(at.Bucket, at.Key, id))
	if errors.Is(err, index.ErrNotFound) || err == nil && !rec.Watched.Equal(watched) {
		return index.Delete(tx, index.IdleKey(watched, id))
	}
	if err != nil {
		return err
	}
	parts, err := partsOf(tx, id)
	if err != nil {
		return err
	}
	x.parts += len(parts)
	used := rec.Initiated
	for i := range parts {
		if parts[i].Modified.After(used) {
			used = parts[i].Modified
		}
	}
	up := &openUpload{Upload: rec, id: id}
	if used.Before(x.before) {
		x.aborted++
		return x.engine.abort(tx, at.Bucket, at.Key, up)
	}
	if err := index.Delete(tx, index.IdleKey(watched, id)); err != nil {
		return err
	}
	return watch(tx, at.Bucket, at.Key, id, &rec, used)
}
