package index

import "iter"

// Bounds are those of a run of keys: Start <= key < End; a nil End is none.
type Bounds struct {
	Start, End []byte
}

// Bounds are those of the range.
func (rg Range[R]) Bounds() Bounds { return Bounds(rg) }

// Wanted is what somebody is about to read.
type Wanted struct {
	Keys   [][]byte // of single records
	Ranges []Bounds // of scans
}

// A Prefetcher is a Snapshot each of whose reads takes a step of its own, as a round trip, and which
// can take one for many.
type Prefetcher interface {
	Snapshot

	// Prefetch reads what is wanted as far as it should be had at once: it bounds the memory that
	// this takes, and so much may be missing. No key is invalid.
	Prefetch(w Wanted) (*Prefetched, error)
}

// Prefetched is what a Prefetcher has read. Its slices do not change any more.
type Prefetched struct {
	Values map[string][]byte // by key, nil where there is no record; what is not in it was not read
	Runs   []Run             // of Wanted.Ranges, one for each
}

// A Run is the first records of a range.
type Run struct {
	Items []Item // ascending, without a gap
	Whole bool   // there are no more
}

// Prefetch returns a Reader of the same state as r, valid as long, that has in memory most of what
// is wanted. On a store where each read is a round trip, it takes one for all of them; on other
// stores, and in an Update, it returns r itself. The store bounds what is in memory to some MiB;
// the rest, and anything else, is read from r.
func Prefetch(r Reader, w Wanted) (Reader, error) {
	v, p := prefetcherOf(r)
	if p == nil || len(w.Keys) == 0 && len(w.Ranges) == 0 {
		return r, nil
	}
	if v.over.Load() {
		return nil, ErrTxDone
	}
	var valid [][]byte // who reads another is told
	for _, key := range w.Keys {
		if checkKey(key) == nil {
			valid = append(valid, key)
		}
	}
	got, err := p.Prefetch(Wanted{valid, w.Ranges})
	if err != nil {
		return nil, err
	}
	f := &prefetched{view: v, rest: r, values: got.Values, runs: make(map[boundsKey]Run, len(got.Runs))}
	for i, rg := range w.Ranges {
		f.runs[keyOf(rg.Start, rg.End)] = got.Runs[i]
	}
	return f, nil
}

// prefetcherOf returns what can prefetch for a Reader, or none.
func prefetcherOf(r Reader) (*view, Prefetcher) {
	switch r := r.(type) {
	case *prefetched:
		return prefetcherOf(r.view)
	case *view:
		if p, ok := r.base.(Prefetcher); ok {
			return r, p
		}
	}
	return nil, nil
}

// prefetched is a Reader with some records of another in memory.
type prefetched struct {
	view   *view // which may be over
	rest   Reader
	values map[string][]byte
	runs   map[boundsKey]Run
}

// boundsKey are bounds as the key of a map.
type boundsKey struct {
	start, end string
	open       bool
}

func keyOf(start, end []byte) boundsKey {
	return boundsKey{string(start), string(end), end == nil}
}

// Get implements Reader.
func (f *prefetched) Get(key []byte) ([]byte, error) {
	if f.view.over.Load() {
		return nil, ErrTxDone
	}
	value, read := f.values[string(key)]
	switch {
	case !read:
		return f.rest.Get(key)
	case value == nil:
		return nil, ErrNotFound
	}
	return cloned(value), nil
}

// Scan implements Reader.
func (f *prefetched) Scan(start, end []byte) iter.Seq2[Item, error] {
	got, read := f.runs[keyOf(start, end)]
	if !read {
		return f.rest.Scan(start, end)
	}
	return func(yield func(Item, error) bool) {
		for _, item := range got.Items {
			if f.view.over.Load() {
				yield(Item{}, ErrTxDone)
				return
			}
			if !yield(Item{Key: cloned(item.Key), Value: cloned(item.Value)}, nil) {
				return
			}
			start = append(cloned(item.Key), 0)
		}
		if !got.Whole || f.view.over.Load() {
			f.rest.Scan(start, end)(yield)
		}
	}
}
