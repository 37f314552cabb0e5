package crypto

import (
	"errors"
	"os"
	"unsafe"

	"github.com/zeebo/blake3"
)

// KeyedBLAKE3 is the BLAKE3-256 of data under a key.
func KeyedBLAKE3(key [32]byte, data []byte) [32]byte { return newKeyedBLAKE3(key).sum(data) }

// AfterBLAKE3 is what lies in the memory of a hasher that has summed data.
func AfterBLAKE3(data []byte) []byte {
	h := blake3.New()
	sumAndForget(h, data)
	return unsafe.Slice((*byte)(unsafe.Pointer(h)), unsafe.Sizeof(*h))
}

// RecodeRing decodes the text of a key ring and encodes the result.
func RecodeRing(text []byte) ([]byte, error) {
	r, err := decodeRing(text)
	if err != nil {
		return nil, err
	}
	return encodeRing(r), nil
}

// CRC64Kernels holds the ways to compute CRC64 that this CPU has, by name.
var CRC64Kernels = map[string]func(crc uint64, p []byte) uint64{"CRC64": CRC64}

// NewRingTemp makes a temporary file for the ring at path and does not remove it.
func NewRingTemp(path string) (*os.File, error) {
	f, err := newRing(path)
	if err != nil {
		return nil, err
	}
	temp, _, err := f.newTemp()
	return temp, errors.Join(err, f.close())
}
