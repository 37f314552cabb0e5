package engine

import (
	"context"
	"iter"
	"math"

	"github.com/gabion-storage/gabion/index"
)

// BucketStatsRequest names a bucket to count.
type BucketStatsRequest struct {
	Bucket string
}

// BucketStatsResult counts what a bucket holds.
type BucketStatsResult struct {
	Objects      int64 // complete objects
	LogicalBytes int64 // their sizes; math.MaxInt64 if there are more
	Uploads      int64 // open uploads

	// Classes has those of each storage class that objects of the bucket have.
	Classes map[StorageClass]ClassStats
}

// ClassStats counts what a bucket holds in one storage class, as BucketStatsResult does.
type ClassStats struct {
	Objects, LogicalBytes int64
}

// add counts an object.
func (r *BucketStatsResult) add(obj *index.Object) {
	r.Objects++
	r.LogicalBytes += min(obj.Size, math.MaxInt64-r.LogicalBytes)
	class := StorageClass(obj.Attributes.StorageClass)
	stats := r.Classes[class]
	stats.Objects++
	stats.LogicalBytes += min(obj.Size, math.MaxInt64-stats.LogicalBytes)
	r.Classes[class] = stats
}

// statsScan is how many records BucketStats looks at in one snapshot, which must not grow old.
const statsScan = 4096

// BucketStats counts what a bucket holds, for what OSS calls GetBucketStat. Nothing is counted
// beforehand: it scans the bucket, so it takes the time of a listing of all of it, but not the
// memory. Objects and uploads that come or go meanwhile may be counted or not. What chunks take on
// disk is shared by buckets, and counted by Stats. A bucket that does not exist fails with
// ErrNoSuchBucket.
func (e *Engine) BucketStats(
	ctx context.Context, req *BucketStatsRequest,
) (_ *BucketStatsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "BucketStats", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkBucketName(req.Bucket); err != nil {
		return nil, err
	}
	r, err := index.Fetch(ctx, e.index, index.BucketKey(req.Bucket))
	if err != nil {
		return nil, err
	}
	bucket, err := openBucket(r, req.Bucket)
	if err != nil {
		return nil, err
	}
	res := &BucketStatsResult{Classes: map[StorageClass]ClassStats{}}
	objects := index.ObjectsOf(req.Bucket)
	err = scanBucket(ctx, e, &bucket, objects, index.Scan, res.add)
	if err != nil {
		return nil, err
	}
	uploads := index.UploadsOf(req.Bucket)
	err = scanBucket(ctx, e, &bucket, uploads, index.Scan, func(up *index.Upload) {
		if up.Generation == bucket.generation {
			res.Uploads++
		}
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// scanBucket shows the records of a range of a bucket, which must be there all the time, by
// snapshots of bounded length.
func scanBucket[R any](
	ctx context.Context, e *Engine, bucket *liveBucket, rg index.Range[R],
	scan func(index.Reader, index.Range[R]) iter.Seq2[index.Entry[R], error], show func(*R),
) error {
	for more := true; more; {
		err := e.index.View(ctx, func(r index.Reader) error {
			if err := bucket.check(r); err != nil {
				return err
			}
			more = false
			n := 0
			for entry, err := range scan(r, rg) {
				if err != nil {
					return err
				}
				if n == statsScan {
					rg.Start, more = entry.Key, true
					return nil
				}
				show(&entry.Record)
				n++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
