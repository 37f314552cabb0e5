package engine

import "strings"

// normalETag forgives what clients do to ETags: quotes and case.
func normalETag(s string) string { return strings.ToUpper(strings.Trim(s, `"`)) }

// isETagOf says whether s is the ETag of a body with this MD5, under any rules. It costs no
// allocation: lists of parts have thousands.
func isETagOf(s string, sum [16]byte) bool {
	text := upperHex(sum)
	return strings.EqualFold(strings.Trim(s, `"`), string(text[:]))
}

// upperHex is the text of an MD5 that OSS makes ETags of.
func upperHex(sum [16]byte) (text [2 * 16]byte) {
	const digits = "0123456789ABCDEF"
	for i, b := range sum {
		text[2*i], text[2*i+1] = digits[b>>4], digits[b&15]
	}
	return text
}

// How two entity tags are compared (RFC 9110, section 8.8.3.2).
type comparison string

const (
	strongly comparison = "strongly" // a weak tag, as W/"5", is equal to none: of If-Match
	weakly   comparison = "weakly"   // a weak tag is equal to the one without W/: of If-None-Match
)

// matches says whether a condition, which is * or a list of entity tags, holds for an object's
// ETag.
func (c comparison) matches(condition, etag string) bool {
	if strings.TrimSpace(condition) == "*" {
		return true
	}
	// A list is as long as its sender likes, and some are judged in a transaction: no tag of it may
	// cost an allocation.
	etag = strings.Trim(etag, `"`)
	for rest := condition; rest != ""; {
		var tag string
		var weak bool
		tag, weak, rest = cutETag(rest)
		if tag != "" && (c == weakly || !weak) && strings.EqualFold(strings.Trim(tag, `"`), etag) {
			return true
		}
	}
	return false
}

// cutETag cuts the first entity tag off a list. A comma between quotes belongs to the tag. A tag
// without quotes is forgiven, and so is an end quote that is missing; nothing is returned for an
// empty place in the list.
func cutETag(list string) (tag string, weak bool, rest string) {
	list = strings.TrimLeft(list, " \t")
	list, weak = strings.CutPrefix(list, "W/")
	if quoted, ok := strings.CutPrefix(list, `"`); ok {
		tag, rest, _ = strings.Cut(quoted, `"`)
		_, rest, _ = strings.Cut(rest, ",")
		return tag, weak, rest
	}
	tag, rest, _ = strings.Cut(list, ",")
	return strings.TrimRight(tag, " \t"), weak, rest
}
