package engine

import (
	"encoding/base64"
	"fmt"
	"hash"
	"strings"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/intake"
	"github.com/gabion-storage/gabion/index"
)

// A Checksum is a digest that S3 clients send or ask for beside Content-MD5. All is empty for none.
type Checksum struct {
	// Algorithm is one of the constants of package crypto, from crypto.CRC32 to XXHASH128.
	Algorithm crypto.ChecksumAlgorithm

	// Type says how the checksum of a multipart object comes from those of its parts. CRC64NVME is
	// ChecksumFullObject only; CRC32 and CRC32C may be either and are ChecksumComposite if Type is
	// empty; all others are ChecksumComposite only. Parts have none, and what PutObject makes is
	// ChecksumFullObject.
	Type ChecksumType

	// Value is the digest in base64, big endian.
	Value string

	// Trailer, in requests that carry a body, returns a Value that is known only after the body, as
	// clients of S3 send it; "" says that there is none. It is called once, from the caller's
	// goroutine, when the whole body has been read and had the right size. It must return soon,
	// whatever the client does: ctx does not end it, and Close and Reclaim may wait for it. If it
	// fails, the call fails with ErrIncompleteBody, whose cause is its error. It excludes Value,
	// and is nil in results.
	Trailer func() (value string, err error)
}

// A ChecksumType says of what a checksum is made.
type ChecksumType string

// The types of checksums.
const (
	ChecksumComposite  ChecksumType = "COMPOSITE"   // of the parts' digests, with "-" and the number of parts behind it
	ChecksumFullObject ChecksumType = "FULL_OBJECT" // of the whole content
)

// checkAlgorithm accepts the algorithms that there are, and none.
func checkAlgorithm(a crypto.ChecksumAlgorithm) error {
	if a != "" && !a.Valid() {
		return ErrInvalidRequest.saying(
			"Checksum.Algorithm is %q, must be CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, "+
				"XXHASH64, XXHASH3 or XXHASH128.", a,
		)
	}
	return nil
}

// checksumOfUpload checks what Initiate asks for and fills in the type.
func checksumOfUpload(c Checksum) (index.Checksum, error) {
	a := c.Algorithm
	if err := checkAlgorithm(a); err != nil {
		return index.Checksum{}, err
	}
	if c.Value != "" || c.Trailer != nil || a == "" && c.Type != "" {
		return index.Checksum{}, ErrInvalidRequest.saying(
			"Checksum.Type goes with an Algorithm, and Value and Trailer with parts and objects.",
		)
	}
	var types []ChecksumType
	switch {
	case a == "":
		types = []ChecksumType{""}
	case a == crypto.CRC64NVME:
		types = []ChecksumType{ChecksumFullObject}
	case a.CanCombine():
		types = []ChecksumType{ChecksumComposite, ChecksumFullObject}
	default: // of which no whole can be made from those of parts
		types = []ChecksumType{ChecksumComposite}
	}
	if c.Type == "" {
		c.Type = types[0]
	}
	for _, t := range types {
		if t == c.Type {
			return index.Checksum{Algorithm: string(a), Type: string(t)}, nil
		}
	}
	return index.Checksum{}, ErrInvalidRequest.saying(
		"The %s checksum type cannot be used with the %s checksum algorithm.",
		c.Type, strings.ToLower(string(c.Algorithm)),
	)
}

// checksumOf returns algorithm and type of the checksums of an upload.
func checksumOf(c *index.Checksum) Checksum {
	return Checksum{Algorithm: crypto.ChecksumAlgorithm(c.Algorithm), Type: ChecksumType(c.Type)}
}

// parseChecksum decodes the value of a checksum by this algorithm.
func parseChecksum(a crypto.ChecksumAlgorithm, value string) ([]byte, error) {
	sum, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(sum) != a.Size() {
		return nil, ErrInvalidRequest.saying(
			"Checksum.Value is %q, must be base64 of %d bytes.", value, a.Size(),
		)
	}
	return sum, nil
}

// A bodyChecksum is the checksum of a body that is being taken in.
type bodyChecksum struct {
	algorithm crypto.ChecksumAlgorithm
	hash      hash.Hash              // nil for none, and for MD5, which every body has anyway
	wanted    []byte                 // what the caller says that it is, or nil
	trailer   func() (string, error) // says that behind the body; nil if nobody does
	kept      bool                   // it is stored with the part or object, not only compared
}

// checksumOfBody starts the checksum of a body. asked is what the request says; of is the algorithm
// of the upload, which the request need not repeat.
func checksumOfBody(asked Checksum, of string) (b bodyChecksum, err error) {
	if asked.Type != "" {
		return b, ErrInvalidRequest.saying(
			"Checksum.Type is %q; it belongs to uploads, not to parts or bodies.", asked.Type,
		)
	}
	if asked.Value != "" && asked.Trailer != nil {
		return b, ErrInvalidRequest.saying("Checksum.Value and Trailer exclude each other.")
	}
	if err := checkAlgorithm(asked.Algorithm); err != nil {
		return b, err
	}
	b.algorithm, b.trailer = asked.Algorithm, asked.Trailer
	if a := crypto.ChecksumAlgorithm(of); a != "" && !a.Valid() {
		return b, wrongChecksum("no algorithm is named %q", of)
	}
	if of != "" && asked.Algorithm != "" && string(asked.Algorithm) != of {
		return b, ErrInvalidRequest.saying(
			"Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
			of, asked.Algorithm,
		)
	}
	if of != "" {
		b.algorithm, b.kept = crypto.ChecksumAlgorithm(of), true
	}
	if b.algorithm == "" {
		if asked.Value != "" || asked.Trailer != nil {
			return b, ErrInvalidRequest.saying(
				"Checksum.Value or Trailer is given without an Algorithm.",
			)
		}
		return b, nil
	}
	if asked.Value != "" {
		if b.wanted, err = parseChecksum(b.algorithm, asked.Value); err != nil {
			return b, err
		}
	}
	if b.algorithm != crypto.MD5 {
		b.hash = b.algorithm.New()
	}
	return b, nil
}

// sum ends the checksum and compares it with what the caller said, or says now. The body has been
// taken in.
func (b *bodyChecksum) sum(body *intake.Taken) ([]byte, error) {
	if b.algorithm == "" {
		return nil, nil
	}
	value, err := askTrailer(b.trailer)
	if err == nil && value != "" {
		b.wanted, err = parseChecksum(b.algorithm, value)
	}
	if err != nil {
		return nil, err
	}
	sum := body.MD5[:]
	if b.hash != nil {
		sum = b.hash.Sum(nil)
	}
	if b.wanted != nil && string(sum) != string(b.wanted) {
		return nil, ErrBadDigest.saying(
			"The %s you specified did not match the calculated checksum.", b.algorithm,
		)
	}
	if !b.kept {
		return nil, nil
	}
	return sum, nil
}

// askTrailer asks for the value behind a body; trailer may be nil.
func askTrailer(trailer func() (string, error)) (value string, err error) {
	if trailer == nil {
		return "", nil
	}
	if value, err = trailer(); err != nil {
		err = ErrIncompleteBody.saying("The trailer of the body failed.").with(err)
	}
	return value, err
}

// partChecksum is what a part's record says.
func partChecksum(algorithm string, sum []byte) Checksum {
	if algorithm == "" {
		return Checksum{}
	}
	return Checksum{
		Algorithm: crypto.ChecksumAlgorithm(algorithm),
		Value:     base64.StdEncoding.EncodeToString(sum),
	}
}

// objectChecksum is what an object's record says.
func objectChecksum(rec *index.Object) Checksum {
	c := partChecksum(rec.Checksum.Algorithm, rec.Checksum.Value)
	if c.Type = ChecksumType(rec.Checksum.Type); c.Type == ChecksumComposite {
		c.Value += fmt.Sprintf("-%d", rec.Parts)
	}
	return c
}

// checksumOfParts makes the checksum of an object from those of its parts, if these are what it can
// be made of.
func checksumOfParts(of index.Checksum, parts []numberedPart) (index.Checksum, error) {
	if err := checkSums(&of, parts); of.Algorithm == "" || err != nil {
		return of, err
	}
	a := crypto.ChecksumAlgorithm(of.Algorithm)
	if ChecksumType(of.Type) == ChecksumComposite {
		sums := make([][]byte, len(parts))
		for i := range parts {
			sums[i] = parts[i].Checksum
		}
		of.Value = a.Composite(sums)
		return of, nil
	}
	of.Value = a.New().Sum(nil)
	for i := range parts {
		of.Value = a.Combine(of.Value, parts[i].Checksum, parts[i].Size)
	}
	return of, nil
}

// checkSums checks that the checksum of an object can be made from those of its parts. They are of
// records, and what is wrong with them is damage.
func checkSums(of *index.Checksum, parts []numberedPart) error {
	a, kind := crypto.ChecksumAlgorithm(of.Algorithm), ChecksumType(of.Type)
	switch {
	case a == "":
		return nil
	case !a.Valid():
		return wrongChecksum("no algorithm is named %q", a)
	case kind != ChecksumComposite && (kind != ChecksumFullObject || !a.CanCombine()):
		return wrongChecksum("one of type %q is not made from those of parts by %s", kind, a)
	}
	for i := range parts {
		if err := checkSum(a, &parts[i].Part); err != nil {
			return err
		}
	}
	return nil
}

// checkSum checks that the checksum of a part can be one by this algorithm.
func checkSum(a crypto.ChecksumAlgorithm, part *index.Part) error {
	if len(part.Checksum) != a.Size() {
		return wrongChecksum(
			"that of manifest %s has %d bytes, by %s it has %d", part.Manifest,
			len(part.Checksum), a, a.Size(),
		)
	}
	if a == crypto.MD5 && [16]byte(part.Checksum) != part.ETag {
		return wrongChecksum(
			"that of manifest %s is MD5 %x, its ETag %x", part.Manifest, part.Checksum, part.ETag,
		)
	}
	return nil
}

func wrongChecksum(format string, args ...any) error {
	return &CorruptionError{
		What: "a checksum", Where: "index", Err: fmt.Errorf(format, args...),
	}
}

// isBare says whether a value is that of a composite checksum without the number of parts, as some
// clients send it.
func isBare(value string, got Checksum) bool {
	bare, _, _ := strings.Cut(got.Value, "-") // which base64 does not have
	return got.Type == ChecksumComposite && value == bare
}

// checkSummed checks that the checksums in a list are there and of the upload's algorithm, as far as they
// must be. Of an upload without one they are left to matchParts, which finds none.
func checkSummed(parts []CompletedPart, up *openUpload) error {
	algorithm := up.Checksum.Algorithm
	needed := up.bucket.rules.partChecksums && up.Checksum.Type == string(ChecksumComposite)
	for _, p := range parts {
		var wrong *Error
		switch a := string(p.ChecksumAlgorithm); {
		case needed && p.Checksum == "":
			wrong = ErrInvalidRequest.saying(
				"The upload was created using a %s checksum. The complete request must include "+
					"the checksum for each part. It was missing for part %d in the request.",
				strings.ToLower(algorithm), p.PartNumber,
			)
		case a != "" && algorithm != "" && a != algorithm:
			wrong = ErrBadDigest.saying(
				"The %s you specified for part %d did not match what we received.",
				strings.ToLower(a), p.PartNumber,
			)
		default:
			continue
		}
		wrong.PartNumber = p.PartNumber
		return wrong
	}
	return nil
}

// checkObjectChecksum compares the checksum that Complete is given, if any, with the object's.
func checkObjectChecksum(asked Checksum, obj *index.Object) error {
	got := objectChecksum(obj)
	if asked.Trailer != nil {
		return ErrInvalidRequest.saying("Checksum.Trailer is given, but there is no body.")
	}
	err := checkAsked(asked, got)
	switch {
	case err != nil:
		return err
	case asked.Value != "" && asked.Value != got.Value && !isBare(asked.Value, got):
		return ErrBadDigest.saying(
			"The %s you specified did not match the calculated checksum.", got.Algorithm,
		)
	}
	return nil
}

// checkAsked checks that a checksum that is asked for can be the one of an object, of the algorithm
// and type of its upload.
func checkAsked(asked, of Checksum) error {
	switch {
	case asked.Algorithm != "" && asked.Algorithm != of.Algorithm:
		return ErrInvalidRequest.saying(
			"Checksum.Algorithm is %s, that of the upload is %q.", asked.Algorithm, of.Algorithm,
		)
	case (asked.Type != "" || asked.Value != "" || asked.Trailer != nil) && of.Algorithm == "":
		return ErrInvalidRequest.saying("Checksum is given, but the upload has none.")
	case asked.Type != "" && asked.Type != of.Type:
		return ErrInvalidRequest.saying(
			"The upload was created using the %s checksum mode. The complete request must use the "+
				"same checksum mode.", of.Type,
		)
	}
	return nil
}
