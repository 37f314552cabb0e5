package engine

import (
	"crypto/md5"
	"errors"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// Under ruleSet.repeatComplete the answer to a Complete is remembered, for the client that did not
// get it and asks again. How many are remembered is bounded: with every new one the oldest few go,
// if they are too old or too many.
const (
	rememberFor  = time.Hour
	rememberMost = 1 << 16
	forgetAtOnce = 8
)

// listDigest stands for a list of parts.
func listDigest(parts []CompletedPart) [16]byte {
	sum := md5.New()
	var line []byte
	for _, p := range parts {
		line = strconv.AppendInt(line[:0], int64(p.PartNumber), 10)
		line = append(line, ' ')
		line = append(line, normalETag(p.ETag)...)
		line = append(line, '\n')
		sum.Write(line)
	}
	return [16]byte(sum.Sum(nil))
}

// remember keeps the answer to a Complete.
func (e *Engine) remember(
	tx index.Tx, req *CompleteMultipartUploadRequest, up *openUpload, listed []numberedPart,
	obj *index.Object,
) error {
	if !up.bucket.rules.repeatComplete {
		return nil
	}
	list := make([]CompletedPart, len(listed))
	for i, p := range listed {
		text := upperHex(p.ETag)
		list[i] = CompletedPart{PartNumber: p.number, ETag: string(text[:])}
	}
	answer := *obj
	answer.Attributes = index.Attributes{}
	answer.Encryption.WrappedKey = nil
	answer.MAC, answer.UploadMAC = nil, nil
	rec := index.Completed{
		Bucket: req.Bucket, Key: req.Key, Generation: up.Generation, List: listDigest(list),
		Object: answer,
	}
	if err := index.Put(tx, index.CompletedKey(up.id), &rec); err != nil {
		return err
	}
	now := e.now() // one look at the clock, so that the new answer is not old
	if _, err := index.Push(tx, index.AnswerQueue(), &index.Answer{Upload: up.id, Given: now}); err != nil {
		return err
	}
	return forget(tx, now)
}

// forget counts one more answer and deletes old ones. One that is damaged goes as if it were old, but
// what it was to forget stays.
func forget(tx index.Tx, now time.Time) error {
	totals, err := ledger.Totals(tx)
	if err != nil {
		return err
	}
	kept := totals.Completed + 1
	for range forgetAtOnce {
		oldest, err := index.Oldest(tx, index.AnswerQueue())
		lost := index.IsCorrupt(err) || errors.Is(err, index.ErrNotFound) // there is at least the new one
		if err != nil && !lost {
			return err
		}
		if !lost {
			if now.Sub(oldest.Given) <= rememberFor && kept <= rememberMost {
				break
			}
			if err := index.Delete(tx, index.CompletedKey(oldest.Upload)); err != nil {
				return err
			}
			kept--
		}
		if err := index.Pop(tx, index.AnswerQueue()); err != nil {
			return err
		}
	}
	return ledger.Count(tx, index.Totals{Completed: kept - totals.Completed})
}

// replay returns the object of an upload that was completed before with the same list, or
// ErrNoSuchUpload.
func (e *Engine) replay(
	r index.Reader, req *CompleteMultipartUploadRequest,
) (*index.Object, error) {
	id, ok := index.ParseContentID(req.UploadID)
	if !ok {
		return nil, ErrNoSuchUpload
	}
	rec, err := index.Get(r, index.CompletedKey(id))
	if err != nil && !errors.Is(err, index.ErrNotFound) {
		return nil, err
	}
	bucket, err2 := openBucket(r, req.Bucket)
	if err2 != nil {
		return nil, err2
	}
	same := rec.Generation == bucket.generation && rec.Bucket == req.Bucket && rec.Key == req.Key &&
		(req.All || rec.List == listDigest(req.Parts))
	if err != nil || !same || e.now().Sub(rec.Object.Modified) > rememberFor {
		return nil, ErrNoSuchUpload
	}
	return &rec.Object, nil
}
