package gocloud

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// escaped makes metadata of any texts what the engine takes under all rules: names of letters,
// digits and -, values without control characters.
func escaped(metadata map[string]string) map[string]string {
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		out[escapeName(name)] = escapeValue(value)
	}
	return out
}

// unescaped reverses escaped.
func unescaped(metadata map[string]string) map[string]string {
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		out[unescapeName(name)] = unescapeValue(value)
	}
	return out
}

// escapeName writes any rune but lower-case letters, digits and - as its number in hex between -x
// and -, and so a - before an x, too.
func escapeName(name string) string {
	var b strings.Builder
	for i, r := range name {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' ||
			r == '-' && !strings.HasPrefix(name[i:], "-x") {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "-x%x-", r)
		}
	}
	return b.String()
}

var escapedRune = regexp.MustCompile("-x[0-9a-f]{1,6}-")

// unescapeName leaves what is not escaped as it is: other front ends store names, too.
func unescapeName(name string) string {
	return escapedRune.ReplaceAllStringFunc(name, func(match string) string {
		r, err := strconv.ParseInt(match[2:len(match)-1], 16, 32)
		if err != nil || !utf8.ValidRune(rune(r)) {
			return match
		}
		return string(rune(r))
	})
}

// escapeValue writes control characters and % as in URLs.
func escapeValue(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if c < ' ' || c == 0x7F || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescapeValue leaves what is not escaped as it is.
func unescapeValue(value string) string {
	out, err := url.PathUnescape(value)
	if err != nil {
		return value
	}
	return out
}
