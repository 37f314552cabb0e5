package engine

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"reflect"
	"strings"
)

// maxDifferences is how many differences Compare tells in full.
const maxDifferences = 1000

// CompareResult says what two stores have in common.
type CompareResult struct {
	Buckets, Objects, Uploads, Parts int64 // that both have and are the same; parts of uploads
	Bytes                            int64 // of these objects and parts

	Differences []Difference // the first 1000
	More        int64        // differences beyond those
}

// A Difference is what two stores do not say the same of: an object or, if UploadID is set, an open
// upload, or one of its parts; of a bucket if Key is empty.
type Difference struct {
	Bucket, Key, UploadID string
	PartNumber            int
	What                  string // as "the first store does not have it"
}

// String says it in one line.
func (d Difference) String() string {
	s := plain(d.Bucket)
	if d.Key != "" {
		s += "/" + plain(d.Key)
	}
	if d.UploadID != "" {
		s += ": upload " + d.UploadID
	}
	if d.PartNumber != 0 {
		s += fmt.Sprintf(": part %d", d.PartNumber)
	}
	return s + ": " + d.What
}

// Compare compares what two stores list: buckets, objects, open uploads and their parts, with all
// that is said of them, sizes, ETags and CRC-64s among it. It reads no content: that what is stored
// is what its CRC-64 says, Check with Data finds out. Of two stores that are written to meanwhile
// it may find differences that there never were.
//
// It takes memory for a page of entries, and of all buckets.
func Compare(ctx context.Context, first, second *Engine) (_ *CompareResult, err error) {
	c := call{op: "Compare", ctx: ctx}
	defer c.wrap(&err)
	if first == nil || second == nil {
		return nil, ErrInvalidArgument.saying("It takes two stores to compare.")
	}
	p := &storeComparison{first: first, second: second}
	if err := p.buckets(ctx); err != nil {
		return nil, err
	}
	return &p.res, nil
}

// A storeComparison is one Compare.
type storeComparison struct {
	first, second *Engine
	res           CompareResult
}

func (p *storeComparison) buckets(ctx context.Context) error {
	list := func(e *Engine) iter.Seq2[Bucket, error] {
		return func(yield func(Bucket, error) bool) {
			res, err := e.ListBuckets(ctx, nil)
			if err != nil {
				yield(Bucket{}, err)
				return
			}
			for _, b := range res.Buckets {
				if !yield(b, nil) {
					return
				}
			}
		}
	}
	return compare(p, list,
		func(a, b Bucket) int { return cmp.Compare(a.Name, b.Name) },
		func(b Bucket) Difference { return Difference{Bucket: b.Name} },
		func(b Bucket) error {
			p.res.Buckets++
			if err := p.objects(ctx, b.Name); err != nil {
				return err
			}
			return p.uploads(ctx, b.Name)
		},
	)
}

func (p *storeComparison) objects(ctx context.Context, bucket string) error {
	list := func(e *Engine) iter.Seq2[ObjectInfo, error] {
		return e.Objects(ctx, &ListObjectsRequest{Bucket: bucket})
	}
	return compare(p, list,
		func(a, b ObjectInfo) int { return cmp.Compare(a.Key, b.Key) },
		func(o ObjectInfo) Difference { return Difference{Bucket: bucket, Key: o.Key} },
		func(o ObjectInfo) error {
			p.res.Objects++
			p.res.Bytes += o.Size
			return nil
		},
	)
}

func (p *storeComparison) uploads(ctx context.Context, bucket string) error {
	list := func(e *Engine) iter.Seq2[MultipartUpload, error] {
		return e.Uploads(ctx, &ListMultipartUploadsRequest{Bucket: bucket})
	}
	return compare(p, list,
		func(a, b MultipartUpload) int {
			return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.UploadID, b.UploadID))
		},
		func(u MultipartUpload) Difference {
			return Difference{Bucket: bucket, Key: u.Key, UploadID: u.UploadID}
		},
		func(u MultipartUpload) error {
			p.res.Uploads++
			return p.parts(ctx, bucket, u)
		},
	)
}

func (p *storeComparison) parts(ctx context.Context, bucket string, u MultipartUpload) error {
	list := func(e *Engine) iter.Seq2[Part, error] {
		return e.Parts(ctx, &ListPartsRequest{Bucket: bucket, Key: u.Key, UploadID: u.UploadID})
	}
	return compare(p, list,
		func(a, b Part) int { return cmp.Compare(a.PartNumber, b.PartNumber) },
		func(part Part) Difference {
			return Difference{
				Bucket: bucket, Key: u.Key, UploadID: u.UploadID, PartNumber: part.PartNumber,
			}
		},
		func(part Part) error {
			p.res.Parts++
			p.res.Bytes += part.Size
			return nil
		},
	)
}

// compare compares two listings, which are in order. name says what an entry is about, and same is
// called with what both have.
func compare[T any](
	p *storeComparison, list func(*Engine) iter.Seq2[T, error], order func(a, b T) int,
	name func(T) Difference, same func(T) error,
) error {
	a, b := cursorOf(list(p.first)), cursorOf(list(p.second))
	defer a.stop()
	defer b.stop()
	for a.more || b.more {
		if err := cmp.Or(a.err, b.err); err != nil {
			return err
		}
		which := order(a.entry, b.entry)
		onlyA, onlyB := !b.more || a.more && which < 0, !a.more || b.more && which > 0
		switch fields := differing(a.entry, b.entry); {
		case onlyA:
			p.differ(name(a.entry), "the second store does not have it")
		case onlyB:
			p.differ(name(b.entry), "the first store does not have it")
		case len(fields) > 0:
			p.differ(name(a.entry), "they differ in "+strings.Join(fields, ", "))
		default:
			if err := same(a.entry); err != nil {
				return err
			}
		}
		if !onlyB {
			a.step()
		}
		if !onlyA {
			b.step()
		}
	}
	return nil
}

// A cursor is at an entry of a listing, at the error that ends it, or behind it.
type cursor[T any] struct {
	next  func() (T, error, bool)
	stop  func()
	entry T
	err   error
	more  bool
}

func cursorOf[T any](listing iter.Seq2[T, error]) *cursor[T] {
	c := &cursor[T]{}
	c.next, c.stop = iter.Pull2(listing)
	c.step()
	return c
}

func (c *cursor[T]) step() { c.entry, c.err, c.more = c.next() }

func (p *storeComparison) differ(d Difference, what string) {
	if len(p.res.Differences) == maxDifferences {
		p.res.More++
		return
	}
	d.What = what
	p.res.Differences = append(p.res.Differences, d)
}

// differing names the fields in which two structs differ.
func differing[T any](a, b T) (fields []string) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			fields = append(fields, x.Type().Field(i).Name)
		}
	}
	return fields
}
