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

// A Difference is something that differs between two stores: a bucket if Key is empty, an object
// or, if UploadID is set, an open upload or one of its parts.
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
// their properties, such as sizes, ETags and CRC-64s. The contents of a bucket or an upload are
// compared if both stores have it, even if its own properties differ. It reads no content: whether
// that fits its CRC-64, Check with Data finds out. If a store is written to meanwhile, it may
// report differences that never existed at one moment.
//
// It takes memory for a page of entries, and for one of buckets.
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
	list := func(e *Engine) iter.Seq2[Bucket, error] { return e.Buckets(ctx, nil) }
	return compare(p, list, listedKind[Bucket]{
		order: func(a, b Bucket) int { return cmp.Compare(a.Name, b.Name) },
		name:  func(b Bucket) Difference { return Difference{Bucket: b.Name} },
		same:  func(Bucket) { p.res.Buckets++ },
		below: func(b Bucket) error {
			if err := p.objects(ctx, b.Name); err != nil {
				return err
			}
			return p.uploads(ctx, b.Name)
		},
	})
}

func (p *storeComparison) objects(ctx context.Context, bucket string) error {
	list := func(e *Engine) iter.Seq2[ObjectInfo, error] {
		return e.Objects(ctx, &ListObjectsRequest{Bucket: bucket})
	}
	return compare(p, list, listedKind[ObjectInfo]{
		order: func(a, b ObjectInfo) int { return cmp.Compare(a.Key, b.Key) },
		name:  func(o ObjectInfo) Difference { return Difference{Bucket: bucket, Key: o.Key} },
		same: func(o ObjectInfo) {
			p.res.Objects++
			p.res.Bytes += o.Size
		},
	})
}

// An openUploadInfo is all that is said of an upload: a listing of uploads leaves something out.
type openUploadInfo struct {
	MultipartUpload
	Attributes
}

func (p *storeComparison) uploads(ctx context.Context, bucket string) error {
	list := func(e *Engine) iter.Seq2[openUploadInfo, error] {
		return func(yield func(openUploadInfo, error) bool) {
			for u, err := range e.Uploads(ctx, &ListMultipartUploadsRequest{Bucket: bucket}) {
				info := openUploadInfo{MultipartUpload: u}
				if err == nil {
					info.Attributes, err = p.attributes(ctx, e, bucket, u)
				}
				if !yield(info, err) || err != nil {
					return
				}
			}
		}
	}
	return compare(p, list, listedKind[openUploadInfo]{
		order: func(a, b openUploadInfo) int {
			return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.UploadID, b.UploadID))
		},
		name: func(u openUploadInfo) Difference {
			return Difference{Bucket: bucket, Key: u.Key, UploadID: u.UploadID}
		},
		same:  func(openUploadInfo) { p.res.Uploads++ },
		below: func(u openUploadInfo) error { return p.parts(ctx, bucket, u.MultipartUpload) },
	})
}

// attributes are what an upload's object is to have.
func (p *storeComparison) attributes(
	ctx context.Context, e *Engine, bucket string, u MultipartUpload,
) (a Attributes, err error) {
	res, err := e.ListParts(ctx, &ListPartsRequest{
		Bucket: bucket, Key: u.Key, UploadID: u.UploadID, MaxParts: 1,
	})
	if err == nil {
		a = res.Attributes
	}
	return a, err
}

func (p *storeComparison) parts(ctx context.Context, bucket string, u MultipartUpload) error {
	list := func(e *Engine) iter.Seq2[Part, error] {
		return e.Parts(ctx, &ListPartsRequest{Bucket: bucket, Key: u.Key, UploadID: u.UploadID})
	}
	return compare(p, list, listedKind[Part]{
		order: func(a, b Part) int { return cmp.Compare(a.PartNumber, b.PartNumber) },
		name: func(part Part) Difference {
			return Difference{
				Bucket: bucket, Key: u.Key, UploadID: u.UploadID, PartNumber: part.PartNumber,
			}
		},
		same: func(part Part) {
			p.res.Parts++
			p.res.Bytes += part.Size
		},
	})
}

// A listedKind says how entries of one kind are compared.
type listedKind[T any] struct {
	order func(a, b T) int
	name  func(T) Difference // says what an entry is about
	same  func(T)            // is called with what both stores say alike
	below func(T) error      // is called with what both have, and compares what it has; nil for nothing
}

// compare compares two listings, which are in order.
func compare[T any](
	p *storeComparison, list func(*Engine) iter.Seq2[T, error], of listedKind[T],
) error {
	a, b := cursorOf(list(p.first)), cursorOf(list(p.second))
	defer a.stop()
	defer b.stop()
	for a.more || b.more {
		if err := cmp.Or(a.err, b.err); err != nil {
			return err
		}
		which := of.order(a.entry, b.entry)
		onlyA, onlyB := !b.more || a.more && which < 0, !a.more || b.more && which > 0
		switch {
		case onlyA:
			p.differ(of.name(a.entry), "the second store does not have it")
		case onlyB:
			p.differ(of.name(b.entry), "the first store does not have it")
		default:
			if fields := differing(a.entry, b.entry); len(fields) > 0 {
				p.differ(of.name(a.entry), "they differ in "+strings.Join(fields, ", "))
			} else {
				of.same(a.entry)
			}
			if of.below != nil {
				if err := of.below(a.entry); err != nil {
					return err
				}
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

// differing names the fields in which two structs differ, those of what a listing says as its own.
func differing[T any](a, b T) []string {
	return differingFields(reflect.ValueOf(a), reflect.ValueOf(b))
}

func differingFields(a, b reflect.Value) (fields []string) {
	for i := range a.NumField() {
		x, y, field := a.Field(i), b.Field(i), a.Type().Field(i)
		if field.Type == reflect.TypeFor[MultipartUpload]() {
			fields = append(fields, differingFields(x, y)...)
		} else if !reflect.DeepEqual(x.Interface(), y.Interface()) {
			fields = append(fields, field.Name)
		}
	}
	return fields
}
