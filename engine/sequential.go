package engine

import (
	"bytes"
	"crypto/md5"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// The parts of a sequential upload come one after another, so that the MD5 of the whole content can
// be carried from one to the next: the upload's record holds it as far as the last part, in the
// form in which crypto/md5 marshals it. That form contains up to 63 bytes of the content as they
// are. So that of an encrypted upload is sealed by the upload's cipher:
//
//	| nonce 12 | marshalled state | tag 16 |
//
// with the associated data
//
//	| "gabion/v1 digest under way" | 0 | content id 16 | number of the last part 2, big endian |
//
// by which neither that of another upload nor an older one of the same is taken for it. Complete
// needs no more than the sum, which stands beside it in the clear, as ETags do.

// digestLabel is part of the format.
const digestLabel = "gabion/v1 digest under way\x00"

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

// A wholeMD5 is the MD5 of all parts of a sequential upload, up to and with the one that is on its
// way. cipher is that of the upload.
type wholeMD5 struct {
	hash.Hash
	id     index.ContentID
	number int // of the part on its way
	cipher *crypto.Cipher
}

// resumeMD5 goes on, for a part, with the MD5 of the parts before it.
func resumeMD5(up *openUpload, number int, cipher *crypto.Cipher) (*wholeMD5, error) {
	w := &wholeMD5{Hash: md5.New(), id: up.id, number: number, cipher: cipher}
	if number == 1 {
		return w, nil
	}
	state, err := bytes.Clone(up.Digest), error(nil) // opening works in place
	if cipher != nil {
		state, err = cipher.Open(state, w.place(number-1))
	}
	if err == nil {
		err = w.Hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
	}
	if err != nil {
		return nil, &CorruptionError{
			What:  fmt.Sprintf("the MD5 of the parts before part %d of upload %s", number, up.id),
			Where: "index", Err: err,
		}
	}
	return w, nil
}

// suspend returns the MD5 as the upload's record keeps it: its state for the next part, and its
// sum.
func (w *wholeMD5) suspend() (state, sum []byte, err error) {
	state, err = w.Hash.(encoding.BinaryMarshaler).MarshalBinary()
	if err == nil && w.cipher != nil {
		state, err = w.cipher.Seal(
			append(make([]byte, crypto.NonceSize), state...), w.place(w.number),
		)
	}
	return state, w.Sum(nil), err
}

// place is what the seal of a state binds: the upload, and the last part that the state covers.
func (w *wholeMD5) place(last int) []byte {
	return binary.BigEndian.AppendUint16(append([]byte(digestLabel), w.id[:]...), uint16(last))
}
