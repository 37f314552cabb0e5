package engine

import (
	"context"
	"iter"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// ListMultipartUploadsRequest asks for the open uploads of a bucket.
type ListMultipartUploadsRequest struct {
	Bucket    string
	Prefix    string // only uploads of keys that begin with it
	Delimiter string // keys that agree up to it, behind the prefix, are one common prefix

	// KeyMarker: uploads of keys after it are listed. A KeyMarker that is a common prefix comes
	// after all keys below that prefix, whatever UploadIDMarker is.
	KeyMarker string

	// UploadIDMarker: uploads of the key KeyMarker with a greater id are listed, too. It may be any
	// text. Without KeyMarker it is ignored, as OSS does.
	UploadIDMarker string

	// MaxUploads is how many entries a page has at most; 0 means 1000. More than 1000 is
	// ErrInvalidArgument under OSS's rules, and 1000 under S3's. Zero is the same as 0 under OSS's,
	// and an empty page under S3's.
	MaxUploads int
}

// ListMultipartUploadsResult is one page of open uploads and common prefixes, by ascending key and
// then by ascending id.
type ListMultipartUploadsResult struct {
	Bucket, Prefix, Delimiter string
	KeyMarker, UploadIDMarker string // as asked
	MaxUploads                int
	Uploads                   []MultipartUpload
	CommonPrefixes            []string

	// The markers of the next page. They name the last entry, also on the last page, as in OSS, and
	// are empty when there is none. For a common prefix NextUploadIDMarker is empty.
	NextKeyMarker, NextUploadIDMarker string

	IsTruncated bool // there are entries behind this page
}

// A MultipartUpload is one entry of ListMultipartUploads: an upload that has been initiated, and
// neither completed nor aborted.
type MultipartUpload struct {
	Key, UploadID string
	Initiated     time.Time
	StorageClass  StorageClass
	Checksum      Checksum // algorithm and type, if it was initiated with one
	Sequential    bool
	Encryption
}

// ListMultipartUploads lists the open uploads of a bucket in the byte order of their keys, those of
// one key in the order of their ids, as OSS does. Each common prefix counts as one entry. It is
// listed when a key below it comes after KeyMarker, even if KeyMarker itself lies below it, as in
// ListObjects. The cost depends on the page, not on the bucket. A page is a snapshot. It ends early
// as one of ListObjects does.
//
// It fails with ErrNoSuchBucket, with ErrInvalidArgument when MaxUploads is out of range, and with
// ErrInternal when a record on the way is damaged.
func (e *Engine) ListMultipartUploads(
	ctx context.Context, req *ListMultipartUploadsRequest,
) (_ *ListMultipartUploadsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "ListMultipartUploads", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkBucketName(req.Bucket); err != nil {
		return nil, err
	}
	res := &ListMultipartUploadsResult{
		Bucket: req.Bucket, Prefix: req.Prefix, Delimiter: req.Delimiter,
		KeyMarker: req.KeyMarker, UploadIDMarker: req.UploadIDMarker,
	}
	err = e.index.View(ctx, func(r index.Reader) error {
		b, err := openBucket(r, req.Bucket)
		if err != nil {
			return err
		}
		if res.MaxUploads, err = b.rules.pageSize("MaxUploads", req.MaxUploads, MaxListing); err != nil {
			return err
		}
		if res.MaxUploads == 0 {
			return nil
		}
		return res.fill(r)
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// fill makes the page that the fields above Uploads ask for.
func (res *ListMultipartUploadsResult) fill(r index.Reader) error {
	w := walk[MultipartUpload]{
		prefix: res.Prefix, delimiter: res.Delimiter, limit: res.MaxUploads,
		keyOf: func(u *MultipartUpload) string { return u.Key },
		bytes: func(u *MultipartUpload) int { return u.Encryption.bytes() },
		behind: func(commonPrefix string) iter.Seq2[MultipartUpload, error] {
			return uploadsIn(r, index.UploadsAfterPrefix(res.Bucket, commonPrefix, res.Prefix))
		},
	}
	first := index.UploadsAfter(res.Bucket, res.Prefix, res.KeyMarker, res.UploadIDMarker)
	if err := w.from(res.KeyMarker, uploadsIn(r, first)); err != nil {
		return err
	}
	res.Uploads, res.CommonPrefixes, res.IsTruncated = w.entries, w.commonPrefixes, w.truncated
	res.NextKeyMarker = w.last
	// A listed key has no delimiter behind the prefix, and so is never equal to a common prefix.
	if n := len(w.entries); n > 0 && w.entries[n-1].Key == w.last {
		res.NextUploadIDMarker = w.entries[n-1].UploadID
	}
	return nil
}

// uploadsIn yields the uploads of a range. An error comes once and last.
func uploadsIn(r index.Reader, rg index.Range[index.Upload]) iter.Seq2[MultipartUpload, error] {
	return func(yield func(MultipartUpload, error) bool) {
		for entry, err := range index.Scan(r, rg) {
			var up MultipartUpload
			if err == nil {
				up, err = uploadOf(&entry)
			}
			if !yield(up, err) || err != nil {
				return
			}
		}
	}
}

func uploadOf(entry *index.Entry[index.Upload]) (MultipartUpload, error) {
	_, key, id, err := index.ParseUploadKey(entry.Key)
	rec := &entry.Record
	return MultipartUpload{
		Key: key, UploadID: id.String(),
		Initiated:    rec.Initiated,
		StorageClass: StorageClass(rec.Attributes.StorageClass),
		Checksum:     checksumOf(&rec.Checksum),
		Sequential:   rec.Sequential,
		Encryption:   encryptionOf(&rec.Encryption),
	}, err
}

// Uploads is ListMultipartUploads as a sequence over all pages, without the common prefixes. Each
// page is a snapshot of its own. An error comes once and last.
func (e *Engine) Uploads(
	ctx context.Context, req *ListMultipartUploadsRequest,
) iter.Seq2[MultipartUpload, error] {
	req = orEmpty(req)
	return pages(*req, func(next *ListMultipartUploadsRequest) ([]MultipartUpload, bool, error) {
		page, err := e.ListMultipartUploads(ctx, next)
		if err != nil {
			return nil, false, err
		}
		next.KeyMarker, next.UploadIDMarker = page.NextKeyMarker, page.NextUploadIDMarker
		return page.Uploads, page.IsTruncated, nil
	})
}
