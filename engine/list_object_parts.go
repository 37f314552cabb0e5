package engine

import (
	"context"
	"iter"

	"github.com/gabion-storage/gabion/crypto"
)

// ListObjectPartsRequest asks for the parts of an object.
type ListObjectPartsRequest struct {
	Bucket, Key      string
	PartNumberMarker int // parts with greater numbers are listed
	MaxParts         int // entries of a page; as MaxUploads in ListMultipartUploadsRequest

	SSECustomerKey crypto.CustomerKey // that the object was stored with, if it was with one
	Conditions
}

// ListObjectPartsResult is one page of the parts of an object, in order.
type ListObjectPartsResult struct {
	ObjectInfo
	ObjectParts          []ObjectPart
	PartNumberMarker     int // as asked
	NextPartNumberMarker int // the last number of this page; 0 on an empty one
	MaxParts             int
	IsTruncated          bool // there are parts behind this page
}

// An ObjectPart is one entry of ListObjectParts.
type ObjectPart struct {
	PartNumber int      // as in GetObjectRequest: the parts of an object are numbered anew, from 1
	Size       int64    // bytes
	Checksum   Checksum // if the parts have any
}

// ListObjectParts lists the parts that an object was made of, for what S3 calls
// GetObjectAttributes. An object of PutObject has one. It reads the record of each part of the
// page. Options.Keys is asked for the key of an encrypted object.
//
// It fails as HeadObject does, and with ErrInvalidArgument for a marker or a size of the page that
// is out of range.
func (e *Engine) ListObjectParts(
	ctx context.Context, req *ListObjectPartsRequest,
) (_ *ListObjectPartsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "ListObjectParts", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	if err := checkMarker(req.PartNumberMarker); err != nil {
		return nil, err
	}
	src, err := e.openObject(
		ctx, c, objectRef{req.Bucket, req.Key, req.Conditions, req.SSECustomerKey},
	)
	if err != nil {
		return nil, err
	}
	defer src.close()
	res := &ListObjectPartsResult{
		ObjectInfo: infoOf(req.Bucket, req.Key, src.rec), PartNumberMarker: req.PartNumberMarker,
	}
	if res.MaxParts, err = src.rules.pageSize("MaxParts", req.MaxParts, MaxListing); err != nil {
		return nil, err
	}
	if res.MaxParts == 0 {
		return res, nil
	}
	for n := req.PartNumberMarker; n < src.count; n++ {
		if len(res.ObjectParts) == res.MaxParts {
			res.IsTruncated = true
			break
		}
		seg, err := src.part(ctx, n)
		if err != nil {
			return nil, err
		}
		part := ObjectPart{n + 1, seg.Size, checksumOfPart(src.rec, &seg.Part)}
		res.ObjectParts, res.NextPartNumberMarker = append(res.ObjectParts, part), n+1
	}
	return res, nil
}

// ObjectParts is ListObjectParts as a sequence over all pages, from req.PartNumberMarker on. Each
// page opens the object anew: req.IfMatch makes sure that all are of one. An error comes once and
// last.
func (e *Engine) ObjectParts(
	ctx context.Context, req *ListObjectPartsRequest,
) iter.Seq2[ObjectPart, error] {
	return pages(*orEmpty(req), func(next *ListObjectPartsRequest) ([]ObjectPart, bool, error) {
		page, err := e.ListObjectParts(ctx, next)
		if err != nil {
			return nil, false, err
		}
		next.PartNumberMarker = page.NextPartNumberMarker
		return page.ObjectParts, page.IsTruncated, nil
	})
}
