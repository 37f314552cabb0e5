package index

import (
	"encoding/hex"
	"fmt"
)

// ContentID is the id of an upload, and of the content of the object that becomes of it.
type ContentID [16]byte

// String returns 32 upper-case hex digits, the text form of an upload id.
func (id ContentID) String() string { return fmt.Sprintf("%X", id[:]) }

// ParseContentID reverses ContentID.String. It accepts nothing but exactly 32 upper-case hex
// digits.
func ParseContentID(s string) (ContentID, bool) {
	var id ContentID
	if len(s) != 2*len(id) {
		return id, false
	}
	for i := range len(s) {
		if !isUpperHex(s[i]) {
			return id, false
		}
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}

func isUpperHex(c byte) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' }

// A Generation tells a bucket from an earlier one of the same name.
type Generation [16]byte

// ManifestID names the pages that list the chunks of a part.
type ManifestID [16]byte

// String returns 32 lower-case hex digits.
func (id ManifestID) String() string { return hex.EncodeToString(id[:]) }

// ChunkID is the content address of a chunk.
type ChunkID [32]byte

// String returns 64 lower-case hex digits.
func (id ChunkID) String() string { return hex.EncodeToString(id[:]) }
