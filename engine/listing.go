package engine

import (
	"context"
	"iter"
	"strings"

	"github.com/gabion-storage/gabion/index"
)

// ListPartsRequest asks for the parts of an open upload.
type ListPartsRequest struct {
	Bucket, Key, UploadID string
	PartNumberMarker      int // parts with greater numbers are listed
	MaxParts              int // entries of a page, at most 1000; 0 means 1000
}

// ListPartsResult is one page of parts, by ascending number.
type ListPartsResult struct {
	Bucket, Key, UploadID string
	Parts                 []Part
	PartNumberMarker      int // as asked
	NextPartNumberMarker  int // the last number of this page; 0 on an empty one
	MaxParts              int
	IsTruncated           bool // there are parts behind this page
	StorageClass          string
}

// ListParts lists the parts of an open upload that have been acknowledged. It costs what the page
// holds.
func (e *Engine) ListParts(ctx context.Context, req *ListPartsRequest) (_ *ListPartsResult, err error) {
	c, err := e.begin(ctx, call{op: "ListParts", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	if req.PartNumberMarker < 0 {
		return nil, ErrInvalidArgument.saying("PartNumberMarker is %d, must not be negative.", req.PartNumberMarker)
	}
	limit, err := checkPageSize("MaxParts", req.MaxParts)
	if err != nil {
		return nil, err
	}
	res := &ListPartsResult{
		Bucket: req.Bucket, Key: req.Key, UploadID: req.UploadID,
		PartNumberMarker: req.PartNumberMarker, MaxParts: limit,
	}
	err = e.index.View(ctx, func(r index.Reader) error {
		up, err := findUpload(r, req.Bucket, req.Key, req.UploadID)
		if err != nil {
			return err
		}
		res.StorageClass = up.Attributes.StorageClass
		if req.PartNumberMarker >= MaxPartNumber {
			return nil
		}
		for entry, err := range index.Scan(r, index.PartsAfter(up.id, req.PartNumberMarker)) {
			if err != nil {
				return err
			}
			if len(res.Parts) == limit {
				res.IsTruncated = true
				return nil
			}
			_, number, err := index.ParsePartKey(entry.Key)
			if err != nil {
				return err
			}
			res.Parts = append(res.Parts, partOf(up, number, &entry.Record))
			res.NextPartNumberMarker = number
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// Parts is ListParts as a sequence over all pages, from req.PartNumberMarker on. Each page is a
// snapshot of its own. An error comes once and last.
func (e *Engine) Parts(ctx context.Context, req *ListPartsRequest) iter.Seq2[Part, error] {
	return pages(*req, func(next *ListPartsRequest) ([]Part, bool, error) {
		page, err := e.ListParts(ctx, next)
		if err != nil {
			return nil, false, err
		}
		next.PartNumberMarker = page.NextPartNumberMarker
		return page.Parts, page.IsTruncated, nil
	})
}

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

// pages turns a paged listing into a sequence. fetch returns the entries that next asks for and
// whether there are more, and moves next on. An error comes once and last.
func pages[T, Request any](first Request, fetch func(next *Request) ([]T, bool, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		next := first
		for more := true; more; {
			var entries []T
			var err error
			if entries, more, err = fetch(&next); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
			}
		}
	}
}
