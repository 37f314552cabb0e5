package engine

import "iter"

// pages turns a paged listing into a sequence. fetch returns the entries that next asks for and
// whether there are more, and moves next on. An error comes once and last.
func pages[T, Request any](first Request, fetch func(next *Request) ([]T, bool, error)) iter.Seq2[T, error] {
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
