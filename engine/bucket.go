package engine

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// CreateBucketRequest names a bucket to create.
type CreateBucketRequest struct {
	Bucket string // 3 to 63 of a-z, 0-9 and -
	Rules  Rules  // OSS or S3; Options.Rules if zero

	// DedupScope is DedupStore, DedupBucket or DedupNone; Options.DedupScope if zero. It is the
	// engine's own: neither OSS nor S3 has it.
	DedupScope DedupScope

	// StorageClass is the class of objects whose request names none. It is one of those that the
	// Rules have; their default if empty. It cannot be changed later.
	StorageClass StorageClass

	// Annotations are a front end's own, as in Attributes.
	Annotations map[string]string

	// IfAbsent makes the call succeed when there is a bucket of that name with the same Rules and
	// DedupScope. That bucket stays as it is, with its StorageClass and Annotations. So a front end
	// can answer a bucket's owner as OSS does.
	IfAbsent bool
}

// CreateBucketResult says what was done.
type CreateBucketResult struct {
	Existed bool // nothing was done, since the bucket was there: only with IfAbsent
}

// CreateBucket makes a bucket, and is durable when it returns without error. Of several calls at
// once for one name, exactly one makes it.
//
// It fails with
//   - ErrBucketAlreadyExists when the name is taken; see IfAbsent;
//   - ErrInvalidArgument for Rules or a DedupScope that is not known, for too many Annotations, and
//     for a StorageClass that the rules do not have, which is ErrInvalidStorageClass under S3's;
//   - ErrNoSpace when the disk is filled up to Options.ReserveSpace, also of a bucket that is there.
func (e *Engine) CreateBucket(
	ctx context.Context, req *CreateBucketRequest,
) (_ *CreateBucketResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "CreateBucket", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkBucketName(req.Bucket); err != nil {
		return nil, err
	}
	if err := e.room(); err != nil {
		return nil, err
	}
	rules := req.Rules
	if rules == "" {
		rules = e.opts.Rules
	}
	if err := rules.validate(); err != nil {
		return nil, ErrInvalidArgument.saying("%v.", err).about("Rules", rules)
	}
	dedup := req.DedupScope
	if dedup == "" {
		dedup = e.opts.DedupScope
	}
	if err := dedup.validate(); err != nil {
		return nil, ErrInvalidArgument.saying("%v.", err).about("DedupScope", dedup)
	}
	if req.StorageClass != "" {
		if err := ruleSets[rules].checkClass(req.StorageClass); err != nil {
			return nil, err
		}
	}
	if err := checkAnnotations(req.Annotations); err != nil {
		return nil, err
	}
	generation, err := newID()
	if err != nil {
		return nil, err
	}
	var res *CreateBucketResult
	err = e.index.Update(ctx, func(tx index.Tx) error {
		res = &CreateBucketResult{}
		old, err := index.Get(tx, index.BucketKey(req.Bucket))
		if err == nil {
			res.Existed = req.IfAbsent &&
				old.Rules == string(rules) && old.Dedup == string(dedup)
			if !res.Existed {
				return ErrBucketAlreadyExists
			}
			return nil
		}
		if !errors.Is(err, index.ErrNotFound) {
			return err
		}
		return index.Put(tx, index.BucketKey(req.Bucket), &index.Bucket{
			Created: e.now(), Rules: string(rules), Dedup: string(dedup), Generation: generation,
			Annotations: req.Annotations, StorageClass: string(req.StorageClass),
		})
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// ListBucketsRequest asks for buckets.
type ListBucketsRequest struct {
	Prefix string // only names that begin with it
	Marker string // names behind it are listed

	// MaxBuckets is how many buckets a page has, at most 10000, as in S3, which is what 0 means.
	// More are ErrInvalidArgument. Zero is an empty page.
	MaxBuckets int
}

// ListBucketsResult is one page of buckets in the order of their names.
type ListBucketsResult struct {
	Prefix, Marker string // as asked
	MaxBuckets     int    // 0 for Zero
	Buckets        []Bucket
	NextMarker     string // the Marker of the next page; empty on the last
	IsTruncated    bool
}

// A Bucket describes a bucket.
type Bucket struct {
	Name         string
	Created      time.Time
	Rules        Rules
	DedupScope   DedupScope
	StorageClass StorageClass      // of objects whose request names none
	Annotations  map[string]string // a front end's own
}

// ListBuckets lists the buckets in the byte order of their names. A page costs what it holds, and
// is a snapshot. It ends before it has MaxBuckets when their Annotations come to about 1 MiB.
//
// It fails with ErrInvalidArgument when MaxBuckets is out of range.
func (e *Engine) ListBuckets(
	ctx context.Context, req *ListBucketsRequest,
) (_ *ListBucketsResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "ListBuckets"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	res := &ListBucketsResult{Prefix: req.Prefix, Marker: req.Marker, MaxBuckets: req.MaxBuckets}
	switch {
	case req.MaxBuckets == Zero:
		res.MaxBuckets = 0
		return res, nil
	case req.MaxBuckets < 0 || req.MaxBuckets > MaxBucketListing:
		return nil, ErrInvalidArgument.saying(
			"MaxBuckets is %d, must be 0 to %d.", req.MaxBuckets, MaxBucketListing,
		).about("MaxBuckets", req.MaxBuckets)
	}
	res.MaxBuckets = cmp.Or(res.MaxBuckets, MaxBucketListing)
	if err := e.index.View(ctx, res.fill); err != nil {
		return nil, err
	}
	return res, nil
}

// fill makes the page that the fields above Buckets ask for.
func (res *ListBucketsResult) fill(r index.Reader) error {
	taken := 0 // bytes
	for entry, err := range index.Scan(r, index.BucketsAfter(res.Prefix, res.Marker)) {
		if err != nil {
			return err
		}
		if n := len(res.Buckets); n == res.MaxBuckets || taken >= pageBytes {
			res.NextMarker, res.IsTruncated = res.Buckets[n-1].Name, true
			return nil
		}
		name, err := index.ParseBucketKey(entry.Key)
		if err != nil {
			return err
		}
		bucket, err := bucketOf(name, &entry.Record)
		if err != nil {
			return err
		}
		res.Buckets = append(res.Buckets, bucket)
		taken += bytesOfTexts(bucket.Annotations)
	}
	return nil
}

// Buckets is ListBuckets as a sequence over all pages. Each page is a snapshot of its own. An error
// comes once and last.
func (e *Engine) Buckets(ctx context.Context, req *ListBucketsRequest) iter.Seq2[Bucket, error] {
	return pages(*orEmpty(req), func(next *ListBucketsRequest) ([]Bucket, bool, error) {
		page, err := e.ListBuckets(ctx, next)
		if err != nil {
			return nil, false, err
		}
		next.Marker = page.NextMarker
		return page.Buckets, page.IsTruncated, nil
	})
}

// HeadBucketRequest names a bucket to describe.
type HeadBucketRequest struct {
	Bucket string
}

// HeadBucket describes a bucket. One that does not exist fails with ErrNoSuchBucket.
func (e *Engine) HeadBucket(ctx context.Context, req *HeadBucketRequest) (_ *Bucket, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "HeadBucket", bucket: req.Bucket})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkBucketName(req.Bucket); err != nil {
		return nil, err
	}
	r, err := index.Fetch(ctx, e.index, index.BucketKey(req.Bucket))
	if err != nil {
		return nil, err
	}
	rec, err := findBucket(r, req.Bucket)
	if err != nil {
		return nil, err
	}
	found, err := bucketOf(req.Bucket, rec)
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// A liveBucket is what an operation must know of a bucket.
type liveBucket struct {
	name       string
	generation index.Generation
	rules      ruleSet
	dedup      DedupScope
	class      StorageClass // of objects whose request names none
}

// openBucket returns a bucket, or ErrNoSuchBucket.
func openBucket(r index.Reader, name string) (liveBucket, error) {
	rec, err := findBucket(r, name)
	if err != nil {
		return liveBucket{}, err
	}
	b, err := bucketOf(name, rec)
	return liveBucket{
		name: name, generation: rec.Generation, rules: ruleSets[b.Rules], dedup: b.DedupScope,
		class: b.StorageClass,
	}, err
}

// openBucketFor returns a bucket whose rules allow objects of this name.
func openBucketFor(r index.Reader, name, key string) (liveBucket, error) {
	b, err := openBucket(r, name)
	if err != nil {
		return b, err
	}
	return b, b.rules.checkKey(key)
}

// check fails with ErrNoSuchBucket unless the bucket is there still. Whoever has looked at a bucket
// in one transaction and commits in another must check it there: one that was deleted and created
// again is another bucket, perhaps of other rules.
func (b *liveBucket) check(r index.Reader) error {
	rec, err := findBucket(r, b.name)
	if err == nil && rec.Generation != b.generation {
		err = ErrNoSuchBucket.saying(
			"The bucket was deleted meanwhile. The one of that name is another.",
		)
	}
	return err
}

// findBucket returns a bucket's record, or ErrNoSuchBucket.
func findBucket(r index.Reader, name string) (*index.Bucket, error) {
	rec, err := index.Get(r, index.BucketKey(name))
	if errors.Is(err, index.ErrNotFound) {
		return nil, ErrNoSuchBucket
	}
	return &rec, err
}

func bucketOf(name string, rec *index.Bucket) (Bucket, error) {
	rules := Rules(rec.Rules)
	if rules.validate() != nil {
		return Bucket{}, ErrNotImplemented.saying(
			"Bucket %s has rules %q, which this version does not know.", name, rec.Rules,
		)
	}
	dedup := DedupScope(rec.Dedup)
	if dedup.validate() != nil {
		return Bucket{}, ErrNotImplemented.saying(
			"Bucket %s has dedup scope %q, which this version does not know.", name, rec.Dedup,
		)
	}
	class := StorageClass(rec.StorageClass)
	if class == "" {
		class = ruleSets[rules].classes[0]
	}
	return Bucket{
		Name: name, Created: rec.Created, Rules: rules, DedupScope: dedup, StorageClass: class,
		Annotations: rec.Annotations,
	}, nil
}
