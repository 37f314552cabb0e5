package engine

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"reflect"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// A Directive says whose attributes a copy has.
type Directive string

// The directives of CopyObjectRequest.
const (
	DirectiveCopy    Directive = "COPY"
	DirectiveReplace Directive = "REPLACE"
)

// CopyObjectRequest makes an object from another one, or changes the attributes of an object when
// both are the same.
type CopyObjectRequest struct {
	Bucket string
	Key    string // as in InitiateMultipartUploadRequest

	SourceBucket, SourceKey string

	// Conditions are judged on the source, as in UploadPartCopyRequest.
	Conditions

	// MetadataDirective is DirectiveCopy, which "" stands for, or DirectiveReplace: then the copy
	// has the headers and metadata of Attributes instead of the source's. Under OSS's rules a copy
	// of an object onto itself always has those of Attributes. TaggingDirective is the same for Tags,
	// under all rules.
	//
	// StorageClass, WebsiteRedirect and Annotations are always those of Attributes. Exception: an
	// object that is copied onto itself without asking for encryption keeps its Annotations when
	// Attributes.Annotations is nil.
	MetadataDirective Directive
	TaggingDirective  Directive
	Attributes

	// How the copy is encrypted. Nothing of this is taken from the source.
	EncryptionRequest

	SourceSSECustomerKey crypto.CustomerKey // that the source was stored with, if it was with one

	// ChecksumAlgorithm gives the copy a checksum of its whole content, as S3 does; "" keeps that
	// of the source. Unless the source has the same kind, all of it is read and verified to make
	// the checksum, even if nothing has to be stored. The parts keep the checksums that they were
	// uploaded with, for UploadPartCopy and ListObjectParts.
	ChecksumAlgorithm crypto.ChecksumAlgorithm

	// ForbidOverwrite fails the call with ErrFileAlreadyExists when the object exists.
	ForbidOverwrite bool
}

// CopyObjectResult describes the copy, as ObjectInfo does.
type CopyObjectResult struct {
	ETag         string
	Size         int64
	CRC64        uint64
	Checksum     Checksum
	LastModified time.Time // when it was copied
	Encryption
}

// CopyObject copies an object of any size. The copy has the content of the source with its ETag,
// CRC-64, type and parts; between buckets of different rules the ETag is that of the target's
// rules. It is durable when the call returns, and neither object depends on the other from then on.
//
// When the same keys guard both, that is when neither is encrypted, or both are with the same
// ServerSideEncryption and key id, the copy shares the source's chunks and costs one small
// transaction, whatever its size. Otherwise every byte is read, verified and encrypted anew, part
// by part, in bounded memory.
//
// Without encryption the DedupScope of the target's bucket must allow it, too. Shared chunks keep
// the scope that they were stored in, which must lie within that of the bucket. This holds within
// one bucket, for every source when the target's bucket has DedupStore, and for chunks that were
// stored under DedupNone. Otherwise the bytes are copied, into the scope of the target's bucket.
//
// A copy by reference shows the source at the moment of commit; it fails with ErrUnavailable, and
// can be tried again, when the source keeps being changed meanwhile. A copy byte by byte shows the
// source at the start of the call; onto itself it fails with ErrPreconditionFailed when the object
// is changed meanwhile.
//
// It fails with ErrNoSuchBucket and ErrNoSuchKey, with the errors of the conditions and those of
// InitiateMultipartUpload, and with a *CorruptionError when the source is damaged. If it is the
// source that is missing, the cause says so. Under S3's rules a copy onto itself must change
// something: it has a directive REPLACE, another storage class, redirect or checksum, or asks for
// encryption; else it fails with ErrInvalidRequest.
func (e *Engine) CopyObject(
	ctx context.Context, req *CopyObjectRequest,
) (_ *CopyObjectResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "CopyObject", bucket: req.Bucket, key: req.Key})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	p := &objectCopy{
		engine: e, req: req, call: c,
		from: objectRef{req.SourceBucket, req.SourceKey, req.Conditions, req.SourceSSECustomerKey},
		when: overwriting{req.Bucket, req.Key, Preconditions{ForbidOverwrite: req.ForbidOverwrite}},
	}
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	obj, err := p.run(ctx)
	if err != nil {
		return nil, err
	}
	e.worker.wake()
	return &CopyObjectResult{
		ETag: obj.ETag, Size: obj.Size, CRC64: obj.CRC64, Checksum: objectChecksum(obj),
		LastModified: obj.Modified, Encryption: encryptionOf(&obj.Encryption),
	}, nil
}

// objectCopy is one CopyObject under way.
type objectCopy struct {
	engine *Engine
	req    *CopyObjectRequest
	call   *call
	from   objectRef
	when   overwriting

	attributes index.Attributes // as the request gives them
	bucket     liveBucket       // of the target
}

func (p *objectCopy) prepare(ctx context.Context) (err error) {
	req := p.req
	for _, err := range []error{
		checkNames(req.Bucket, req.Key), checkSourceNames(req.SourceBucket, req.SourceKey),
		checkDirective("MetadataDirective", req.MetadataDirective),
		checkDirective("TaggingDirective", req.TaggingDirective),
		p.req.EncryptionRequest.check(), checkAlgorithm(req.ChecksumAlgorithm), p.engine.room(),
	} {
		if err != nil {
			return err
		}
	}
	if p.bucket, err = p.engine.bucketFor(ctx, req.Bucket, req.Key); err != nil {
		return err
	}
	p.attributes, err = p.bucket.attributes(&req.Attributes)
	return err
}

func checkDirective(field string, d Directive) error {
	switch d {
	case "", DirectiveCopy, DirectiveReplace:
		return nil
	}
	return ErrInvalidArgument.saying("%s is %q, must be COPY or REPLACE.", field, d).about(field, d)
}

// errSourceChanged says that the source is not what it was when it was opened.
var errSourceChanged = errors.New("engine: the source of the copy has changed")

// copyTries is how often a copy by reference looks at a source that changes while it does. One is
// lost to each change, and a client that still wants it then can ask again.
const copyTries = 16

// run copies by reference or byte by byte.
func (p *objectCopy) run(ctx context.Context) (*index.Object, error) {
	for range copyTries {
		obj, err := p.once(ctx)
		if !errors.Is(err, errSourceChanged) {
			return obj, err
		}
	}
	return nil, ErrUnavailable.saying("The source is changed all the time. Try again later.").
		with(errSourceChanged)
}

func (p *objectCopy) once(ctx context.Context) (*index.Object, error) {
	src, err := p.engine.openSource(ctx, p.call, p.from, p.bucket.rules)
	if err != nil {
		return nil, err
	}
	defer src.close()
	obj, err := p.objectOf(ctx, src)
	if err != nil {
		return nil, err
	}
	if p.bucket.rules.copyMustChange && p.ontoItself() && !p.changes(src.rec, obj) {
		return nil, ErrInvalidRequest.saying(
			"This copy request is illegal because it is trying to copy an object to itself " +
				"without changing the object's metadata, storage class, website redirect location " +
				"or encryption attributes.",
		)
	}
	shares, err := p.shares(ctx, src)
	if err != nil {
		return nil, err
	}
	if shares {
		return obj, p.share(ctx, src, obj)
	}
	return obj, p.rewrite(ctx, src, obj)
}

// ontoItself says whether source and target are one object.
func (p *objectCopy) ontoItself() bool {
	return p.from.bucket == p.req.Bucket && p.from.key == p.req.Key
}

// changes says whether a copy of an object onto itself may leave it other than it is. REPLACE says
// that it does, whatever it is replaced by, and so does asking for encryption: under the same key id
// clients have keys changed so.
func (p *objectCopy) changes(src, obj *index.Object) bool {
	return p.req.MetadataDirective == DirectiveReplace ||
		p.req.TaggingDirective == DirectiveReplace ||
		obj.Attributes.StorageClass != src.Attributes.StorageClass ||
		obj.Attributes.WebsiteRedirect != src.Attributes.WebsiteRedirect ||
		p.newChecksum(src) ||
		p.req.ServerSideEncryption != "" ||
		!p.req.EncryptionRequest.suits(&src.Encryption)
}

// newChecksum says whether the copy has another checksum than its source.
func (p *objectCopy) newChecksum(src *index.Object) bool {
	a := string(p.req.ChecksumAlgorithm)
	return a != "" &&
		(a != src.Checksum.Algorithm || src.Checksum.Type != string(ChecksumFullObject))
}

// setChecksum gives the copy the checksum of all of its content. Its parts keep theirs.
func (p *objectCopy) setChecksum(src, obj *index.Object, sum []byte) {
	of := partAlgorithm(src)
	obj.Checksum = index.Checksum{
		Algorithm: string(p.req.ChecksumAlgorithm), Type: string(ChecksumFullObject), Value: sum,
	}
	if obj.PartAlgorithm = of; of == obj.Checksum.Algorithm {
		obj.PartAlgorithm = ""
	}
}

// knownSum returns the new checksum of the copy if the source's record says it: the MD5 of a content
// that was taken in as one body, or in sequence.
func (p *objectCopy) knownSum(src *index.Object) []byte {
	a := p.req.ChecksumAlgorithm
	if a != crypto.MD5 || len(src.MD5) != a.Size() || !p.newChecksum(src) {
		return nil
	}
	return src.MD5
}

// sum returns a new checksum that the copy has. Where it is not known it reads all of the source,
// which verifies it.
func (p *objectCopy) sum(ctx context.Context, src *openedObject) ([]byte, error) {
	if sum := p.knownSum(src.rec); sum != nil {
		return sum, nil
	}
	h := p.req.ChecksumAlgorithm.New()
	var data chunkData
	for at := int64(0); at < src.size; at = data.end() {
		if err := src.decode(ctx, at, &data); err != nil {
			return nil, err
		}
		h.Write(data.from(at)) // a hash never fails
	}
	return h.Sum(nil), nil
}

// shares says whether the copy may have the source's content: the same keys guard both, and nobody
// can find its chunks by uploading them whom the scope of the target's bucket keeps from that.
func (p *objectCopy) shares(ctx context.Context, src *openedObject) (bool, error) {
	if !p.req.EncryptionRequest.suits(&src.rec.Encryption) {
		return false, nil
	}
	// What is in the bucket has been admitted there. It is the same one: both are looked at again
	// at the moment of commit, and no object outlives its bucket.
	if src.cipher != nil || p.bucket.dedup == DedupStore || p.from.bucket == p.req.Bucket {
		return true, nil
	}
	admitted := true
	err := p.engine.index.View(ctx, func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.PartsOf(src.rec.Content)) {
			if err != nil {
				return err
			}
			if admitted = p.bucket.admits(entry.Record.Scope); !admitted {
				break
			}
		}
		return nil
	})
	return admitted, err
}

// objectOf makes the record of the copy.
func (p *objectCopy) objectOf(ctx context.Context, src *openedObject) (*index.Object, error) {
	obj := *src.rec
	obj.UploadMAC = nil // it was completed without the client's key, perhaps; it is copied with it
	attributes, tags := p.attributes, p.attributes.Tags
	replaces := p.bucket.rules.selfCopyReplaces && p.ontoItself()
	if p.req.MetadataDirective != DirectiveReplace && !replaces {
		attributes = obj.Attributes
		attributes.StorageClass = p.attributes.StorageClass
		attributes.WebsiteRedirect = p.attributes.WebsiteRedirect
		attributes.Annotations = p.attributes.Annotations
	}
	if attributes.Tags = tags; p.req.TaggingDirective != DirectiveReplace {
		attributes.Tags = obj.Attributes.Tags
	}
	if attributes.Annotations == nil && p.req.ServerSideEncryption == "" && p.ontoItself() {
		attributes.Annotations = obj.Attributes.Annotations
	}
	obj.Attributes = attributes
	if p.bucket.rules.name != src.rules.name {
		err := p.engine.index.View(ctx, func(r index.Reader) error {
			parts, err := partsOf(r, obj.Content)
			obj.ETag = p.bucket.rules.objectETag(ObjectType(obj.Type), parts)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return &obj, p.bucket.rules.checkMetadata(attributes.Metadata)
}

// commit makes obj the object, if everything still is as it must be. prepare is called before what
// the copy replaces is given up, which may be the source. s are the seals of the content of obj.
func (p *objectCopy) commit(tx index.Tx, obj *index.Object, s seals, prepare func() error) error {
	if err := p.bucket.check(tx); err != nil {
		return err
	}
	if err := p.when.check(tx); err != nil {
		return err
	}
	if err := prepare(); err != nil {
		return err
	}
	obj.Modified = p.engine.now()
	s.signObject(p.req.Bucket, p.req.Key, obj)
	return p.engine.putObject(tx, p.req.Bucket, p.req.Key, obj, index.Totals{})
}

// share makes the object another owner of the source's content.
func (p *objectCopy) share(ctx context.Context, src *openedObject, obj *index.Object) error {
	if err := p.engine.checkUndamaged(ctx, src.rec.Content); err != nil {
		return err
	}
	if p.newChecksum(src.rec) {
		sum, err := p.sum(ctx, src)
		if err != nil {
			return err
		}
		p.setChecksum(src.rec, obj, sum)
	}
	return p.engine.index.Update(ctx, func(tx index.Tx) error {
		now, err := p.checkSource(tx, src)
		if err != nil {
			return err
		}
		// Its key may have been wrapped anew meanwhile. The rest is what was verified.
		obj.Encryption.WrappedKey, obj.Encryption.Wrapper = now.Encryption.WrappedKey, now.Encryption.Wrapper
		obj.Encryption.Algorithm = string(p.bucket.rules.algorithm(p.req.ServerSideEncryption))
		return p.commit(tx, obj, src.seals, func() error { return ledger.AddOwner(tx, obj.Content) })
	})
}

// checkSource returns the source as it is now, or errSourceChanged if it is not the opened one any
// more.
func (p *objectCopy) checkSource(r index.Reader, src *openedObject) (*index.Object, error) {
	now, err := findObject(r, p.from.bucket, p.from.key)
	if err != nil {
		return nil, p.from.asSource(err)
	}
	// Attributes may change in place, which leaves Modified as it is.
	if now.Content != src.rec.Content || !now.Modified.Equal(src.rec.Modified) ||
		!reflect.DeepEqual(now.Attributes, src.rec.Attributes) {
		return nil, errSourceChanged
	}
	return now, nil
}

// rewrite copies the parts one by one into a content of its own, under a new data key. Until the
// object names it the content is provisional, so that a crash or an error leaves nothing
// unaccounted for.
func (p *objectCopy) rewrite(
	ctx context.Context, src *openedObject, obj *index.Object,
) (err error) {
	e := p.engine
	if obj.Content, err = newID(); err != nil {
		return err
	}
	var cipher *crypto.Cipher
	obj.Encryption, cipher, err = e.newEncryption(
		ctx, obj.Content, p.bucket.rules, &p.req.EncryptionRequest,
	)
	if err != nil {
		return err
	}
	fresh := e.trash.NewProvisional(obj.Content, index.TrashContent)
	defer fresh.End()
	if err := e.index.Update(ctx, fresh.Begin); err != nil {
		return err
	}
	fresh.Begun()
	var whole hash.Hash
	sum := p.knownSum(src.rec)
	if sum == nil && p.newChecksum(src.rec) {
		whole = p.req.ChecksumAlgorithm.New()
	}
	parts := make([]index.DirectoryPart, src.count)
	for i := range parts {
		part, err := src.part(ctx, i)
		if err != nil {
			return err
		}
		manifest, err := p.rewritePart(ctx, src, part, obj.Content, cipher, whole)
		if err != nil {
			return err
		}
		parts[i] = index.DirectoryPart{Number: uint16(i + 1), Size: part.Size, Manifest: manifest}
	}
	if whole != nil {
		sum = whole.Sum(nil)
	}
	if sum != nil {
		p.setChecksum(src.rec, obj, sum)
	}
	err = e.index.Update(ctx, func(tx index.Tx) error {
		if p.ontoItself() {
			if _, err := p.checkSource(tx, src); errors.Is(err, errSourceChanged) {
				return ErrPreconditionFailed.saying(
					"The object was overwritten while it was copied onto itself.",
				)
			} else if err != nil {
				return err
			}
		}
		s := e.sealsOf(obj.Content, cipher)
		return p.commit(tx, obj, s, func() error {
			return errors.Join(fresh.Name(tx), putDirectory(tx, obj.Content, parts, s))
		})
	})
	if err == nil {
		fresh.Named()
	}
	return err
}

// rewritePart copies one part, and returns the manifest of the copy. Its digests must come out the
// same. whole, if it is not nil, goes on with its bytes.
func (p *objectCopy) rewritePart(
	ctx context.Context,
	src *openedObject,
	part *segment,
	to index.ContentID,
	cipher *crypto.Cipher,
	whole hash.Hash,
) (id index.ManifestID, err error) {
	e := p.engine
	in := src.incoming(ctx, span{start: part.start, length: part.Size})
	in.AddDigest(whole)
	if part.Inline {
		if in.Inline, err = e.inlineLimit(); err != nil {
			return id, err
		}
	}
	d, err := e.newDraft(to, cipher)
	if err != nil {
		return id, err
	}
	defer d.end()
	if err := d.begin(in, &p.bucket); err != nil {
		return id, err
	}
	body, err := e.take(ctx, in, d)
	if err != nil {
		return id, err
	}
	defer e.intake.Release(body)
	if body.MD5 != part.ETag || body.CRC64 != part.CRC64 || body.Size != part.Size {
		return id, &CorruptionError{
			What:  fmt.Sprintf("part %d of %s/%s", part.n+1, p.from.bucket, p.from.key),
			Where: "index",
			Err:   errors.New("its content has other digests than its record"),
		}
	}
	rec := d.record(body, part.Checksum)
	rec.Modified = part.Modified
	d.seals.signPart(part.n+1, rec)
	return d.id, d.publish(ctx, body, func(tx index.Tx, also index.Totals) error {
		_, err := e.trash.PutPart(tx, to, part.n+1, rec, also)
		return err
	})
}
