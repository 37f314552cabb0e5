package engine

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// maxObjectSize is what 10000 parts of 5 GiB make.
const maxObjectSize = MaxPartNumber * MaxPartSize

const ecComplete = "0042-00000203"

// CompleteMultipartUploadRequest names the parts that make the object.
type CompleteMultipartUploadRequest struct {
	Bucket, Key, UploadID string

	// Parts lists the parts in ascending order of number; gaps are allowed. Parts that are not
	// listed are given up.
	Parts []CompletedPart

	// All takes every part uploaded instead; Parts must be empty then.
	All bool

	// Size, if not 0, is what the sizes of the parts must add up to, EmptyBody none; else the call
	// fails with ErrInvalidRequest. It is S3's.
	Size int64

	// Checksum, if given, must be that of the object; else the call fails with ErrBadDigest. A
	// composite Value may do without "-" and the number of parts. One that does not fit the upload is
	// ErrInvalidRequest: another Algorithm or Type, a Value where the upload has no checksums, or a
	// Trailer. It is S3's.
	Checksum Checksum

	// Annotations, if not nil, are added to those that Initiate was told, and replace them where
	// names are the same: OSS's clients say an access control list here. Of an upload under a
	// client's key they need SSECustomerKey, since they are under its MAC.
	Annotations map[string]string

	Preconditions

	// SSECustomerKey is the key that the upload was initiated with, if it was with one. It may be
	// left out, as clients of OSS and S3 do. Without it, whoever can write the disk can have the
	// object made of other parts of the upload, unnoticed, unless the store has
	// Options.AuthenticateRecords; with it the object is protected as others are. See package crypto.
	SSECustomerKey crypto.CustomerKey
}

// A CompletedPart is one entry of the list of parts.
type CompletedPart struct {
	PartNumber int
	ETag       string // as UploadPart returned it; quotes and case are forgiven

	// Checksum is the Value of the part's Checksum, compared if not empty. Under S3's rules it must
	// be there if the upload was initiated with composite checksums; else Complete fails with
	// ErrInvalidRequest.
	Checksum string

	// ChecksumAlgorithm may say of which algorithm the Checksum is: that of the upload, if it has one;
	// else Complete fails with ErrBadDigest.
	ChecksumAlgorithm crypto.ChecksumAlgorithm
}

// CompleteMultipartUploadResult describes the object.
type CompleteMultipartUploadResult struct {
	Bucket string
	Key    string

	// ETag is the hex of an MD5, then "-" and the number of parts. The MD5 is made over the parts'
	// ETags as upper-case hex text, and in upper case itself; under S3's rules over the parts'
	// MD5s, and in lower case.
	ETag         string
	Size         int64     // bytes of all parts
	CRC64        uint64    // CRC-64/XZ of the whole object
	Checksum     Checksum  // if the upload was initiated with an algorithm
	LastModified time.Time // when it was completed
	Encryption
}

// CompleteMultipartUpload makes the object of the listed parts, in one transaction that moves no
// data. The object replaces one of the same name. When it returns without error the object is
// durable; when it fails, the upload stays usable.
//
// The checks come in this order:
//   - the names, and ErrNotImplemented for an IfNoneMatch other than *;
//   - the key of an encrypted upload, if there is such an upload: Options.Keys must give the data
//     key, as S3 demands kms:Decrypt; an SSECustomerKey, if one is given, must be the upload's, else
//     it is ErrInvalidRequest;
//   - ErrNoSuchBucket and ErrNoSuchUpload;
//   - ErrInvalidArgument for both a list and All;
//   - ErrInvalidPartOrder for numbers that do not ascend, or are out of range, which is
//     ErrInvalidArgument under S3's rules;
//   - under S3's rules, of an upload with composite checksums, ErrInvalidRequest for one that is
//     missing in the list;
//   - ErrMalformedXML for an empty list, under OSS's rules only if the upload has parts;
//     ErrInvalidPart; ErrEntityTooSmall for a listed part below the minimum of the bucket's rules
//     that is not the last;
//   - ErrEntityTooLarge; ErrInvalidRequest for another Size; ErrInvalidRequest and ErrInvalidArgument
//     for Annotations; ErrInvalidRequest and ErrBadDigest for the Checksum;
//   - the Preconditions: ErrFileAlreadyExists, ErrNoSuchKey and ErrPreconditionFailed.
//
// A second Complete fails with ErrNoSuchUpload, as in OSS; under S3's rules it succeeds, see Rules.
// On a disk that is filled up to Options.ReserveSpace an upload can still be completed.
func (e *Engine) CompleteMultipartUpload(
	ctx context.Context, req *CompleteMultipartUploadRequest,
) (_ *CompleteMultipartUploadResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{
		op: "CompleteMultipartUpload", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID,
	})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return nil, err
	}
	if err := req.Preconditions.validate(); err != nil {
		return nil, err
	}
	obj, err := e.completeWithKey(ctx, req)
	if err != nil {
		return nil, err
	}
	e.worker.wake()
	return &CompleteMultipartUploadResult{
		Bucket: req.Bucket, Key: req.Key,
		ETag: obj.ETag, Size: obj.Size, CRC64: obj.CRC64, Checksum: objectChecksum(obj), LastModified: obj.Modified,
		Encryption: encryptionOf(&obj.Encryption),
	}, nil
}

// completionKey is what makes the MACs of the object of an upload.
type completionKey struct {
	cipher *crypto.Cipher // nil without encryption
	absent bool           // the client's key is not given
}

// seals returns those of a content that is under the key.
func (k *completionKey) seals(e *Engine, id index.ContentID) seals {
	if k.absent {
		return e.sealsWithoutKey(id)
	}
	return e.sealsOf(id, k.cipher)
}

const (
	// completesAtOnce bounds how many calls may have many parts in memory, which are up to 10000: some
	// 5 MiB.
	completesAtOnce = 16
	manyParts       = 1000
)

// completeWithKey gets the key, which a transaction cannot wait for. Then it does all in a snapshot
// that can be done there: all who write wait while a transaction looks at thousands of parts, and a
// client can have a call refused as often as it likes. The transaction makes sure that what was
// seen is so still. If the data key is wrapped anew in between it is the same one still.
func (e *Engine) completeWithKey(
	ctx context.Context, req *CompleteMultipartUploadRequest,
) (obj *index.Object, err error) {
	key, err := e.completionKey(ctx, req)
	if err != nil {
		return nil, err
	}
	select {
	case e.completes <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	leave := sync.OnceFunc(func() { <-e.completes })
	defer leave()
	c := completion{engine: e, req: req, key: key}
	if obj, err = c.look(ctx); err != nil || obj != nil {
		return obj, err
	}
	if len(c.seen.uploaded) < manyParts {
		leave()
	}
	err = e.index.Update(ctx, func(tx index.Tx) (err error) {
		obj, err = c.commit(tx)
		return err
	})
	return obj, err
}

// A completion is one Complete under way.
type completion struct {
	engine *Engine
	req    *CompleteMultipartUploadRequest
	key    completionKey

	up   *openUpload // as it was seen in a snapshot
	seen selectedParts
}

// look does all in a snapshot that can be done there, and fails as a transaction would. It returns
// the answer if the upload was completed before and is remembered, and else nil.
func (c *completion) look(ctx context.Context) (answer *index.Object, err error) {
	err = c.engine.index.View(ctx, func(r index.Reader) (err error) {
		if r, err = index.Prefetch(r, c.wanted()); err != nil {
			return err
		}
		if c.up, answer, err = c.uploadToComplete(r); err != nil || answer != nil {
			return err
		}
		c.seen, err = c.selectParts(r, c.up)
		return err
	})
	return answer, err
}

// wanted is what a snapshot is going to read.
func (c *completion) wanted() (w index.Wanted) {
	w.Keys = uploadKeysOf(c.req.Bucket, c.req.Key, c.req.UploadID)
	when := c.overwriting()
	w.Keys = append(w.Keys, when.keys()...)
	if id, ok := index.ParseContentID(c.req.UploadID); ok {
		w.Ranges = []index.Bounds{index.PartsOf(id).Bounds()}
	}
	return w
}

// completionKey looks at the upload and gets its key. Where there is no upload, it is for the
// transaction to say so. Without the look there is no key: the transaction would take an encrypted
// upload for a forged one.
func (e *Engine) completionKey(
	ctx context.Context, req *CompleteMultipartUploadRequest,
) (key completionKey, err error) {
	up, err := e.lookUpload(ctx, req.Bucket, req.Key, req.UploadID)
	if _, refused := errors.AsType[*Error](err); refused {
		return key, nil
	}
	if err != nil {
		return key, err
	}
	if up.Encryption.Customer && req.SSECustomerKey == nil {
		key.absent = true
		return key, nil
	}
	at := partPlace{bucket: req.Bucket, key: req.Key, uploadID: req.UploadID}
	key.cipher, err = e.cipherOfUpload(ctx, at, up, req.SSECustomerKey)
	return key, err
}

// verify compares the MACs of the upload and of the parts listed, and the MD5 of all with the state
// that it is sealed in.
func (k *completionKey) verify(
	req *CompleteMultipartUploadRequest, up *openUpload, s seals, uploaded, listed []numberedPart,
) error {
	for i := range listed {
		if err := s.part(listed[i].number, &listed[i].Part); err != nil {
			return err
		}
	}
	if !up.Sequential || k.cipher == nil || len(uploaded) == 0 {
		return nil
	}
	whole, err := resumeMD5(up, uploaded[len(uploaded)-1].number+1, k.cipher)
	if err == nil && !bytes.Equal(whole.Sum(nil), up.MD5) {
		err = &CorruptionError{
			What: "the MD5 of upload " + req.UploadID, Where: "index",
			Err: errors.New("it is not that of its sealed state"),
		}
	}
	return err
}

// commit does it inside a transaction.
func (c *completion) commit(tx index.Tx) (*index.Object, error) {
	up, answer, err := c.uploadToComplete(tx)
	if err != nil || answer != nil {
		return answer, err
	}
	parts := c.seen
	same := up.bucket.generation == c.up.bucket.generation && reflect.DeepEqual(up.Upload, c.up.Upload)
	if same {
		same, err = c.seen.areThose(tx, up.id)
	}
	if err == nil && !same {
		parts, err = c.selectParts(tx, up)
	}
	if err == nil {
		err = c.checkReplaced(tx)
	}
	if err != nil {
		return nil, err
	}
	return c.putCompleted(tx, up, parts)
}

// uploadToComplete returns the upload, if the request fits it as far as can be said without its
// parts; or the answer, if it was completed before and is remembered.
func (c *completion) uploadToComplete(
	r index.Reader,
) (up *openUpload, answer *index.Object, err error) {
	req := c.req
	up, err = findUpload(r, req.Bucket, req.Key, req.UploadID)
	contradiction := req.All && len(req.Parts) > 0
	if errors.Is(err, ErrNoSuchUpload) && !contradiction {
		answer, err = c.engine.replay(r, req)
		return nil, answer, ecForUpload(err, ecComplete)
	}
	if err != nil {
		return nil, nil, ecForUpload(err, ecComplete)
	}
	if contradiction {
		// The message is OSS's, as it is spelled there.
		return nil, nil, ErrInvalidArgument.saying(
			"Should not speficy both complete all header and http body.",
		).ec("0042-00000216").about("All", "yes")
	}
	if err := c.key.seals(c.engine, up.id).upload(req.Bucket, req.Key, &up.Upload); err != nil {
		return nil, nil, err
	}
	if err := up.bucket.rules.checkOrder(req.Parts); err != nil {
		return nil, nil, err
	}
	return up, nil, checkSummed(req.Parts, up)
}

// selectParts finds and verifies the parts that the request lists, and makes sure that the object
// of them is the one that the request means and may be put.
func (c *completion) selectParts(r index.Reader, up *openUpload) (p selectedParts, err error) {
	if err = p.read(r, c.req, up); err != nil {
		return p, err
	}
	s := c.key.seals(c.engine, up.id)
	if err := c.key.verify(c.req, up, s, p.uploaded, p.listed); err != nil {
		return p, err
	}
	if p.obj, err = c.engine.objectOf(up, p.uploaded, p.listed); err != nil {
		return p, err
	}
	if err := c.req.checkSize(p.obj.Size); err != nil {
		return p, err
	}
	if err := c.req.annotate(&p.obj.Attributes, c.key); err != nil {
		return p, err
	}
	if err := checkObjectChecksum(c.req.Checksum, p.obj); err != nil {
		return p, err
	}
	return p, c.checkReplaced(r)
}

// checkReplaced judges the object that is there.
func (c *completion) checkReplaced(r index.Reader) error {
	when := c.overwriting()
	err := when.check(r)
	if errors.Is(err, ErrFileAlreadyExists) {
		err = ErrFileAlreadyExists.ec("0042-00000214")
	}
	return err
}

func (c *completion) overwriting() overwriting {
	return overwriting{c.req.Bucket, c.req.Key, c.req.Preconditions}
}

// putCompleted makes the object of the parts, in place of the upload.
func (c *completion) putCompleted(
	tx index.Tx, up *openUpload, p selectedParts,
) (obj *index.Object, err error) {
	e, req := c.engine, c.req
	made := *p.obj
	obj = &made
	obj.Modified = e.now() // not when it was looked at
	if obj.Content, err = e.separate(tx, up.id, c.key, p.uploaded, p.listed); err != nil {
		return nil, err
	}
	if c.key.absent {
		obj.UploadMAC = up.MAC // for those who have the key, to read the object
	}
	s := c.key.seals(e, obj.Content)
	err = putDirectory(tx, obj.Content, directoryParts(p.listed), s.ofDirectory(obj))
	if err != nil {
		return nil, err
	}
	if err := endUpload(tx, req.Bucket, req.Key, up); err != nil {
		return nil, err
	}
	s.signObject(req.Bucket, req.Key, obj)
	if err := e.remember(tx, req, up, p.listed, obj); err != nil {
		return nil, err
	}
	return obj, e.putObject(tx, req.Bucket, req.Key, obj, index.Totals{})
}

// annotate adds the annotations of the request.
func (req *CompleteMultipartUploadRequest) annotate(a *index.Attributes, key completionKey) error {
	if req.Annotations == nil {
		return nil
	}
	if key.absent {
		return ErrInvalidRequest.saying("Annotations need SSECustomerKey.")
	}
	all := make(map[string]string, len(a.Annotations)+len(req.Annotations))
	maps.Copy(all, a.Annotations)
	maps.Copy(all, req.Annotations)
	a.Annotations = all
	return checkAnnotations(all)
}

// checkSize compares the size that the request gives, if it does, with the object's.
func (req *CompleteMultipartUploadRequest) checkSize(size int64) error {
	given := req.Size
	if given == EmptyBody {
		given = 0
	}
	if req.Size == 0 || given == size {
		return nil
	}
	return ErrInvalidRequest.saying("The parts have %d bytes together, Size is %d.", size, given).
		about("Size", given).sized(size, 0)
}

// objectOf makes the record of the object of the listed parts, but for its content and the time.
func (e *Engine) objectOf(up *openUpload, uploaded, listed []numberedPart) (*index.Object, error) {
	sum, err := checksumOfParts(up.Checksum, listed)
	if err != nil {
		return nil, err
	}
	obj := &index.Object{
		Type: string(ObjectMultipart), ETag: up.bucket.rules.multipartETag(listed),
		CRC64: combinedCRC64(listed), Parts: len(listed),
		Checksum: sum, Attributes: up.Attributes, Encryption: up.Encryption,
	}
	for _, p := range listed {
		obj.Size += p.Size
	}
	if obj.Size > maxObjectSize {
		return nil, ErrEntityTooLarge.saying(
			"The object would have %d bytes, the limit is %d.", obj.Size, int64(maxObjectSize),
		).sized(obj.Size, maxObjectSize)
	}
	// The MD5 covers all parts; of fewer nobody knows it.
	if up.Sequential && len(listed) == len(uploaded) {
		if obj.MD5 = up.MD5; len(uploaded) == 0 {
			obj.MD5 = md5.New().Sum(nil)
		}
	}
	return obj, nil
}

// separate parts the listed parts from the others, which it discards, and returns the content that
// holds the listed ones. Whichever group is smaller moves to a content of its own, which keeps the
// transaction of 10000 parts small.
func (e *Engine) separate(
	tx index.Tx, id index.ContentID, key completionKey, uploaded, listed []numberedPart,
) (index.ContentID, error) {
	if len(listed) == len(uploaded) {
		return id, nil
	}
	fresh, err := newID()
	if err != nil {
		return id, err
	}
	others := without(uploaded, listed)
	if len(others) <= len(listed) {
		return id, errors.Join(
			moveParts(tx, id, fresh, others), e.discardParts(tx, fresh, others),
		)
	}
	listed = slices.Clone(listed)
	key.seals(e, fresh).signMoved(listed)
	return fresh, errors.Join(moveParts(tx, id, fresh, listed), e.discardParts(tx, id, others))
}
