package engine

import (
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gabion-storage/gabion/index"
)

// Rules are what differs between the services whose semantics a bucket follows. A bucket gets its
// rules when it is created and keeps them, also when the store is opened with other Options. The
// values are OSS and S3; others are refused.
type Rules struct {
	// Name is stored with the bucket.
	Name string

	// MinPartSize is the smallest size in bytes of a listed part other than the last, checked by
	// CompleteMultipartUpload only.
	MinPartSize int64

	// MaxKeyLength bounds an object's name in bytes. KeyTooLong gives a longer one the code
	// KeyTooLongError; otherwise it is InvalidObjectName. LeadingSlash lets a name begin with / or \.
	MaxKeyLength int
	KeyTooLong   bool
	LeadingSlash bool

	// MaxMetadata bounds the user metadata in bytes, names and values together.
	MaxMetadata int

	// BinaryETags makes the ETag of a multipart object over the parts' digests as bytes, and gives
	// all ETags out in lower case. Otherwise it is made over the digests as upper-case hex text, and
	// ETags are in upper case.
	BinaryETags bool

	// EmptyList lets CompleteMultipartUpload make an empty object of an upload without parts.
	EmptyList bool

	// RepeatComplete makes a second CompleteMultipartUpload with the same list succeed with the
	// result of the first, for an hour and the latest 65536 uploads. Otherwise it fails with
	// ErrNoSuchUpload.
	RepeatComplete bool

	// OrderedUploadIDs makes the ids of the uploads of one key sort by their time of initiation.
	// Otherwise their order says nothing.
	OrderedUploadIDs bool

	// BadDigest gives a Content-MD5 or CRC-64 that is not the body's the code BadDigest. Otherwise it
	// is InvalidDigest or InvalidCRC64. A malformed one is InvalidDigest in any case.
	BadDigest bool

	// EntityTooLarge gives a body of PutObject over 5 GiB that code, which such a part has in any
	// case. Otherwise it is InvalidArgument.
	EntityTooLarge bool

	// StandardRanges makes GetObject treat a Range as with RangeBehavior "standard", and
	// UploadPartCopy refuse a SourceRange that is malformed or reaches beyond the source. Otherwise
	// the whole object is taken.
	StandardRanges bool

	// CopyNotModified makes IfNoneMatch and IfModifiedSince of a copy fail with ErrNotModified.
	// Otherwise it is ErrPreconditionFailed.
	CopyNotModified bool
}

// OSS are the rules of Alibaba Cloud OSS: parts of at least 100 KiB, ETags in upper case, the
// object's ETag made over the text of the part ETags, a repeated Complete fails with NoSuchUpload.
var OSS = Rules{
	Name:            "OSS",
	MinPartSize:     100 << 10,
	MaxKeyLength:    1023,
	MaxMetadata:     8 << 10,
	EmptyList:       true,
	CopyNotModified: true,
}

// S3 are the rules of Amazon S3, where they differ: parts of at least 5 MiB, ETags in lower case and
// made over bytes, a Complete that can be repeated, upload ids in the order of initiation.
var S3 = Rules{
	Name:             "S3",
	MinPartSize:      5 << 20,
	MaxKeyLength:     1024,
	KeyTooLong:       true,
	LeadingSlash:     true,
	MaxMetadata:      2 << 10,
	BinaryETags:      true,
	RepeatComplete:   true,
	OrderedUploadIDs: true,
	BadDigest:        true,
	EntityTooLarge:   true,
	StandardRanges:   true,
}

// Limits that hold under all rules.
const (
	MaxPartNumber = 10000   // part numbers begin at 1
	MaxPartSize   = 5 << 30 // bytes of a part, and of a body of PutObject
	MaxListing    = 1000    // entries of one page of a listing
)

// validate accepts the values of this package only: a bucket stores no more than the name.
func (r Rules) validate() error {
	if known, ok := rulesNamed(r.Name); !ok || r != known {
		return fmt.Errorf("Rules %q are not known; use engine.OSS or engine.S3", r.Name)
	}
	return nil
}

// rulesNamed returns the rules that a bucket's record names.
func rulesNamed(name string) (Rules, bool) {
	for _, r := range []Rules{OSS, S3} {
		if r.Name == name {
			return r, true
		}
	}
	return Rules{}, false
}

// bucketRules returns the rules of a bucket, or ErrNoSuchBucket.
func bucketRules(r index.Reader, bucket string) (Rules, error) {
	b, err := findBucket(r, bucket)
	return b.Rules, err
}

// keyRules returns the rules of a bucket that allow objects of this name.
func keyRules(r index.Reader, bucket, key string) (Rules, error) {
	rules, err := bucketRules(r, bucket)
	if err != nil {
		return Rules{}, err
	}
	return rules, rules.checkKey(key)
}

// checkKey checks an object's name.
func (r Rules) checkKey(key string) error {
	switch {
	case key == "":
		return ErrInvalidObjectName.saying("The object name can not be empty.")
	case len(key) > r.MaxKeyLength && r.KeyTooLong:
		return ErrKeyTooLong.saying("Your key is too long: it has %d bytes, the limit is %d.", len(key), r.MaxKeyLength)
	case len(key) > r.MaxKeyLength:
		return ErrInvalidObjectName.saying("The Length of Object name must be less than %d.", r.MaxKeyLength+1)
	case !r.LeadingSlash && (key[0] == '/' || key[0] == '\\') || !utf8.ValidString(key):
		return ErrInvalidObjectName.saying("The specified object is not valid.")
	}
	return nil
}

// checkMetadata checks the size of user metadata.
func (r Rules) checkMetadata(metadata map[string]string) error {
	total := 0
	for name, value := range metadata {
		total += len(name) + len(value)
	}
	if total > r.MaxMetadata {
		return ErrInvalidArgument.saying("Metadata has %d bytes, must be at most %d.", total, r.MaxMetadata)
	}
	return nil
}

// etag is the ETag of a body with this MD5.
func (r Rules) etag(sum [16]byte) string {
	if r.BinaryETags {
		return fmt.Sprintf("%x", sum[:])
	}
	return fmt.Sprintf("%X", sum[:])
}

// multipartETag is the ETag of an object of these parts, which covers their number.
func (r Rules) multipartETag(parts []numberedPart) string {
	sum := md5.New()
	for _, p := range parts {
		if r.BinaryETags {
			sum.Write(p.ETag[:])
		} else {
			fmt.Fprintf(sum, "%X", p.ETag[:])
		}
	}
	return fmt.Sprintf("%s-%d", r.etag([16]byte(sum.Sum(nil))), len(parts))
}

// digestMismatch is the error for a digest that is not the body's; otherwise says which it is where
// there is a code of its own for each.
func (r Rules) digestMismatch(otherwise *Error) error {
	if r.BadDigest {
		return ErrBadDigest
	}
	return otherwise
}

// putTooLarge is the error for a body of PutObject over the limit.
func (r Rules) putTooLarge() *Error {
	if r.EntityTooLarge {
		return ErrEntityTooLarge
	}
	return ErrInvalidArgument
}

// copyCondition is the error for a condition of a copy that does not hold.
func (r Rules) copyCondition(err error) error {
	if !r.CopyNotModified && errors.Is(err, ErrNotModified) {
		return ErrPreconditionFailed
	}
	return err
}

// normalETag forgives what clients do to ETags: quotes and case.
func normalETag(s string) string { return strings.ToUpper(strings.Trim(s, `"`)) }
