package engine

import (
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// overwriting is what a request demands of the object that it is about to replace.
type overwriting struct {
	bucket, key string
	forbid      bool
	ifMatch     string // an ETag, or empty
	ifNoneMatch string // * or empty
}

func checkIfNoneMatch(condition string) error {
	if condition != "" && condition != "*" {
		return ErrInvalidArgument.saying("IfNoneMatch is %q, must be * or empty.", condition)
	}
	return nil
}

// check judges the object that is there now.
func (o *overwriting) check(r index.Reader) error {
	if o.forbid {
		if err := checkAbsent(r, o.bucket, o.key); err != nil {
			return err
		}
	}
	if o.ifMatch == "" && o.ifNoneMatch == "" {
		return nil
	}
	obj, err := findObject(r, o.bucket, o.key)
	switch {
	case errors.Is(err, ErrNoSuchKey) && o.ifMatch == "":
		return nil
	case err != nil:
		return err
	case o.ifNoneMatch != "" || !strongly.matches(o.ifMatch, obj.ETag):
		return ErrPreconditionFailed
	}
	return nil
}

// checkAbsent fails with ErrFileAlreadyExists if there is such an object.
func checkAbsent(r index.Reader, bucket, key string) error {
	_, err := index.Get(r, index.ObjectKey(bucket, key))
	if errors.Is(err, index.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return ErrFileAlreadyExists
}
