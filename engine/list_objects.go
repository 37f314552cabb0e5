package engine

import (
	"context"
	"iter"

	"github.com/gabion-storage/gabion/index"
)

// ListObjectsRequest asks for the objects of a bucket.
type ListObjectsRequest struct {
	Bucket    string
	Prefix    string // only keys that begin with it
	Delimiter string // keys that agree up to it, behind the prefix, are one common prefix
	Marker    string // keys behind it are listed; one that is a common prefix stands behind all below it

	// MaxKeys is how many entries a page has at most. 0 means 100 under OSS's rules, 1000 under S3's.
	// More than 1000 is ErrInvalidArgument under OSS's, and 1000 under S3's. Zero is the same as 0
	// under OSS's, and an empty page under S3's.
	MaxKeys int
}

// ListObjectsResult is one page of objects and common prefixes, by ascending key.
type ListObjectsResult struct {
	Bucket, Prefix, Delimiter, Marker string
	MaxKeys                           int
	Objects                           []ObjectInfo
	CommonPrefixes                    []string
	NextMarker                        string // the Marker of the next page; empty on the last
	IsTruncated                       bool
}

// ListObjects lists the objects of a bucket in the byte order of their keys, as OSS does. Each
// common prefix counts as one entry. It is listed when a key below it comes after Marker, even if
// Marker itself lies below it. The cost depends on the page, not on the bucket. A page is a
// snapshot. It ends before it has MaxKeys entries when what is said of its objects beside their
// names comes to about 1 MiB; both services may end a page early. No encryption key is asked for,
// and no MAC is verified.
//
// It fails with ErrNoSuchBucket, with ErrInvalidArgument when MaxKeys is out of range, and with
// ErrInternal when a record on the way is damaged.
func (e *Engine) ListObjects(
	ctx context.Context, req *ListObjectsRequest,
) (_ *ListObjectsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "ListObjects", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkBucketName(req.Bucket); err != nil {
		return nil, err
	}
	res := &ListObjectsResult{
		Bucket: req.Bucket, Prefix: req.Prefix, Delimiter: req.Delimiter, Marker: req.Marker,
	}
	err = e.index.View(ctx, func(r index.Reader) error {
		b, err := openBucket(r, req.Bucket)
		if err != nil {
			return err
		}
		if res.MaxKeys, err = b.rules.pageSize("MaxKeys", req.MaxKeys, b.rules.defaultKeys); err != nil {
			return err
		}
		if res.MaxKeys == 0 {
			return nil
		}
		return res.fill(r)
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// fill makes the page that the fields above Objects ask for.
func (res *ListObjectsResult) fill(r index.Reader) error {
	w := walk[ObjectInfo]{
		prefix: res.Prefix, delimiter: res.Delimiter, limit: res.MaxKeys,
		keyOf: func(o *ObjectInfo) string { return o.Key },
		bytes: func(o *ObjectInfo) int { return o.Attributes.bytes() + o.Encryption.bytes() },
		behind: func(commonPrefix string) iter.Seq2[ObjectInfo, error] {
			return objectsIn(r, index.ObjectsAfterPrefix(res.Bucket, commonPrefix, res.Prefix))
		},
	}
	after := index.ObjectsAfter(res.Bucket, res.Prefix, res.Marker)
	if err := w.from(res.Marker, objectsIn(r, after)); err != nil {
		return err
	}
	res.Objects, res.CommonPrefixes, res.IsTruncated = w.entries, w.commonPrefixes, w.truncated
	if w.truncated {
		res.NextMarker = w.last
	}
	return nil
}

// objectsIn yields the objects of a range. An error comes once and last.
func objectsIn(r index.Reader, rg index.Range[index.Object]) iter.Seq2[ObjectInfo, error] {
	return func(yield func(ObjectInfo, error) bool) {
		for entry, err := range index.Scan(r, rg) {
			var info ObjectInfo
			if err == nil {
				var bucket, key string
				bucket, key, err = index.ParseObjectKey(entry.Key)
				info = infoOf(bucket, key, &entry.Record)
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// Objects is ListObjects as a sequence over all pages, which have 1000 entries if MaxKeys is 0,
// without the common prefixes. Each page is a snapshot of its own. An error comes once and last.
func (e *Engine) Objects(
	ctx context.Context, req *ListObjectsRequest,
) iter.Seq2[ObjectInfo, error] {
	first := *orEmpty(req)
	if first.MaxKeys == 0 {
		first.MaxKeys = MaxListing
	}
	return pages(first, func(next *ListObjectsRequest) ([]ObjectInfo, bool, error) {
		page, err := e.ListObjects(ctx, next)
		if err != nil {
			return nil, false, err
		}
		next.Marker = page.NextMarker
		return page.Objects, page.IsTruncated, nil
	})
}
