package engine

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// maxObjectSize is what 10000 parts of 5 GiB make.
const maxObjectSize = MaxPartNumber * MaxPartSize

// CompleteMultipartUploadRequest names the parts that make the object.
type CompleteMultipartUploadRequest struct {
	Bucket, Key, UploadID string

	// Parts lists the parts in ascending order of number; gaps are allowed. Parts that are not
	// listed are given up.
	Parts []CompletedPart

	// All takes every part uploaded instead; Parts must be empty then.
	All bool

	// ForbidOverwrite fails the call with ErrFileAlreadyExists when the object exists.
	ForbidOverwrite bool

	// IfMatch, if not empty, is the ETag that the existing object must have; without an object the
	// call fails with ErrNoSuchKey. IfNoneMatch "*" demands that there is none. Both fail with
	// ErrPreconditionFailed, and both are judged at the moment of commit. They are S3's; OSS has
	// ForbidOverwrite.
	IfMatch     string
	IfNoneMatch string
}

// A CompletedPart is one entry of the list of parts.
type CompletedPart struct {
	PartNumber int
	ETag       string // as UploadPart returned it; quotes and case are forgiven
}

// CompleteMultipartUploadResult describes the object.
type CompleteMultipartUploadResult struct {
	Bucket                    string
	Key                       string
	ETag                      string // upper hex of the MD5 over the part ETags as upper hex text, then "-" and their number
	Size                      int64
	CRC64                     uint64 // CRC-64/XZ of the whole object
	LastModified              time.Time
	ServerSideEncryption      string
	ServerSideEncryptionKeyID string
}

// CompleteMultipartUpload makes the object of the listed parts, in one transaction that moves no
// data. The object replaces one of the same name. When it returns without error the object is
// durable; when it fails, the upload stays usable.
//
// The checks come in this order: ErrNoSuchUpload; ErrInvalidPartOrder and ErrMalformedXML;
// ErrInvalidPart; ErrEntityTooSmall, for a listed part below 100 KiB that is not the last;
// ErrEntityTooLarge; ErrFileAlreadyExists and ErrPreconditionFailed. A second Complete fails with
// ErrNoSuchUpload, as in OSS.
func (e *Engine) CompleteMultipartUpload(ctx context.Context, req *CompleteMultipartUploadRequest) (_ *CompleteMultipartUploadResult, err error) {
	c, err := e.begin(ctx, call{op: "CompleteMultipartUpload", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	if req.All && len(req.Parts) > 0 {
		return nil, ErrInvalidArgument.saying("Should not speficy both complete all header and http body.").ec("0042-00000216")
	}
	if req.IfNoneMatch != "" && req.IfNoneMatch != "*" {
		return nil, ErrInvalidArgument.saying("IfNoneMatch is %q, must be * or empty.", req.IfNoneMatch)
	}
	var obj *index.Object
	err = e.index.Update(ctx, func(tx index.Tx) (err error) {
		obj, err = e.complete(tx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.sweeper.wake()
	return &CompleteMultipartUploadResult{
		Bucket: req.Bucket, Key: req.Key,
		ETag: obj.ETag, Size: obj.Size, CRC64: obj.CRC64, LastModified: obj.Modified,
		ServerSideEncryption:      obj.Encryption.Algorithm,
		ServerSideEncryptionKeyID: obj.Encryption.KeyID,
	}, nil
}

// complete does it inside a transaction.
func (e *Engine) complete(tx index.Tx, req *CompleteMultipartUploadRequest) (*index.Object, error) {
	up, err := findUpload(tx, req.Bucket, req.Key, req.UploadID)
	if err != nil {
		return nil, ecForUpload(err, "0042-00000203")
	}
	uploaded, err := partsOf(tx, up.id)
	if err != nil {
		return nil, err
	}
	listed, err := selectParts(req, uploaded, up.rules)
	if err != nil {
		return nil, err
	}
	obj := &index.Object{
		Type: "Multipart", ETag: multipartETag(listed), CRC64: combinedCRC64(records(listed)), Parts: len(listed),
		Modified: e.now(), Attributes: up.Attributes, Encryption: up.Encryption,
	}
	for _, p := range listed {
		obj.Size += p.Size
	}
	if obj.Size > maxObjectSize {
		return nil, ErrEntityTooLarge.saying("The object would have %d bytes, the limit is %d.", obj.Size, int64(maxObjectSize))
	}
	if err := e.checkConditions(tx, req); err != nil {
		return nil, err
	}
	if obj.Content, err = e.separate(tx, up.id, uploaded, listed); err != nil {
		return nil, err
	}
	if err := index.Delete(tx, index.UploadKey(req.Bucket, req.Key, up.id)); err != nil {
		return nil, err
	}
	if err := count(tx, index.Totals{Uploads: -1}); err != nil {
		return nil, err
	}
	return obj, e.putObject(tx, req.Bucket, req.Key, obj)
}

// A numberedPart is a part's record with its number.
type numberedPart struct {
	number int
	index.Part
}

func records(parts []numberedPart) []index.Part {
	recs := make([]index.Part, len(parts))
	for i := range parts {
		recs[i] = parts[i].Part
	}
	return recs
}

// partsOf returns all parts of a content in ascending order of number.
func partsOf(r index.Reader, id index.ContentID) (parts []numberedPart, err error) {
	for entry, err := range index.Scan(r, index.PartsOf(id)) {
		if err != nil {
			return nil, err
		}
		_, number, err := index.ParsePartKey(entry.Key)
		if err != nil {
			return nil, err
		}
		parts = append(parts, numberedPart{number, entry.Record})
	}
	return parts, nil
}

// selectParts returns the uploaded parts that the request lists, or says what is wrong with the
// list.
func selectParts(req *CompleteMultipartUploadRequest, uploaded []numberedPart, rules Rules) ([]numberedPart, error) {
	if err := checkOrder(req.Parts); err != nil {
		return nil, err
	}
	listed := uploaded
	if !req.All {
		if len(req.Parts) == 0 && len(uploaded) > 0 {
			return nil, ErrMalformedXML.saying("Parts is empty, but the upload has %d parts; set All to take them.", len(uploaded))
		}
		var err error
		if listed, err = matchParts(req.Parts, uploaded); err != nil {
			return nil, err
		}
	}
	for i, p := range listed {
		if p.Size < rules.MinPartSize && i < len(listed)-1 {
			small := ErrEntityTooSmall.saying("Part %d has %d bytes, all but the last must have at least %d.", p.number, p.Size, rules.MinPartSize)
			small.PartNumber = p.number
			return nil, small
		}
	}
	return listed, nil
}

func checkOrder(parts []CompletedPart) error {
	last := 0
	for _, p := range parts {
		if p.PartNumber < 1 || p.PartNumber > MaxPartNumber {
			return ErrInvalidPartOrder.saying("Part number must be an integer between 1 and %d, inclusive; one is %d.", MaxPartNumber, p.PartNumber)
		}
		if p.PartNumber <= last {
			return ErrInvalidPartOrder
		}
		last = p.PartNumber
	}
	return nil
}

// matchParts finds each listed part among those uploaded, by number and ETag. Both are in
// ascending order.
func matchParts(list []CompletedPart, uploaded []numberedPart) ([]numberedPart, error) {
	listed := make([]numberedPart, 0, len(list))
	for _, want := range list {
		for len(uploaded) > 0 && uploaded[0].number < want.PartNumber {
			uploaded = uploaded[1:]
		}
		if len(uploaded) == 0 || uploaded[0].number != want.PartNumber || partETag(uploaded[0].ETag) != normalETag(want.ETag) {
			invalid := *ErrInvalidPart
			invalid.PartNumber = want.PartNumber
			return nil, &invalid
		}
		listed = append(listed, uploaded[0])
	}
	return listed, nil
}

// multipartETag is OSS's formula: the MD5 over the parts' ETags as upper-case hex text.
func multipartETag(parts []numberedPart) string {
	sum := md5.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%X", p.ETag[:])
	}
	return fmt.Sprintf("%X-%d", sum.Sum(nil), len(parts))
}

// checkConditions judges the conditions on the object that is there now.
func (e *Engine) checkConditions(r index.Reader, req *CompleteMultipartUploadRequest) error {
	if req.ForbidOverwrite {
		err := checkAbsent(r, req.Bucket, req.Key)
		if errors.Is(err, ErrFileAlreadyExists) {
			return ErrFileAlreadyExists.ec("0042-00000214")
		}
		if err != nil {
			return err
		}
	}
	if req.IfMatch == "" && req.IfNoneMatch == "" {
		return nil
	}
	obj, err := findObject(r, req.Bucket, req.Key)
	switch {
	case errors.Is(err, ErrNoSuchKey) && req.IfMatch == "":
		return nil
	case err != nil:
		return err
	case req.IfNoneMatch != "" || normalETag(req.IfMatch) != normalETag(obj.ETag):
		return ErrPreconditionFailed
	}
	return nil
}

// separate parts the listed parts from the others, which it discards, and returns the content that
// holds the listed ones. Whichever group is smaller moves to a content of its own, which keeps the
// transaction of 10000 parts small.
func (e *Engine) separate(tx index.Tx, id index.ContentID, uploaded, listed []numberedPart) (index.ContentID, error) {
	if len(listed) == len(uploaded) {
		return id, nil
	}
	fresh, err := newID()
	if err != nil {
		return id, err
	}
	others := without(uploaded, listed)
	if len(others) <= len(listed) {
		return id, errors.Join(moveParts(tx, id, fresh, others), e.discard(tx, fresh, index.TrashContent))
	}
	return fresh, errors.Join(moveParts(tx, id, fresh, listed), e.discard(tx, id, index.TrashContent))
}

// without returns the parts of all that are not in listed; both are in ascending order.
func without(all, listed []numberedPart) (others []numberedPart) {
	for _, p := range all {
		if len(listed) > 0 && listed[0].number == p.number {
			listed = listed[1:]
			continue
		}
		others = append(others, p)
	}
	return others
}

func moveParts(tx index.Tx, from, to index.ContentID, parts []numberedPart) error {
	for i := range parts {
		p := &parts[i]
		if err := index.Delete(tx, index.PartKey(from, p.number)); err != nil {
			return err
		}
		if err := index.Put(tx, index.PartKey(to, p.number), &p.Part); err != nil {
			return err
		}
	}
	return nil
}
