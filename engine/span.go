package engine

import "strings"

// span is a run of an object's bytes.
type span struct {
	start, length int64
	partial       bool // not the whole object
}

// parseRange interprets an HTTP range over size bytes; see GetObjectRequest.Range.
func parseRange(text string, size int64, standard bool) (span, error) {
	whole := span{length: size}
	if !standard { // as OSS, which forgives whatever stands behind the first
		text, _, _ = strings.Cut(text, ",")
	}
	first, last, ok := splitRange(text)
	if !ok {
		return whole, nil
	}
	switch {
	case first < 0: // the last bytes
		if last == 0 {
			return whole, rangeBeyond(text, size)
		}
		if size == 0 || last > size && !standard {
			return whole, nil
		}
		first, last = max(size-last, 0), size-1
	case last < 0: // up to the end
		last = size - 1
	case last >= size && !standard:
		return whole, nil
	}
	if first >= size {
		if standard {
			return whole, rangeBeyond(text, size)
		}
		return whole, nil
	}
	last = min(last, size-1)
	return span{start: first, length: last - first + 1, partial: true}, nil
}

// rangeBeyond is the error for a range that no byte is in.
func rangeBeyond(text string, size int64) error {
	return ErrInvalidRange.about("Range", text).sized(size, 0)
}

// splitRange parses "bytes=first-last". A bound that is left out is -1.
func splitRange(text string) (first, last int64, ok bool) {
	unit, bounds, ok := strings.Cut(text, "=")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return 0, 0, false
	}
	from, to, ok := strings.Cut(bounds, "-")
	if !ok || from == "" && to == "" {
		return 0, 0, false
	}
	first, ok1 := parseBound(from)
	last, ok2 := parseBound(to)
	if !ok1 || !ok2 || first >= 0 && last >= 0 && last < first {
		return 0, 0, false
	}
	return first, last, true
}

func parseBound(digits string) (n int64, ok bool) {
	if digits == "" {
		return -1, true
	}
	const most = 1 << 59 // beyond every object, and ten times that does not overflow
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), most)
	}
	return n, true
}
