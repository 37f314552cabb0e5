package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A key ring is a text, one generation a line, oldest first:
//
//	gabion keyring 1
//	key <id, 32 hex digits> <wrapping key, 64 hex digits>
//	sum <SHA-256 of all lines before, 64 hex digits>
//
// Lines end in \n, words are parted by one space, hex digits are lower-case: a ring has exactly one
// text, so that any other is refused as damaged. The sum is against accidents. It is not against
// attackers: whoever can write the file can read it.
const (
	keyringMagic   = "gabion keyring "
	keyringVersion = 1
	keyringLimit   = 1 << 20 // bytes; about 10000 generations

	generationIDSize = 32
	keyLine          = "key %s %x\n"
	sumLine          = "sum %x\n"
	sumLineSize      = len("sum \n") + 2*sha256.Size
)

// What a KeyringError wraps that is not about damage.
var (
	// ErrKeyringNewer: the file is of a format that only a later version of this package knows.
	ErrKeyringNewer = errors.New("crypto: the key ring has a newer format")

	// ErrKeyringWritable: others can write the file, or put another in its place. It is refused.
	ErrKeyringWritable = errors.New("crypto: others can change the key ring")

	// ErrKeyringReadable: others can read the file. It is used all the same: see Keyring's Exposed.
	ErrKeyringReadable = errors.New("crypto: others can read the key ring")
)

// KeyringError says what is wrong with the file of a Keyring. It is refused, unless Err is
// ErrKeyringReadable.
type KeyringError struct {
	Path   string
	Reason string // never quotes the file, which holds keys
	Err    error  // ErrKeyringNewer, ErrKeyringWritable or ErrKeyringReadable; nil for damage
}

func (e *KeyringError) Error() string {
	return fmt.Sprintf("crypto: key ring %s: %s", e.Path, e.Reason)
}

// Unwrap returns e.Err.
func (e *KeyringError) Unwrap() error { return e.Err }

// generation is one wrapping key.
type generation struct {
	id  string
	key [DataKeySize]byte
}

// ring is the generations of a key ring, at least one, oldest first.
type ring []generation

func (r ring) current() generation { return r[len(r)-1] }

func (r ring) find(id string) (generation, bool) {
	for _, g := range r {
		if g.id == id {
			return g, true
		}
	}
	return generation{}, false
}

// with returns a new ring: r, then those of more that r lacks.
func (r ring) with(more ...generation) ring {
	next := make(ring, 0, len(r)+len(more))
	known := make(map[string]bool, cap(next))
	for _, g := range slices.Concat(r, more) {
		if !known[g.id] {
			known[g.id] = true
			next = append(next, g)
		}
	}
	return next
}

func encodeRing(r ring) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%d\n", keyringMagic, keyringVersion)
	for _, g := range r {
		fmt.Fprintf(&b, keyLine, g.id, g.key)
	}
	fmt.Fprintf(&b, sumLine, sha256.Sum256(b.Bytes()))
	return b.Bytes()
}

// decodeRing reverses encodeRing. Its errors are *KeyringError without a path.
func decodeRing(text []byte) (ring, error) {
	if len(text) > keyringLimit {
		return nil, damaged("it is longer than %d bytes", keyringLimit)
	}
	if err := checkVersion(text); err != nil {
		return nil, err
	}
	if len(text) < sumLineSize {
		return nil, damaged("it is cut off")
	}
	body, sum := text[:len(text)-sumLineSize], text[len(text)-sumLineSize:]
	if !bytes.Equal(sum, fmt.Appendf(nil, sumLine, sha256.Sum256(body))) {
		return nil, damaged("its checksum does not match")
	}
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	var r ring
	for _, line := range lines[1:] {
		g, ok := parseKeyLine(line)
		if !ok {
			return nil, damaged("it has a line that is no key")
		}
		r = append(r, g)
	}
	if len(r) == 0 {
		return nil, damaged("it has no key")
	}
	if len(r) != len(ring{}.with(r...)) {
		return nil, damaged("it has two keys of one id")
	}
	if !bytes.Equal(encodeRing(r), text) {
		return nil, damaged("it is not as this package writes it")
	}
	return r, nil
}

// checkVersion looks at the first line alone: of a newer format nothing else is known.
func checkVersion(text []byte) error {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	word, ok := bytes.CutPrefix(line, []byte(keyringMagic))
	if !ok {
		return damaged("it does not begin as a key ring")
	}
	switch version, err := strconv.ParseUint(string(word), 10, 32); {
	case err != nil || version == 0:
		return damaged("it has no version")
	case version > keyringVersion:
		return &KeyringError{
			Reason: fmt.Sprintf("it has version %d, known is %d", version, keyringVersion),
			Err:    ErrKeyringNewer,
		}
	}
	return nil
}

// parseKeyLine reads a line of one key, without its end. It leaves the finer points of the format
// to the comparison with what encodeRing writes.
func parseKeyLine(line string) (g generation, ok bool) {
	words := strings.Split(line, " ")
	if len(words) != 3 || len(words[1]) != generationIDSize ||
		len(words[2]) != hex.EncodedLen(len(g.key)) {
		return generation{}, false
	}
	id, err := hex.DecodeString(words[1])
	if err != nil {
		return generation{}, false
	}
	if _, err := hex.Decode(g.key[:], []byte(words[2])); err != nil {
		return generation{}, false
	}
	g.id = hex.EncodeToString(id)
	return g, true
}

func damaged(reason string, args ...any) error {
	return &KeyringError{Reason: fmt.Sprintf(reason, args...)}
}
