package engine

import (
	"cmp"
	"context"

	"github.com/gabion-storage/gabion/index"
)

// A Selection is a run of an object's bytes that was asked for by Range or PartNumber. A front end
// answers 206 with a Content-Range if Length is not 0; a part without bytes has no range.
type Selection struct {
	Start, Length int64 // bytes, from the start of the object

	// Checksum is that of the part, of a PartNumber, if the object's parts have any.
	Checksum Checksum
}

// A RangeBehavior says what becomes of a Range that is not within the object, as OSS's
// x-oss-range-behavior: see GetObjectRequest.
type RangeBehavior string

// RangeStandard treats ranges as HTTP does. Without it they are treated as OSS does.
const RangeStandard RangeBehavior = "standard"

// wanted is what a request says of the bytes that it wants.
type wanted struct {
	text     string // of the range
	behavior RangeBehavior
	part     int
}

// check checks the form of what is wanted.
func (w *wanted) check() error {
	switch {
	case w.behavior != "" && w.behavior != RangeStandard:
		return ErrInvalidArgument.saying(
			"RangeBehavior is %q, must be %s or empty.", w.behavior, RangeStandard,
		).about("RangeBehavior", w.behavior)
	case w.part != 0 && w.text != "":
		return ErrInvalidRequest.saying(
			"Cannot specify both Range header and partNumber query parameter",
		)
	case w.part != 0:
		return checkPartNumber(w.part)
	}
	return nil
}

// rangeOf is the run that a range wants of an object of this size.
func (w *wanted) rangeOf(size int64, rules ruleSet) (span, error) {
	return parseRange(w.text, size, rules.standardRanges || w.behavior == RangeStandard)
}

// selection is what an ObjectInfo says of a run.
func (s span) selection() *Selection {
	if !s.partial {
		return nil
	}
	return &Selection{Start: s.start, Length: s.length}
}

// selectPart is the run of the part that is the n-th in order, from 1, and what an ObjectInfo says
// of it.
func (o *openedObject) selectPart(ctx context.Context, n int) (sp span, sel *Selection, err error) {
	if n > max(o.count, 1) {
		return sp, nil, ErrInvalidPartNumber.about("PartNumber", n)
	}
	if o.count == 0 {
		return sp, &Selection{}, nil
	}
	seg, err := o.part(ctx, n-1)
	if err != nil {
		return sp, nil, err
	}
	sp = span{start: seg.start, length: seg.Size}
	return sp, &Selection{seg.start, seg.Size, checksumOfPart(o.rec, &seg.Part)}, nil
}

// partAlgorithm is the algorithm of the checksums that the parts of an object may have.
func partAlgorithm(rec *index.Object) string {
	return cmp.Or(rec.PartAlgorithm, rec.Checksum.Algorithm)
}

// checksumOfPart is the checksum of a part of an object, if it has one.
func checksumOfPart(rec *index.Object, part *index.Part) Checksum {
	if len(part.Checksum) == 0 {
		return Checksum{}
	}
	return partChecksum(partAlgorithm(rec), part.Checksum)
}
