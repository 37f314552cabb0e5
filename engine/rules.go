package engine

import (
	"crypto/md5"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rules name the service whose semantics a bucket follows: OSS or S3. A bucket gets its rules when
// it is created and keeps them, also when the store is opened with other Options. Empty Rules mean
// the default where there is one; others are refused.
type Rules string

const (
	// OSS are the rules of Alibaba Cloud OSS.
	//
	// Listed parts other than the last have at least 100 KiB. Keys have at most 1023 bytes, else
	// they fail with ErrInvalidObjectName, and do not begin with / or \. User metadata has at most
	// 8 KiB, names and values together. ETags are in upper case, and that of a multipart object is
	// made over the text of the parts' ETags. CompleteMultipartUpload of an upload without parts
	// makes an empty object; a second one fails with ErrNoSuchUpload. The order of upload ids says
	// nothing. A Content-MD5 or CRC-64 that is not the body's is ErrInvalidDigest or
	// ErrInvalidCRC64; a body of PutObject over 5 GiB is ErrInvalidArgument. A range that does not
	// fit is ignored, and so is a malformed SourceRange; IfNoneMatch and IfModifiedSince of a copy
	// fail with ErrNotModified. CopyObject onto itself replaces headers and metadata, whatever is said.
	//
	// Content-Type is application/octet-stream if none is given. Names of metadata are letters,
	// digits and -. Tags are letters and digits of any script, space and + - = . _ : /. A page of
	// ListObjects has 100 entries unless the request says more. A bucket with open uploads is not
	// deleted.
	OSS Rules = "OSS"

	// S3 are the rules of Amazon S3, where they differ.
	//
	// Listed parts other than the last have at least 5 MiB. Keys have at most 1024 bytes, else they
	// fail with ErrKeyTooLong, and begin with anything. User metadata has at most 2 KiB. ETags are
	// in lower case, and that of a multipart object is made over the parts' MD5s as bytes.
	// CompleteMultipartUpload needs a part; a second one with the same list succeeds with the
	// result of the first, for an hour and the latest 65536 uploads. The ids of the uploads of one
	// key sort in the order of their initiation. A digest that is not the body's is ErrBadDigest; a
	// body of PutObject over 5 GiB is ErrEntityTooLarge. Ranges are treated as with RangeStandard,
	// and UploadPartCopy refuses a SourceRange that is malformed or reaches beyond the source. All
	// conditions of a copy fail with ErrPreconditionFailed.
	//
	// Content-Type is binary/octet-stream if none is given. Names of metadata may have _ and ., too;
	// too much of it is ErrMetadataTooLarge. The storage classes are S3's, and another one is
	// ErrInvalidStorageClass. Tags are letters, digits and spaces of any script, and + - = . _ : / @.
	// KMS is called "aws:kms". Complete of an upload with composite checksums must be given those
	// of the parts, and a part number out of range in its list is ErrInvalidArgument. CopyObject
	// onto itself that would change nothing is ErrInvalidRequest. DeleteBucket aborts open uploads.
	// Pages of listings have 1000 entries at most, whatever more is asked for, and none for Zero.
	S3 Rules = "S3"
)

// MinPartSize is the smallest size in bytes of a listed part other than the last, checked by
// CompleteMultipartUpload only. It is 0 for rules that are not known, as are the other limits.
func (r Rules) MinPartSize() int64 { return ruleSets[r].minPartSize }

// MaxKeyLength bounds an object's name, in bytes.
func (r Rules) MaxKeyLength() int { return ruleSets[r].maxKeyLength }

// MaxMetadata bounds the user metadata of an object in bytes, names and values together.
func (r Rules) MaxMetadata() int { return ruleSets[r].maxMetadata }

// validate accepts the Rules of this package only.
func (r Rules) validate() error {
	if _, ok := ruleSets[r]; !ok {
		return fmt.Errorf("Rules %q are not known; use engine.OSS or engine.S3", string(r))
	}
	return nil
}

// A ruleSet is what Rules mean.
type ruleSet struct {
	name         Rules
	minPartSize  int64
	maxKeyLength int
	maxMetadata  int
	defaultKeys  int // entries of a page of ListObjects, if the request does not say how many

	contentType   string              // of an object of which none is said
	classes       []StorageClass      // the first is that of an object of which none is said
	kms           EncryptionAlgorithm // what KMS is called
	metadataSigns string              // that names of metadata may have beside letters and digits
	inTags        func(rune) bool     // what tags are made of

	unknownClass     *Error // for another storage class
	metadataTooLarge *Error
	listedNumber     *Error // for a part number out of range in the list of Complete

	keyTooLong       bool // a longer key is ErrKeyTooLong, not ErrInvalidObjectName
	leadingSlash     bool // a key may begin with / or \
	binaryETags      bool // in lower case; of a multipart object over the parts' MD5s as bytes, not as hex
	emptyList        bool // Complete makes an empty object of an upload without parts
	repeatComplete   bool // a second Complete with the same list succeeds; see replay.go
	orderedUploadIDs bool // the ids of the uploads of one key sort by their initiation
	badDigest        bool // a digest that is not the body's is ErrBadDigest, not one of its own
	entityTooLarge   bool // a body of PutObject over the limit is ErrEntityTooLarge, not ErrInvalidArgument
	standardRanges   bool // a range that does not fit is an error, not ignored
	copyNotModified  bool // IfNoneMatch and IfModifiedSince of a copy fail with ErrNotModified
	copyMustChange   bool // a copy onto itself that changes nothing is ErrInvalidRequest
	selfCopyReplaces bool // a copy onto itself has the metadata of the request, whatever the directive
	partChecksums    bool // Complete must be given the checksums that a composite one is made of
	deleteUploads    bool // DeleteBucket aborts open uploads instead of failing
	anyPageSize      bool // a page may have Zero entries, and one of more than MaxListing has that many
}

var ruleSets = map[Rules]ruleSet{
	OSS: {
		name:         OSS,
		minPartSize:  100 << 10,
		maxKeyLength: 1023,
		maxMetadata:  8 << 10,
		defaultKeys:  100,
		contentType:  "application/octet-stream",
		classes: []StorageClass{
			StorageStandard, StorageIA, StorageArchive, StorageColdArchive, StorageDeepColdArchive,
		},
		kms:              EncryptionKMS,
		metadataSigns:    "-",
		inTags:           inTagsOfOSS,
		unknownClass:     ErrInvalidArgument,
		metadataTooLarge: ErrInvalidArgument,
		listedNumber:     ErrInvalidPartOrder,
		emptyList:        true,
		copyNotModified:  true,
		selfCopyReplaces: true,
	},
	S3: {
		name:         S3,
		minPartSize:  5 << 20,
		maxKeyLength: 1024,
		maxMetadata:  2 << 10,
		defaultKeys:  MaxListing,
		contentType:  "binary/octet-stream",
		classes: []StorageClass{
			StorageS3Standard, StorageReducedRedundancy, StorageStandardIA, StorageOneZoneIA,
			StorageIntelligentTiering, StorageGlacier, StorageDeepArchive, StorageGlacierIR,
		},
		kms:              EncryptionAWSKMS,
		metadataSigns:    "-_.",
		inTags:           inTagsOfS3,
		unknownClass:     ErrInvalidStorageClass,
		metadataTooLarge: ErrMetadataTooLarge,
		listedNumber:     ErrInvalidArgument.ec(ecPartNumber),
		copyMustChange:   true,
		partChecksums:    true,
		deleteUploads:    true,
		anyPageSize:      true,
		keyTooLong:       true,
		leadingSlash:     true,
		binaryETags:      true,
		repeatComplete:   true,
		orderedUploadIDs: true,
		badDigest:        true,
		entityTooLarge:   true,
		standardRanges:   true,
	},
}

// Limits that hold under all rules.
const (
	MaxPartNumber = 10000   // part numbers begin at 1
	MaxPartSize   = 5 << 30 // bytes of a part, and of a body of PutObject
	MaxListing    = 1000    // entries of one page of a listing, but of one of buckets

	MaxBucketListing = 10000 // entries of one page of ListBuckets
)

// Zero is an explicit 0 in fields of requests whose zero value means "not given": the size of a
// page, and the number of a part to read. EmptyBody is the same for sizes of bodies and objects.
const Zero = math.MinInt

// checkKey checks an object's name.
func (r ruleSet) checkKey(key string) error {
	switch {
	case key == "":
		return ErrInvalidObjectName.saying("The object name can not be empty.")
	case len(key) > r.maxKeyLength && r.keyTooLong:
		return ErrKeyTooLong.saying(
			"Your key is too long: it has %d bytes, the limit is %d.", len(key), r.maxKeyLength,
		).sized(int64(len(key)), int64(r.maxKeyLength))
	case len(key) > r.maxKeyLength:
		return ErrInvalidObjectName.saying(
			"The Length of Object name must be less than %d.", r.maxKeyLength+1,
		)
	case !r.leadingSlash && (key[0] == '/' || key[0] == '\\') || !utf8.ValidString(key):
		return ErrInvalidObjectName.saying("The specified object is not valid.")
	}
	return nil
}

// checkMetadata checks the size of user metadata.
func (r ruleSet) checkMetadata(metadata map[string]string) error {
	total := 0
	for name, value := range metadata {
		total += len(name) + len(value)
	}
	if total > r.maxMetadata {
		e := r.metadataTooLarge.saying(
			"Metadata has %d bytes, must be at most %d.", total, r.maxMetadata,
		)
		return e.about("Metadata", fmt.Sprint(total, " bytes")).
			sized(int64(total), int64(r.maxMetadata))
	}
	return nil
}

// inTagsOfOSS are letters and digits of any script, space and + - = . _ : /.
func inTagsOfOSS(c rune) bool {
	return c != utf8.RuneError && unicode.In(c, unicode.L, unicode.N) ||
		strings.ContainsRune(" +-=._:/", c)
}

// inTagsOfS3 are letters, digits and spaces of any script, and + - = . _ : / @.
func inTagsOfS3(c rune) bool {
	return c != utf8.RuneError && unicode.In(c, unicode.L, unicode.N, unicode.Z) ||
		strings.ContainsRune("+-=._:/@", c)
}

// algorithm is the name that the rules have for an algorithm.
func (r ruleSet) algorithm(a EncryptionAlgorithm) EncryptionAlgorithm {
	if a.isKMS() {
		return r.kms
	}
	return a
}

// pageSize checks how many entries a page of a listing may have, and fills in the default.
func (r ruleSet) pageSize(field string, n, byDefault int) (int, error) {
	switch {
	case n == Zero && r.anyPageSize:
		return 0, nil
	case n == 0 || n == Zero:
		return byDefault, nil
	case n > MaxListing && r.anyPageSize:
		return MaxListing, nil
	case n < 0 || n > MaxListing:
		return 0, ErrInvalidArgument.saying("%s is %d, must be 0 to %d.", field, n, MaxListing).
			about(field, n)
	}
	return n, nil
}

// etag is the ETag of a body with this MD5.
func (r ruleSet) etag(sum [16]byte) string {
	if r.binaryETags {
		return fmt.Sprintf("%x", sum[:])
	}
	return fmt.Sprintf("%X", sum[:])
}

// multipartETag is the ETag of an object of these parts, which covers their number.
func (r ruleSet) multipartETag(parts []numberedPart) string {
	sum := md5.New()
	for _, p := range parts {
		if r.binaryETags {
			sum.Write(p.ETag[:])
		} else {
			text := upperHex(p.ETag)
			sum.Write(text[:])
		}
	}
	return fmt.Sprintf("%s-%d", r.etag([16]byte(sum.Sum(nil))), len(parts))
}

// objectETag is the ETag of an object of this type and these parts.
func (r ruleSet) objectETag(kind ObjectType, parts []numberedPart) string {
	if kind == ObjectNormal && len(parts) == 1 {
		return r.etag(parts[0].ETag)
	}
	return r.multipartETag(parts)
}

// digestMismatch is the error for a digest that is not the body's; otherwise says which it is where
// there is a code of its own for each.
func (r ruleSet) digestMismatch(otherwise *Error) error {
	if r.badDigest {
		return ErrBadDigest
	}
	return otherwise
}

// putTooLarge is the error for a body of PutObject over the limit.
func (r ruleSet) putTooLarge() *Error {
	if r.entityTooLarge {
		return ErrEntityTooLarge
	}
	return ErrInvalidArgument
}

// copyCondition is the error for a condition of a copy that does not hold.
func (r ruleSet) copyCondition(err error) error {
	var e *Error
	if !r.copyNotModified && errors.As(err, &e) && errors.Is(e, ErrNotModified) {
		return ErrPreconditionFailed.unmet(e.Condition)
	}
	return err
}
