package engine

import (
	"crypto/md5"
	"encoding"
	"errors"
	"fmt"
	"hash"

	"github.com/gabion-storage/gabion/index"
)

// The parts of a sequential upload come one after another, so that the MD5 of the whole content can
// be carried from one to the next: the upload's record holds it as far as the last part, in the form
// in which crypto/md5 marshals it.

// checkSequence says whether a part may be uploaded under this number.
func checkSequence(r index.Reader, up *openUpload, number int) error {
	if !up.Sequential {
		return nil
	}
	there, err := hasPart(r, up.id, number)
	if err != nil {
		return err
	}
	if there {
		return ErrPartAlreadyExist
	}
	if number == 1 {
		return nil
	}
	before, err := hasPart(r, up.id, number-1)
	if err == nil && !before {
		err = ErrPartNotSequential
	}
	return err
}

func hasPart(r index.Reader, id index.ContentID, number int) (bool, error) {
	_, err := index.Get(r, index.PartKey(id, number))
	if errors.Is(err, index.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// resumeMD5 goes on with the MD5 of the parts so far.
func resumeMD5(state []byte) (hash.Hash, error) {
	h := md5.New()
	if len(state) == 0 {
		return h, nil
	}
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		return nil, fmt.Errorf("engine: the MD5 of the parts before: %w", err)
	}
	return h, nil
}

// suspendMD5 reverses resumeMD5.
func suspendMD5(h hash.Hash) ([]byte, error) {
	return h.(encoding.BinaryMarshaler).MarshalBinary()
}
