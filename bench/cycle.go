package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/engine"
)

// abortTimeout bounds the clean-up after a failure, which goes on when the run was interrupted.
const abortTimeout = 30 * time.Second

// uploaded is what a whole cycle from Initiate to Complete has come to.
type uploaded struct {
	partETags []string
	object    *engine.CompleteMultipartUploadResult
	took      time.Duration
	stats     *engine.StatsResult // after the last part
}

// upload stores the file as an object. When it fails, no open upload is left.
func (u *uploader) upload(ctx context.Context, j job, f io.ReaderAt) (_ *uploaded, err error) {
	begin := time.Now()
	id, err := u.engine.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: bucket, Key: j.key, ServerSideEncryption: u.encryption(),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = u.abandon(ctx, id, err)
		}
	}()
	res := &uploaded{}
	if res.partETags, err = u.uploadParts(ctx, id, j, f); err != nil {
		return nil, err
	}
	res.took = time.Since(begin)
	// Before Complete: from then on, an object that was replaced is taken apart in the background,
	// which would show in the counts. Counting is no part of the cycle, so it is not timed.
	if res.stats, err = u.engine.Stats(ctx, &engine.StatsRequest{}); err != nil {
		return nil, err
	}
	begin = time.Now()
	res.object, err = u.engine.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: id.Bucket, Key: id.Key, UploadID: id.UploadID, Parts: completed(res.partETags),
	})
	res.took += time.Since(begin)
	return res, err
}

// uploadParts stores all parts, several at once, and returns their ETags.
func (u *uploader) uploadParts(ctx context.Context, id *engine.InitiateMultipartUploadResult, j job, f io.ReaderAt) (etags []string, err error) {
	bar := startProgress(u.out, "uploading "+j.key, j.plan.size)
	defer func() { bar.finish(err) }()
	etags = make([]string, j.plan.parts)
	err = fanout.Each(ctx, u.parallel, j.plan.parts, func(ctx context.Context, i int) error {
		offset, length := j.plan.part(i)
		shown := int64(0)
		res, err := u.engine.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: id.Bucket, Key: id.Key, UploadID: id.UploadID, PartNumber: i + 1,
			Body: io.NewSectionReader(f, offset, length), Size: length,
			Progress: func(done int64) {
				bar.add(done - shown)
				shown = done
			},
		})
		if err != nil {
			return err
		}
		etags[i] = res.ETag
		return nil
	})
	return etags, err
}

func completed(etags []string) []engine.CompletedPart {
	parts := make([]engine.CompletedPart, len(etags))
	for i, etag := range etags {
		parts[i] = engine.CompletedPart{PartNumber: i + 1, ETag: etag}
	}
	return parts
}

// abandon aborts an upload that failed with err, though ctx may have ended, and returns the errors
// of both. After an interrupt, that is the first error, not which part happened to notice.
func (u *uploader) abandon(ctx context.Context, id *engine.InitiateMultipartUploadResult, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, abortErr := u.engine.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{
		Bucket: id.Bucket, Key: id.Key, UploadID: id.UploadID,
	})
	// Complete may have been done when it failed, for all that is known: then there is no upload.
	if errors.Is(abortErr, engine.ErrNoSuchUpload) {
		abortErr = nil
	}
	return errors.Join(err, abortErr)
}
