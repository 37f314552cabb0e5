package engine

import (
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// Preconditions are what PutObject, CompleteMultipartUpload and Upload demand of the object that
// they would replace. All are judged at the moment of commit, those of PutObject and Upload also
// before the body is read. CopyObject and InitiateMultipartUpload have ForbidOverwrite alone.
type Preconditions struct {
	// ForbidOverwrite fails the call with ErrFileAlreadyExists when the object exists. It is OSS's.
	ForbidOverwrite bool

	// IfMatch, if not empty, is the ETag, or a list as in Conditions, that the existing object must
	// have; without an object the call fails with ErrNoSuchKey. IfNoneMatch "*" demands that there
	// is none; an ETag there is ErrNotImplemented, as in S3. Both fail with ErrPreconditionFailed.
	// They are S3's.
	IfMatch     string
	IfNoneMatch string
}

// overwriting is a name, and what a request demands of the object that it is about to replace
// there.
type overwriting struct {
	bucket, key string
	Preconditions
}

// validate checks the form of the conditions.
func (p *Preconditions) validate() error {
	if p.IfNoneMatch != "" && p.IfNoneMatch != "*" {
		return ErrNotImplemented.saying(
			"IfNoneMatch is %q: of a write only * is implemented.", p.IfNoneMatch,
		).about("IfNoneMatch", p.IfNoneMatch)
	}
	return nil
}

func (p *Preconditions) demandsNothing() bool {
	return !p.ForbidOverwrite && p.IfMatch == "" && p.IfNoneMatch == ""
}

// keys are those of what check reads.
func (o *overwriting) keys() [][]byte {
	if o.demandsNothing() {
		return nil
	}
	return [][]byte{index.ObjectKey(o.bucket, o.key)}
}

// check judges the object that is there now, which a later check may find otherwise.
func (o *overwriting) check(r index.Reader) error {
	if o.ForbidOverwrite {
		if err := checkAbsent(r, o.bucket, o.key); err != nil {
			return err
		}
	}
	if o.IfMatch == "" && o.IfNoneMatch == "" {
		return nil
	}
	obj, err := findObject(r, o.bucket, o.key)
	switch {
	case errors.Is(err, ErrNoSuchKey) && o.IfMatch == "":
		return nil
	case err != nil:
		return err
	case o.IfNoneMatch != "":
		return ErrPreconditionFailed.unmet(ifNoneMatch)
	case !strongly.matches(o.IfMatch, obj.ETag):
		return ErrPreconditionFailed.unmet(ifMatch)
	}
	return nil
}

// checkAbsent fails with ErrFileAlreadyExists if there is such an object.
func checkAbsent(r index.Reader, bucket, key string) error {
	_, err := index.Get(r, index.ObjectKey(bucket, key))
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return ErrFileAlreadyExists
}
