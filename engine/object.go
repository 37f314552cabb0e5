package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// ObjectInfo describes an object. Sizes and digests are of the plaintext.
type ObjectInfo struct {
	Bucket       string
	Key          string
	Size         int64     // bytes
	ETag         string    // see CompleteMultipartUploadResult; of PutObject the hex of the MD5
	ContentMD5   string    // base64; "" of a multipart object, unless its upload was sequential
	CRC64        uint64    // CRC-64/XZ of the whole object
	Checksum     Checksum  // if one was asked for
	LastModified time.Time // when it was completed, put or copied
	Type         ObjectType
	Parts        int // 1 for what PutObject stored

	// Selected is what a Range or PartNumber of GetObject and HeadObject asks for; nil if that is
	// all of the object, and in listings.
	Selected *Selection

	Attributes
	Encryption
}

// An ObjectType says how an object was made, as OSS's x-oss-object-type.
type ObjectType string

// The types of objects. A copy has that of its source.
const (
	ObjectNormal    ObjectType = "Normal"    // by PutObject
	ObjectMultipart ObjectType = "Multipart" // by CompleteMultipartUpload
)

func infoOf(bucket, key string, rec *index.Object) ObjectInfo {
	return ObjectInfo{
		Bucket: bucket, Key: key,
		Size: rec.Size, ETag: rec.ETag, ContentMD5: base64.StdEncoding.EncodeToString(rec.MD5),
		CRC64: rec.CRC64, Checksum: objectChecksum(rec), LastModified: rec.Modified,
		Type: ObjectType(rec.Type), Parts: rec.Parts,
		Attributes: attributesOf(&rec.Attributes), Encryption: encryptionOf(&rec.Encryption),
	}
}

// Conditions make a read depend on the state of the object. Those that are empty hold. IfMatch and
// IfNoneMatch take *, or a list of entity tags as in HTTP's headers: "5", W/"5", "6,7". A weak tag,
// with W/, never matches in IfMatch, and matches like any other in IfNoneMatch. Quotes and case do
// not matter.
type Conditions struct {
	IfMatch           string    // else ErrPreconditionFailed
	IfUnmodifiedSince time.Time // else ErrPreconditionFailed
	IfNoneMatch       string    // else ErrNotModified
	IfModifiedSince   time.Time // else ErrNotModified
}

// check judges the conditions with the precision of a second, as HTTP's dates have. Where both an
// ETag and a time are given for the same outcome, the ETag decides (RFC 9110, section 13.2.2).
func (c *Conditions) check(obj *index.Object) error {
	modified := obj.Modified.Truncate(time.Second)
	switch {
	case c.IfMatch != "":
		if !strongly.matches(c.IfMatch, obj.ETag) {
			return ErrPreconditionFailed.unmet(ifMatch)
		}
	case !c.IfUnmodifiedSince.IsZero() && modified.After(c.IfUnmodifiedSince):
		return ErrPreconditionFailed.unmet(ifUnmodifiedSince)
	}
	unmet := ""
	switch {
	case c.IfNoneMatch != "":
		if weakly.matches(c.IfNoneMatch, obj.ETag) {
			unmet = ifNoneMatch
		}
	case !c.IfModifiedSince.IsZero() && !modified.After(c.IfModifiedSince):
		unmet = ifModifiedSince
	}
	if unmet == "" {
		return nil
	}
	err := ErrNotModified.unmet(unmet)
	err.ETag, err.LastModified = obj.ETag, obj.Modified
	return err
}

// The names that Error.Condition has for conditions.
const (
	ifMatch           = "If-Match"
	ifNoneMatch       = "If-None-Match"
	ifModifiedSince   = "If-Modified-Since"
	ifUnmodifiedSince = "If-Unmodified-Since"
)

// HeadObjectRequest asks for an object's description.
type HeadObjectRequest struct {
	Bucket, Key string

	// As in GetObjectRequest: what ObjectInfo.Selected says of them is what GetObject would read.
	Range         string
	RangeBehavior RangeBehavior
	PartNumber    int

	SSECustomerKey crypto.CustomerKey // that the object was stored with, if it was with one
	Conditions
}

// HeadObject describes an object. It fails with ErrNoSuchBucket and ErrNoSuchKey, with
// ErrPreconditionFailed or ErrNotModified when a condition does not hold, with ErrInvalidRequest or
// ErrAccessDenied when SSECustomerKey is not what the object was stored with, and as GetObject for
// Range and PartNumber. Only with a PartNumber does it ask Options.Keys for the key of an encrypted
// object.
func (e *Engine) HeadObject(
	ctx context.Context, req *HeadObjectRequest,
) (_ *ObjectInfo, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "HeadObject", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	want := wanted{req.Range, req.RangeBehavior, req.PartNumber}
	if err := want.check(); err != nil {
		return nil, err
	}
	if req.PartNumber != 0 {
		return e.headPart(ctx, c, req)
	}
	obj, rules, err := e.lookObject(ctx, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	of := objectRef{bucket: req.Bucket, key: req.Key, customer: req.SSECustomerKey}
	if err := e.verifyHead(ctx, of, obj); err != nil {
		return nil, err
	}
	if err := req.check(obj); err != nil {
		return nil, err
	}
	sp, err := want.rangeOf(obj.Size, rules)
	if err != nil {
		return nil, err
	}
	info := infoOf(req.Bucket, req.Key, obj)
	info.Selected = sp.selection()
	return &info, nil
}

// headPart describes an object and one of its parts.
func (e *Engine) headPart(
	ctx context.Context, c *call, req *HeadObjectRequest,
) (*ObjectInfo, error) {
	src, err := e.openObject(
		ctx, c, objectRef{req.Bucket, req.Key, req.Conditions, req.SSECustomerKey},
	)
	if err != nil {
		return nil, err
	}
	info := infoOf(req.Bucket, req.Key, src.rec)
	_, info.Selected, err = src.selectPart(ctx, req.PartNumber)
	if err := errors.Join(err, src.close()); err != nil {
		return nil, err
	}
	return &info, nil
}

// verifyHead verifies the record of an object that is only described, unless the key provider would
// have to be asked for that.
func (e *Engine) verifyHead(ctx context.Context, of objectRef, obj *index.Object) error {
	enc := &obj.Encryption
	if !enc.Customer && enc.Algorithm != "" && of.customer == nil {
		return nil
	}
	_, err := e.cipherOfObject(ctx, of, obj)
	return err
}

// cipherOfObject returns the cipher of an object, nil if it is not encrypted, when its record is
// what was signed.
func (e *Engine) cipherOfObject(
	ctx context.Context, of objectRef, obj *index.Object,
) (*crypto.Cipher, error) {
	return e.provenCipher(
		ctx, obj.Content, &obj.Encryption, of.customer,
		func(s seals) error { return s.object(of.bucket, of.key, obj) },
	)
}

// GetObjectRequest asks for an object's content.
type GetObjectRequest struct {
	Bucket, Key string

	// Range is an HTTP range, as "bytes=0-99", "bytes=100-" or "bytes=-100". By default a range
	// that is malformed or reaches beyond the object is ignored and the whole object returned, and
	// of several the first is taken, as OSS does. With RangeStandard a range that begins
	// within the object is cut to it, and one that begins beyond it fails with ErrInvalidRange; a
	// malformed one is ignored then, too, and so are several. Under S3's rules that holds for every
	// range. The last 0 bytes, "bytes=-0", are always ErrInvalidRange. Any last bytes of an
	// empty object are all of it. The case of "bytes" does not matter.
	Range         string
	RangeBehavior RangeBehavior

	// PartNumber, if not 0, asks for one part instead of a Range: the first part of an object is
	// number 1, the last one ObjectInfo.Parts. A greater one fails with ErrInvalidPartNumber, and
	// one beside a Range with ErrInvalidRequest. Zero asks for part 0, which is ErrInvalidArgument.
	// It is S3's.
	PartNumber int

	SSECustomerKey crypto.CustomerKey // that the object was stored with, if it was with one
	Conditions
}

// GetObject opens an object for reading. The Object is a snapshot: it stays whole and the same
// though the object is overwritten or deleted. It must be closed, since it keeps the space of what
// was deleted from coming back. ctx bounds the opening only, not later reads of the Object. For
// encrypted content the Object keeps the key until it is closed, even if Options.Keys denies it
// meanwhile.
//
// It fails with
//   - ErrNoSuchBucket and ErrNoSuchKey;
//   - ErrPreconditionFailed and ErrNotModified when a condition does not hold;
//   - ErrInvalidRange and ErrInvalidPartNumber when the object has no such bytes, ErrInvalidRequest
//     for both a Range and a PartNumber, and ErrInvalidArgument for an invalid PartNumber or
//     RangeBehavior;
//   - the errors of Options.Keys, as those of InitiateMultipartUpload, of an object that is encrypted
//     with it;
//   - ErrInvalidRequest when the object is under a client's key and SSECustomerKey is not given, or
//     it is given for an object that is not, and ErrAccessDenied when it is another key;
//   - ErrInternal with a *CorruptionError when the object's records are damaged. Damage to its
//     chunks is found by the reads.
func (e *Engine) GetObject(ctx context.Context, req *GetObjectRequest) (_ *Object, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "GetObject", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	want := wanted{req.Range, req.RangeBehavior, req.PartNumber}
	if err := want.check(); err != nil {
		return nil, err
	}
	src, err := e.openObject(
		ctx, c, objectRef{req.Bucket, req.Key, req.Conditions, req.SSECustomerKey},
	)
	if err != nil {
		return nil, err
	}
	info := infoOf(req.Bucket, req.Key, src.rec)
	var sp span
	if req.PartNumber != 0 {
		sp, info.Selected, err = src.selectPart(ctx, req.PartNumber)
	} else {
		sp, err = want.rangeOf(src.size, src.rules)
		info.Selected = sp.selection()
	}
	if err != nil {
		return nil, errors.Join(err, src.close())
	}
	return newObject(info, src.source, sp), nil
}

// objectRef names an object to read, and says on which conditions and with which key.
type objectRef struct {
	bucket, key string
	conditions  Conditions
	customer    crypto.CustomerKey
}

// An openedObject is an object whose content is in use until its source is closed.
type openedObject struct {
	*source
	rec   *index.Object
	rules ruleSet // of its bucket
}

// openObject opens an object, if the conditions hold.
func (e *Engine) openObject(
	ctx context.Context, c *call, ref objectRef,
) (_ *openedObject, err error) {
	var s *source
	rec, rules, near, err := e.useObject(ctx, ref.bucket, ref.key, func(r index.Reader, rec *index.Object) {
		if rec.Encryption.Algorithm == "" { // else a key has to be asked for first
			s = e.newSource(c, rec, nil)
			s.look(r)
		}
	})
	if err != nil {
		return nil, err
	}
	opened := false
	defer func() {
		if !opened { // an error, or whatever else leaves the call
			e.trash.Leave(rec.Content)
		}
	}()
	cipher, err := e.cipherOfObject(ctx, ref, rec)
	if err != nil {
		return nil, err
	}
	if err := ref.conditions.check(rec); err != nil {
		return nil, err
	}
	if s == nil {
		s = e.newSource(c, rec, cipher)
		if near != nil {
			s.look(near)
		}
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	opened = true
	return &openedObject{s, rec, rules}, nil
}

// useObject returns an object's record with its content in use; the caller must leave it. It also
// returns the bucket's rules. also may read what else is wanted of the state that shows the object,
// where that takes nothing more. Otherwise the Reader has what the opening of a source reads.
func (e *Engine) useObject(
	ctx context.Context, bucket, key string, also func(index.Reader, *index.Object),
) (rec *index.Object, rules ruleSet, near index.Reader, err error) {
	if e.node == nil && index.TellsLatest(e.index) { // what others commit would not be seen to be later
		rec, rules, err = e.useOwnObject(ctx, bucket, key, also)
		return rec, rules, nil, err
	}
	for {
		rec, _, err := e.lookObject(ctx, bucket, key)
		if err != nil {
			return nil, ruleSet{}, nil, err
		}
		e.trash.Use(rec.Content)
		// What was deleted between the look and the use may be swept already. What is still there
		// now can only be swept after a later transaction has queued it, and that finds the use.
		near, err := e.fetchObject(ctx, bucket, key, openingKeys(rec)...)
		var again *index.Object
		var rules ruleSet
		if err == nil {
			again, rules, err = readObject(near, bucket, key)
		}
		if err == nil && again.Content == rec.Content {
			return again, rules, near, nil
		}
		e.trash.Leave(rec.Content)
		if err != nil {
			return nil, ruleSet{}, nil, err
		}
	}
}

// useOwnObject is useObject where nobody else writes to the index, and it tells the latest state. If
// nothing was committed between the look and the use, it needs no second look.
func (e *Engine) useOwnObject(
	ctx context.Context, bucket, key string, also func(index.Reader, *index.Object),
) (rec *index.Object, rules ruleSet, err error) {
	var used *index.ContentID
	defer func() {
		if used != nil {
			e.trash.Leave(*used)
		}
	}()
	for certain := false; !certain; {
		err = e.index.View(ctx, func(r index.Reader) (err error) {
			if rec, rules, err = readObject(r, bucket, key); err != nil {
				return err
			}
			if used != nil && *used != rec.Content {
				e.trash.Leave(*used)
				used = nil
			}
			if certain = used != nil; !certain {
				e.trash.Use(rec.Content)
				used = &rec.Content
				certain = index.Latest(r)
			}
			if certain {
				also(r, rec)
			}
			return nil
		})
		if err != nil {
			return nil, ruleSet{}, err
		}
	}
	used = nil // the caller's
	return rec, rules, nil
}

// lookObject returns an object's record and its bucket's rules.
func (e *Engine) lookObject(
	ctx context.Context, bucket, key string,
) (rec *index.Object, rules ruleSet, err error) {
	r, err := e.fetchObject(ctx, bucket, key)
	if err != nil {
		return nil, rules, err
	}
	return readObject(r, bucket, key)
}

// readObject is lookObject in a state of the index.
func readObject(
	r index.Reader, bucket, key string,
) (rec *index.Object, rules ruleSet, err error) {
	if rec, err = findObject(r, bucket, key); err != nil {
		return nil, rules, err
	}
	b, err := openBucket(r, bucket)
	return rec, b.rules, err
}

// fetchObject returns what findObject and openBucket read, and the records under keys.
func (e *Engine) fetchObject(
	ctx context.Context, bucket, key string, keys ...[]byte,
) (index.Reader, error) {
	return index.Fetch(
		ctx, e.index, append(keys, index.ObjectKey(bucket, key), index.BucketKey(bucket))...,
	)
}

// DeleteObjectRequest names an object to delete.
type DeleteObjectRequest struct {
	Bucket, Key string

	// IfMatch, if not empty, is the ETag, or a list as in Conditions, that the object must have;
	// else the call fails with ErrPreconditionFailed. It is judged at the moment of deletion, and
	// holds when there is no object. It is S3's.
	IfMatch string
}

// DeleteObjectResult is empty.
type DeleteObjectResult struct{}

// DeleteObject deletes an object. It is no error if there is none, as in OSS. It costs the same
// whatever the object's size; the space comes back in the background. When it returns without error
// the deletion is durable. No key is asked for. It goes on when the disk is full, until the index
// has no room for it: see Options.ReserveSpace.
//
// It fails with ErrNoSuchBucket, with ErrPreconditionFailed when IfMatch does not hold, and with
// ErrInternal when the object's record is damaged, which then stays.
func (e *Engine) DeleteObject(
	ctx context.Context, req *DeleteObjectRequest,
) (_ *DeleteObjectResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "DeleteObject", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	err = e.index.Update(ctx, func(tx index.Tx) error {
		bucket, err := openBucket(tx, req.Bucket)
		if err != nil {
			return err
		}
		err = checkDeletable(tx, bucket.rules, overwriting{
			req.Bucket, req.Key, Preconditions{IfMatch: req.IfMatch},
		})
		if err != nil {
			return err
		}
		return e.deleteObject(tx, req.Bucket, req.Key)
	})
	if err != nil {
		return nil, err
	}
	e.worker.wake()
	return &DeleteObjectResult{}, nil
}

// deleteObject deletes an object inside a transaction, if it is there.
func (e *Engine) deleteObject(tx index.Tx, bucket, key string) error {
	there, err := e.discardObject(tx, bucket, key)
	if err != nil || !there {
		return err
	}
	return index.Delete(tx, index.ObjectKey(bucket, key))
}

// findObject returns an object's record, or ErrNoSuchBucket or ErrNoSuchKey.
func findObject(r index.Reader, bucket, key string) (*index.Object, error) {
	rec, err := index.Find(r, index.ObjectKey(bucket, key))
	if isAbsent(err) {
		if _, err := openBucketFor(r, bucket, key); err != nil {
			return nil, err
		}
		return nil, ErrNoSuchKey
	}
	return rec, err
}

// putObject stores an object's record and discards what it replaces. It counts the object, and what
// else there is to count.
func (e *Engine) putObject(
	tx index.Tx, bucket, key string, obj *index.Object, also index.Totals,
) error {
	if _, err := e.discardObject(tx, bucket, key); err != nil {
		return err
	}
	also.Add(index.Totals{Objects: 1, LogicalBytes: obj.Size})
	if err := ledger.Count(tx, also); err != nil {
		return err
	}
	e.deletions.note(bucket, arrival{key: key})
	return index.Put(tx, index.ObjectKey(bucket, key), obj)
}

// discardObject gives up the content of an object, if there is one, and says whether there is. The
// caller deletes or overwrites the record.
func (e *Engine) discardObject(tx index.Tx, bucket, key string) (there bool, err error) {
	old, err := index.Get(tx, index.ObjectKey(bucket, key))
	if errors.Is(err, index.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := e.trash.DropOwner(tx, old.Content, old.Parts, old.Size); err != nil {
		return false, err
	}
	return true, ledger.Count(tx, index.Totals{Objects: -1, LogicalBytes: -old.Size})
}
