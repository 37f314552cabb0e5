package engine

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"maps"
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

// completeWithKey gets the key, which a transaction cannot wait for, and then runs the transaction.
// If the data key is wrapped anew in between it is the same one still.
func (e *Engine) completeWithKey(
	ctx context.Context, req *CompleteMultipartUploadRequest,
) (obj *index.Object, err error) {
	key, err := e.completionKey(ctx, req)
	if err != nil {
		return nil, err
	}
	err = e.index.Update(ctx, func(tx index.Tx) (err error) {
		obj, err = e.complete(tx, req, key)
		return err
	})
	return obj, err
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

// complete does it inside a transaction.
func (e *Engine) complete(
	tx index.Tx, req *CompleteMultipartUploadRequest, key completionKey,
) (*index.Object, error) {
	up, err := findUpload(tx, req.Bucket, req.Key, req.UploadID)
	contradiction := req.All && len(req.Parts) > 0
	if errors.Is(err, ErrNoSuchUpload) && !contradiction {
		obj, err := e.replay(tx, req)
		return obj, ecForUpload(err, ecComplete)
	}
	if err != nil {
		return nil, ecForUpload(err, ecComplete)
	}
	if contradiction {
		// The message is OSS's, as it is spelled there.
		return nil, ErrInvalidArgument.saying(
			"Should not speficy both complete all header and http body.",
		).ec("0042-00000216").about("All", "yes")
	}
	s := key.seals(e, up.id)
	if err := s.upload(req.Bucket, req.Key, &up.Upload); err != nil {
		return nil, err
	}
	uploaded, err := partsOf(tx, up.id)
	if err != nil {
		return nil, err
	}
	listed, err := selectParts(req, uploaded, up)
	if err != nil {
		return nil, err
	}
	if err := key.verify(req, up, s, uploaded, listed); err != nil {
		return nil, err
	}
	obj, err := e.objectOf(up, uploaded, listed)
	if err != nil {
		return nil, err
	}
	if err := req.checkSize(obj.Size); err != nil {
		return nil, err
	}
	if err := req.annotate(&obj.Attributes, key); err != nil {
		return nil, err
	}
	if err := checkObjectChecksum(req.Checksum, obj); err != nil {
		return nil, err
	}
	when := overwriting{req.Bucket, req.Key, req.Preconditions}
	if err := when.check(tx); err != nil {
		if errors.Is(err, ErrFileAlreadyExists) {
			err = ErrFileAlreadyExists.ec("0042-00000214")
		}
		return nil, err
	}
	if obj.Content, err = e.separate(tx, up.id, key, uploaded, listed); err != nil {
		return nil, err
	}
	if key.absent {
		obj.UploadMAC = up.MAC // for those who have the key, to read the object
	}
	s = key.seals(e, obj.Content)
	if err := putDirectory(tx, obj.Content, directoryParts(listed), s.ofDirectory(obj)); err != nil {
		return nil, err
	}
	if err := endUpload(tx, req.Bucket, req.Key, up); err != nil {
		return nil, err
	}
	s.signObject(req.Bucket, req.Key, obj)
	if err := e.remember(tx, req, up, listed, obj); err != nil {
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

// objectOf makes the record of the object of the listed parts, but for its content.
func (e *Engine) objectOf(up *openUpload, uploaded, listed []numberedPart) (*index.Object, error) {
	sum, err := checksumOfParts(up.Checksum, listed)
	if err != nil {
		return nil, err
	}
	obj := &index.Object{
		Type: string(ObjectMultipart), ETag: up.bucket.rules.multipartETag(listed), CRC64: combinedCRC64(listed), Parts: len(listed),
		Checksum: sum,
		Modified: e.now(), Attributes: up.Attributes, Encryption: up.Encryption,
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

// A numberedPart is a part's record with its number.
type numberedPart struct {
	number int
	index.Part
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
func selectParts(
	req *CompleteMultipartUploadRequest, uploaded []numberedPart, up *openUpload,
) ([]numberedPart, error) {
	if err := up.bucket.rules.checkOrder(req.Parts); err != nil {
		return nil, err
	}
	if err := checkSummed(req.Parts, up); err != nil {
		return nil, err
	}
	listed := uploaded
	if !req.All {
		if len(req.Parts) == 0 && len(uploaded) > 0 {
			return nil, ErrMalformedXML.saying(
				"Parts is empty, but the upload has %d parts; set All to take them.", len(uploaded),
			)
		}
		var err error
		if listed, err = matchParts(req.Parts, uploaded); err != nil {
			return nil, err
		}
	}
	if len(listed) == 0 && !up.bucket.rules.emptyList {
		return nil, ErrMalformedXML.saying("An object needs at least one part.")
	}
	smallest := up.bucket.rules.minPartSize
	for i, p := range listed {
		if p.Size < smallest && i < len(listed)-1 {
			small := ErrEntityTooSmall.saying(
				"%s Part %d has %d bytes, all but the last must have at least %d.",
				ErrEntityTooSmall.Message, p.number, p.Size, smallest,
			).sized(p.Size, smallest)
			small.PartNumber, small.ETag = p.number, up.bucket.rules.etag(p.ETag)
			return nil, small
		}
	}
	return listed, nil
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

// matchParts finds each listed part among those uploaded, by number, ETag and, where it is given,
// checksum. Both are in ascending order.
func matchParts(list []CompletedPart, uploaded []numberedPart) ([]numberedPart, error) {
	listed := make([]numberedPart, 0, len(list))
	for _, want := range list {
		for len(uploaded) > 0 && uploaded[0].number < want.PartNumber {
			uploaded = uploaded[1:]
		}
		if len(uploaded) == 0 || !uploaded[0].is(want) {
			invalid := *ErrInvalidPart
			invalid.PartNumber, invalid.ETag = want.PartNumber, repeated(want.ETag)
			return nil, &invalid
		}
		listed = append(listed, uploaded[0])
	}
	return listed, nil
}

// is says whether the part is the one that a list means.
func (p *numberedPart) is(want CompletedPart) bool {
	return p.number == want.PartNumber && ruleSets[OSS].etag(p.ETag) == normalETag(want.ETag) &&
		(want.Checksum == "" || want.Checksum == base64.StdEncoding.EncodeToString(p.Checksum))
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
	key.seals(e, fresh).signMoved(listed)
	return fresh, errors.Join(moveParts(tx, id, fresh, listed), e.discardParts(tx, id, others))
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

// discardParts queues a content that has these parts for the sweeping.
func (e *Engine) discardParts(tx index.Tx, id index.ContentID, parts []numberedPart) error {
	var bytes int64
	for i := range parts {
		bytes += parts[i].Size
	}
	return e.trash.DiscardContent(tx, id, len(parts), bytes)
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
