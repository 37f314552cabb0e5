package engine

import (
	"context"
	"iter"
	"time"

	"github.com/gabion-storage/gabion/index"
)

const ecListParts = "0042-00000002"

// ListPartsRequest asks for the parts of an open upload.
type ListPartsRequest struct {
	Bucket, Key, UploadID string
	PartNumberMarker      int // parts with greater numbers are listed
	MaxParts              int // entries of a page; as MaxUploads in ListMultipartUploadsRequest
}

// ListPartsResult is one page of parts, by ascending number.
type ListPartsResult struct {
	Bucket, Key, UploadID string
	Parts                 []Part
	PartNumberMarker      int // as asked
	NextPartNumberMarker  int // the last number of this page; 0 on an empty one
	MaxParts              int
	IsTruncated           bool // there are parts behind this page

	// What Initiate was told.
	Initiated  time.Time
	Checksum   Checksum // algorithm and type, if it was initiated with one
	Sequential bool
	Attributes
	Encryption
}

// ListParts lists the parts of an open upload that have been acknowledged. The cost depends on the
// page, which is a snapshot. No encryption key is asked for.
//
// It fails with ErrNoSuchBucket and ErrNoSuchUpload, with ErrInvalidArgument when MaxParts or
// PartNumberMarker is out of range, and with ErrInternal when a record on the way is damaged.
func (e *Engine) ListParts(
	ctx context.Context, req *ListPartsRequest,
) (_ *ListPartsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(
		ctx, call{op: "ListParts", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID},
	)
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
	res := &ListPartsResult{
		Bucket: req.Bucket, Key: req.Key, UploadID: req.UploadID,
		PartNumberMarker: req.PartNumberMarker,
	}
	err = e.index.View(ctx, func(r index.Reader) error {
		up, err := findUpload(r, req.Bucket, req.Key, req.UploadID)
		if err != nil {
			return ecForUpload(err, ecListParts)
		}
		rules := up.bucket.rules
		if res.MaxParts, err = rules.pageSize("MaxParts", req.MaxParts, MaxListing); err != nil {
			return err
		}
		res.Initiated, res.Sequential = up.Initiated, up.Sequential
		res.Checksum, res.Attributes = checksumOf(&up.Checksum), attributesOf(&up.Attributes)
		res.Encryption = encryptionOf(&up.Upload.Encryption)
		if req.PartNumberMarker >= MaxPartNumber || res.MaxParts == 0 {
			return nil
		}
		for entry, err := range index.Scan(r, index.PartsAfter(up.id, req.PartNumberMarker)) {
			if err != nil {
				return err
			}
			if len(res.Parts) == res.MaxParts {
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

func checkMarker(n int) error {
	if n < 0 {
		return ErrInvalidArgument.saying("PartNumberMarker is %d, must not be negative.", n).
			about("PartNumberMarker", n)
	}
	return nil
}

// Parts is ListParts as a sequence over all pages, from req.PartNumberMarker on. Each page is a
// snapshot of its own. An error comes once and last.
func (e *Engine) Parts(ctx context.Context, req *ListPartsRequest) iter.Seq2[Part, error] {
	req = orEmpty(req)
	return pages(*req, func(next *ListPartsRequest) ([]Part, bool, error) {
		page, err := e.ListParts(ctx, next)
		if err != nil {
			return nil, false, err
		}
		next.PartNumberMarker = page.NextPartNumberMarker
		return page.Parts, page.IsTruncated, nil
	})
}
