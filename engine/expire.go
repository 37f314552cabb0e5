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
	// Before: uploads that have been idle since before this time are aborted. An upload is idle
	// from when its newest part finished, or from Initiate if it has none. The zero time means now
	// minus Options.UploadExpiry, which must be set then. See there for clocks of several nodes.
	Before time.Time
}

// ExpireResult counts what was aborted.
type ExpireResult struct {
	Uploads int64
}

// Expire aborts stale uploads in all buckets, as OSS's lifecycle rules do. With
// Options.UploadExpiry the same happens in the background. A part that is under way does not count
// as activity until it has finished; it then fails with ErrNoSuchUpload. An upload whose records are
// damaged stays and is part of the error; all others that are stale are aborted all the same.
//
// It works in steps of up to 256 uploads each, and each is durable before the next begins. A call
// that fails may have aborted some; there is no result then. No key is asked for, and it works when
// the disk is full. It fails with ErrInvalidArgument when Before is zero and Options.UploadExpiry
// is not set.
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
		if before, err = e.staleBefore(ctx); err != nil {
			return nil, err
		}
	}
	n, _, err := e.expire(ctx, before)
	if err != nil {
		return nil, err
	}
	return &ExpireResult{Uploads: n}, nil
}

// staleBefore is since when an upload must be idle to be stale now. A node whose clock is ahead must
// not abort what others upload: where the index has a clock, the earlier of both counts.
func (e *Engine) staleBefore(ctx context.Context) (time.Time, error) {
	now := e.now()
	if e.node != nil {
		if clock, ok := e.node.Index.(index.Clock); ok {
			shared, err := clock.Now(ctx)
			if err != nil {
				return time.Time{}, err
			}
			if shared.Before(now) {
				now = shared
			}
		}
	}
	return now.Add(-e.opts.UploadExpiry), nil
}

// Limits of one transaction that aborts uploads.
const (
	expireUploads = 256     // fewer, where the records of those that were used since have no room
	abortParts    = 8 << 10 // looked at; those of one upload are, however many
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
	var next *stop
	var damaged []error
	most := expireUploads
	for {
		var x expiring
		err := e.index.Update(ctx, func(tx index.Tx) error {
			x = expiring{engine: e, before: before, from: next, most: most}
			return x.some(tx)
		})
		if errors.Is(err, index.ErrTooLarge) && x.seen > 1 {
			most = x.seen / 2
			continue
		}
		damaged = append(damaged, x.damaged...)
		if err != nil {
			return aborted, true, errors.Join(append(damaged, err)...)
		}
		if aborted += x.aborted; x.aborted > 0 {
			e.worker.wake()
		}
		if x.next == nil {
			return aborted, x.left, errors.Join(damaged...)
		}
		next = x.next
	}
}

// A stop is where a transaction that walks the table of idle uploads has stopped.
type stop struct {
	key  []byte
	kept bool // something stays in the table before it
}

// expiring is one transaction that walks the table of idle uploads.
type expiring struct {
	engine      *Engine
	before      time.Time
	from        *stop // nil is the start of the table
	most        int   // uploads
	aborted     int64
	seen, parts int
	damaged     []error // what keeps uploads from being looked at: they stay in the table
	next        *stop   // nil is its end
	left        bool    // there are uploads
}

// some takes the first few uploads that may be stale out of the table, and aborts those that are.
func (x *expiring) some(tx index.Tx) error {
	stale, err := index.IdleBefore(tx, x.before)
	if err != nil {
		return err
	}
	// Behind what stays; else from the start of the table, where a clock that is set back may have put
	// something meanwhile.
	upTo, kept := x.before, x.from != nil && x.from.kept
	if kept {
		stale.Start = x.from.key
	}
	keeps := func(since time.Time, err error) {
		x.damaged = append(x.damaged, err)
		if !kept {
			upTo, kept = since, true
		}
	}
	for entry, err := range index.ScanAll(tx, stale) {
		if len(entry.Key) == 0 {
			return err
		}
		used, id, keyErr := index.ParseIdleKey(entry.Key)
		if keyErr != nil {
			return keyErr
		}
		if x.seen == x.most || x.parts >= abortParts {
			x.next = &stop{entry.Key, kept}
			if !kept {
				upTo = used
			}
			break
		}
		x.seen++
		var stays staleness
		if err == nil {
			stays, err = x.look(tx, &entry.Record, used, id)
		}
		if index.IsUnreadable(err) {
			keeps(used, err)
			continue
		}
		if err == nil {
			err = x.settle(tx, &entry.Record, used, &stays)
		}
		if err != nil {
			return err
		}
	}
	totals, err := ledger.Totals(tx)
	if err != nil {
		return err
	}
	x.left = totals.Uploads > 0
	if x.from != nil && x.from.kept {
		return nil // the table begins with what an earlier transaction has met
	}
	return index.IdleWalked(tx, upTo)
}

// A staleness is what an upload that stands in the table is found to be.
type staleness struct {
	openUpload
	gone bool // or it stands elsewhere in the table
	used time.Time
}

// look finds out when an upload was really used. It writes nothing.
func (x *expiring) look(
	tx index.Tx, at *index.Idle, watched time.Time, id index.ContentID,
) (s staleness, err error) {
	s.id = id
	s.Upload, err = index.Get(tx, index.UploadKey(at.Bucket, at.Key, id))
	if errors.Is(err, index.ErrNotFound) || err == nil && !s.Watched.Equal(watched) {
		s.gone = true
		return s, nil
	}
	if err != nil {
		return s, err
	}
	parts, err := partsOf(tx, id)
	x.parts += len(parts)
	s.used = s.Initiated
	for i := range parts {
		if parts[i].Modified.After(s.used) {
			s.used = parts[i].Modified
		}
	}
	return s, err
}

// settle aborts an upload, or lets it stand in the table under the time at which it was really used.
func (x *expiring) settle(tx index.Tx, at *index.Idle, watched time.Time, s *staleness) error {
	if !s.gone && s.used.Before(x.before) {
		x.aborted++
		_, err := x.engine.abort(tx, at.Bucket, at.Key, &s.openUpload)
		return err
	}
	err := index.Delete(tx, index.IdleKey(watched, s.id))
	if err != nil || s.gone {
		return err
	}
	return watch(tx, at.Bucket, at.Key, s.id, &s.Upload, s.used)
}
