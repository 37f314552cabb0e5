package crypto

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"
)

// ChecksumAlgorithm names one of S3's additional checksums. Any text that is none of the constants
// is not valid: Valid and CanCombine are false then, Size is 0, and the other methods panic.
type ChecksumAlgorithm string

// The algorithms, by the names that S3 gives them. Those of xxHash have the seed 0.
const (
	CRC32     ChecksumAlgorithm = "CRC32"  // of IEEE 802.3
	CRC32C    ChecksumAlgorithm = "CRC32C" // of Castagnoli
	CRC64NVME ChecksumAlgorithm = "CRC64NVME"
	MD5       ChecksumAlgorithm = "MD5"
	SHA1      ChecksumAlgorithm = "SHA1"
	SHA256    ChecksumAlgorithm = "SHA256"
	SHA512    ChecksumAlgorithm = "SHA512"
	XXHASH64  ChecksumAlgorithm = "XXHASH64"  // XXH64
	XXHASH3   ChecksumAlgorithm = "XXHASH3"   // XXH3 of 64 bits
	XXHASH128 ChecksumAlgorithm = "XXHASH128" // XXH3 of 128 bits
)

// checksum is what there is to know of one algorithm.
type checksum struct {
	size    int
	start   func() hash.Hash
	modulus *modulus // nil unless it is a CRC
}

var (
	castagnoliTable = crc32.MakeTable(crc32.Castagnoli)

	checksums = map[ChecksumAlgorithm]checksum{
		CRC32: {crc32.Size, func() hash.Hash { return crc32.NewIEEE() }, newModulus(crc32.IEEE)},
		CRC32C: {crc32.Size, func() hash.Hash { return crc32.New(castagnoliTable) },
			newModulus(crc32.Castagnoli)},
		CRC64NVME: {crc64nvme.Size, func() hash.Hash { return crc64nvme.New() },
			newModulus(crc64nvme.NVME)},
		MD5:       {md5.Size, md5.New, nil},
		SHA1:      {sha1.Size, sha1.New, nil},
		SHA256:    {sha256.Size, sha256.New, nil},
		SHA512:    {sha512.Size, sha512.New, nil},
		XXHASH64:  {8, func() hash.Hash { return xxhash.New() }, nil},
		XXHASH3:   {8, func() hash.Hash { return xxh3.New() }, nil},
		XXHASH128: {16, func() hash.Hash { return xxh3.New128() }, nil},
	}
)

// Valid tells whether a is one of the algorithms.
func (a ChecksumAlgorithm) Valid() bool { return checksums[a].start != nil }

// New starts a hash. Its Sum is big-endian, which S3 encodes in base64.
func (a ChecksumAlgorithm) New() hash.Hash { return a.known().start() }

// Size returns the length of a sum in bytes.
func (a ChecksumAlgorithm) Size() int { return checksums[a].size }

// CanCombine tells whether the sum of a whole follows from the sums and lengths of its pieces, as
// it does for the CRCs.
func (a ChecksumAlgorithm) CanCombine() bool { return checksums[a].modulus != nil }

// Combine returns the sum of X followed by Y from the sums x and y and the length of Y in bytes. It
// panics when the length is negative, a sum is not Size bytes long or the sums of a cannot be
// combined.
func (a ChecksumAlgorithm) Combine(x, y []byte, lenY int64) []byte {
	c := a.known()
	if c.modulus == nil {
		panic(fmt.Sprintf("crypto: combining sums of %s", a))
	}
	word := c.modulus.combine(a.wordOf(x), a.wordOf(y), lenY)
	sum := binary.BigEndian.AppendUint64(nil, word)
	return sum[len(sum)-c.size:]
}

// Composite returns S3's checksum of an object that is made of parts: the hash over the sums of the
// parts, one after the other. It panics when a sum is not Size bytes long.
func (a ChecksumAlgorithm) Composite(sums [][]byte) []byte {
	h := a.New()
	for _, sum := range sums {
		a.mustFit(sum)
		_, _ = h.Write(sum) // cannot fail
	}
	return h.Sum(nil)
}

func (a ChecksumAlgorithm) known() checksum {
	c, ok := checksums[a]
	if !ok {
		panic(fmt.Sprintf("crypto: no checksum algorithm is named %q", string(a)))
	}
	return c
}

// mustFit panics for a sum of another algorithm, out of which only a wrong sum could be made.
func (a ChecksumAlgorithm) mustFit(sum []byte) {
	if len(sum) != a.Size() {
		panic(fmt.Sprintf("crypto: a sum of %s in %d bytes", a, len(sum)))
	}
}

// wordOf returns the CRC whose big-endian form is sum.
func (a ChecksumAlgorithm) wordOf(sum []byte) uint64 {
	a.mustFit(sum)
	var word uint64
	for _, b := range sum {
		word = word<<8 | uint64(b)
	}
	return word
}
