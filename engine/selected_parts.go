package engine

import (
	"bytes"
	"encoding/base64"

	"github.com/gabion-storage/gabion/index"
)

// selectedParts are the parts of an upload, those of them that are listed, and what they make. They
// do not change.
type selectedParts struct {
	records          []index.Item // of those uploaded
	uploaded, listed []numberedPart
	obj              *index.Object // but for its content and the time
}

// areThose says whether the parts of the upload are still those that are uploaded.
func (p *selectedParts) areThose(r index.Reader, id index.ContentID) (bool, error) {
	rg, n := index.PartsOf(id), 0
	for now, err := range r.Scan(rg.Start, rg.End) {
		if err != nil {
			return false, err
		}
		if n == len(p.records) || !bytes.Equal(now.Key, p.records[n].Key) ||
			!bytes.Equal(now.Value, p.records[n].Value) {
			return false, nil
		}
		n++
	}
	return n == len(p.records), nil
}

// read reads the parts of an upload, and finds those that the request lists. It says what is wrong
// with the list as soon as that is known.
func (p *selectedParts) read(
	r index.Reader, req *CompleteMultipartUploadRequest, up *openUpload,
) error {
	if err := p.match(r, up.id, req.Parts); err != nil {
		return err
	}
	if req.All {
		p.listed = p.uploaded
	} else if len(req.Parts) == 0 && len(p.uploaded) > 0 {
		return ErrMalformedXML.saying(
			"Parts is empty, but the upload has %d parts; set All to take them.", len(p.uploaded),
		)
	}
	if len(p.listed) == 0 && !up.bucket.rules.emptyList {
		return ErrMalformedXML.saying("An object needs at least one part.")
	}
	return up.bucket.rules.checkPartSizes(p.listed)
}

// match reads the parts of a content, and finds those on a list, which is in ascending order, by
// number, ETag and, where it is given, checksum. It reads no further than to the first that is not
// there.
func (p *selectedParts) match(r index.Reader, id index.ContentID, list []CompletedPart) error {
	p.records = make([]index.Item, 0, len(list))
	p.uploaded = make([]numberedPart, 0, len(list))
	rg, found := index.PartsOf(id), 0
	for item, err := range r.Scan(rg.Start, rg.End) {
		if err != nil {
			return err
		}
		_, number, err := index.ParsePartKey(item.Key)
		if err != nil {
			return err
		}
		rec, err := index.Decode[index.Part](item.Key, item.Value)
		if err != nil {
			return err
		}
		part := numberedPart{number, rec}
		p.records, p.uploaded = append(p.records, item), append(p.uploaded, part)
		if found == len(list) || number < list[found].PartNumber {
			continue
		}
		if !part.is(&list[found]) {
			break
		}
		found++
	}
	if found < len(list) {
		invalid := *ErrInvalidPart
		invalid.PartNumber, invalid.ETag = list[found].PartNumber, repeated(list[found].ETag)
		return &invalid
	}
	if p.listed = p.uploaded; found < len(p.uploaded) {
		p.listed = these(p.uploaded, list)
	}
	return nil
}

// these returns the parts that are on a list. Both are in ascending order, and all that are listed
// are there.
func these(all []numberedPart, list []CompletedPart) []numberedPart {
	listed := make([]numberedPart, 0, len(list))
	for i := range all {
		if n := len(listed); n < len(list) && all[i].number == list[n].PartNumber {
			listed = append(listed, all[i])
		}
	}
	return listed
}

// is says whether the part is the one that a list means.
func (p *numberedPart) is(want *CompletedPart) bool {
	return p.number == want.PartNumber && isETagOf(want.ETag, p.ETag) &&
		(want.Checksum == "" || want.Checksum == base64.StdEncoding.EncodeToString(p.Checksum))
}

// checkOrder checks that the numbers of a list are in range and ascend.
func (r ruleSet) checkOrder(parts []CompletedPart) error {
	last := 0
	for _, p := range parts {
		if p.PartNumber < 1 || p.PartNumber > MaxPartNumber {
			return numberOutOfRange(r.listedNumber, p.PartNumber)
		}
		if p.PartNumber <= last {
			return ErrInvalidPartOrder
		}
		last = p.PartNumber
	}
	return nil
}

// checkPartSizes checks that no part but the last is too small.
func (r ruleSet) checkPartSizes(listed []numberedPart) error {
	for i, p := range listed {
		if p.Size < r.minPartSize && i < len(listed)-1 {
			small := ErrEntityTooSmall.saying(
				"%s Part %d has %d bytes, all but the last must have at least %d.",
				ErrEntityTooSmall.Message, p.number, p.Size, r.minPartSize,
			).sized(p.Size, r.minPartSize)
			small.PartNumber, small.ETag = p.number, r.etag(p.ETag)
			return small
		}
	}
	return nil
}
