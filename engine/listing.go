package engine

import (
	"iter"
	"strings"
)

// pageBytes is how many bytes a page may hold of what clients have said of its entries before it
// ends. Names do not count: their number and their length are limited, and a page that holds little
// else never ends early.
const pageBytes = 1 << 20

// A walk goes over what a bucket holds in the byte order of the keys, and makes one page of it.
// Keys that agree up to the first delimiter behind the prefix are one entry, their common prefix.
type walk[T any] struct {
	prefix, delimiter string
	limit             int // entries of the page
	keyOf             func(*T) string
	bytes             func(*T) int // of what is said of an entry

	// behind yields all whose key sorts behind those below a common prefix.
	behind func(commonPrefix string) iter.Seq2[T, error]

	entries        []T
	commonPrefixes []string
	last           string // the key or the common prefix of the latest entry
	truncated      bool   // there are entries behind the page
	taken          int    // bytes of what is said of the entries
}

// from makes the page of what lies behind a marker. Behind each common prefix it starts over, so
// that what lies below one is not visited.
func (w *walk[T]) from(marker string, entries iter.Seq2[T, error]) error {
	common := w.commonPrefix(marker)
	if common != marker {
		common = "" // the marker lies below it, and so may entries
	}
	for {
		if common != "" {
			entries = w.behind(common)
		}
		var err error
		if common, err = w.add(entries); err != nil || common == "" {
			return err
		}
	}
}

// add adds entries until the page is full, there are no more or, then it is returned, a common
// prefix has been added.
func (w *walk[T]) add(entries iter.Seq2[T, error]) (common string, err error) {
	for entry, err := range entries {
		if err != nil {
			return "", err
		}
		if len(w.entries)+len(w.commonPrefixes) == w.limit || w.taken >= pageBytes {
			w.truncated = true
			return "", nil
		}
		w.last = w.keyOf(&entry)
		if common := w.commonPrefix(w.last); common != "" {
			w.commonPrefixes = append(w.commonPrefixes, common)
			w.last = common
			return common, nil
		}
		w.entries = append(w.entries, entry)
		w.taken += w.bytes(&entry)
	}
	return "", nil
}

// commonPrefix returns what of key goes up to and with the first delimiter behind the prefix, or
// nothing.
func (w *walk[T]) commonPrefix(key string) string {
	rest, ok := strings.CutPrefix(key, w.prefix)
	if !ok || w.delimiter == "" {
		return ""
	}
	i := strings.Index(rest, w.delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(w.prefix)+i+len(w.delimiter)]
}

// pages turns a paged listing into a sequence. fetch returns the entries that next asks for and
// whether there are more, and moves next on. An error comes once and last.
func pages[T, Request any](
	first Request, fetch func(next *Request) ([]T, bool, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		next := first
		for more := true; more; {
			var entries []T
			var err error
			if entries, more, err = fetch(&next); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
			}
		}
	}
}
