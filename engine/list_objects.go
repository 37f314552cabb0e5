package engine

import (
	"context"
	"iter"
	"strings"

	"github.com/gabion-storage/gabion/index"
)

// ListObjectsRequest asks for the objects of a bucket.
type ListObjectsRequest struct {
	Bucket    string
	Prefix    string // only keys that begin with it
	Delimiter string // keys that agree up to it, behind the prefix, are one common prefix
	Marker    string // keys behind it are listed
	MaxKeys   int    // entries of a page, at most 1000; 0 means 1000
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
// common prefix counts as one entry. It costs what the page holds, not what the bucket holds.
func (e *Engine) ListObjects(ctx context.Context, req *ListObjectsRequest) (_ *ListObjectsResult, err error) {
	c, err := e.begin(ctx, call{op: "ListObjects", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkBucketName(req.Bucket); err != nil {
		return nil, err
	}
	limit, err := checkPageSize("MaxKeys", req.MaxKeys)
	if err != nil {
		return nil, err
	}
	res := &ListObjectsResult{
		Bucket: req.Bucket, Prefix: req.Prefix, Delimiter: req.Delimiter, Marker: req.Marker, MaxKeys: limit,
	}
	err = e.index.View(ctx, func(r index.Reader) error {
		if _, err := bucketRules(r, req.Bucket); err != nil {
			return err
		}
		return res.fill(r)
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// fill scans the keys behind the marker. Behind each common prefix it starts a new scan, so that
// the keys below one are not visited.
func (res *ListObjectsResult) fill(r index.Reader) error {
	rg := index.ObjectsAfter(res.Bucket, res.Prefix, res.Marker)
	if p := res.commonPrefix(res.Marker); p != "" && p == res.Marker {
		rg = index.ObjectsAfterPrefix(res.Bucket, p, res.Prefix)
	}
	last := ""
	for {
		common, err := res.scan(r, rg, &last)
		if err != nil || common == "" {
			return err
		}
		rg = index.ObjectsAfterPrefix(res.Bucket, common, res.Prefix)
	}
}

// scan adds entries until the page is full, the range ends or, then it is returned, a common
// prefix has been added. last is the latest entry.
func (res *ListObjectsResult) scan(r index.Reader, rg index.Range[index.Object], last *string) (common string, err error) {
	for entry, err := range index.Scan(r, rg) {
		if err != nil {
			return "", err
		}
		if len(res.Objects)+len(res.CommonPrefixes) == res.MaxKeys {
			res.IsTruncated, res.NextMarker = true, *last
			return "", nil
		}
		_, key, err := index.ParseObjectKey(entry.Key)
		if err != nil {
			return "", err
		}
		if common := res.commonPrefix(key); common != "" {
			res.CommonPrefixes = append(res.CommonPrefixes, common)
			*last = common
			return common, nil
		}
		res.Objects = append(res.Objects, infoOf(res.Bucket, key, &entry.Record))
		*last = key
	}
	return "", nil
}

// commonPrefix returns what of key goes up to and with the first delimiter behind the prefix, or
// nothing.
func (res *ListObjectsResult) commonPrefix(key string) string {
	if res.Delimiter == "" || !strings.HasPrefix(key, res.Prefix) {
		return ""
	}
	i := strings.Index(key[len(res.Prefix):], res.Delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(res.Prefix)+i+len(res.Delimiter)]
}

// Objects is ListObjects as a sequence over all pages, without the common prefixes. Each page is a
// snapshot of its own. An error comes once and last.
func (e *Engine) Objects(ctx context.Context, req *ListObjectsRequest) iter.Seq2[ObjectInfo, error] {
	return pages(*req, func(next *ListObjectsRequest) ([]ObjectInfo, bool, error) {
		page, err := e.ListObjects(ctx, next)
		if err != nil {
			return nil, false, err
		}
		next.Marker = page.NextMarker
		return page.Objects, page.IsTruncated, nil
	})
}
