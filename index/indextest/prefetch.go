package indextest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/index"
)

// prefetchClauses are of index.Prefetch. A store that prefetches nothing passes them as well.
var prefetchClauses = []clause{
	{"it shows what the View shows", func(t *tester) {
		t.put("a", "1", "b", "2", "b/1", "", "c", "3", "d", "4")
		t.view(func(r index.Reader) error {
			f := t.prefetch(r, []string{"a", "none", "b/1", "d"}, "a", "c", "d", "z", "e", "z")
			t.put("a", "new", "b", "new", "none", "new")
			t.delete("d")
			t.wantIn(f, "a", "1", "b", "2", "b/1", "", "c", "3", "d", "4")
			t.wantRun(f, "a", "c", "a", "1", "b", "2", "b/1", "")
			t.wantRun(f, "d", "z", "d", "4")
			t.wantRun(f, "e", "z")
			t.wantRun(f, "b", "d", "b", "2", "b/1", "", "c", "3") // which was not
			if _, err := f.Get([]byte("none")); !errors.Is(err, index.ErrNotFound) {
				t.Errorf("Get of what is not there: %v", err)
			}
			return nil
		})
	}},
	{"it can be had of one that was prefetched, and of nothing", func(t *tester) {
		t.put("a", "1", "b", "2")
		t.view(func(r index.Reader) error {
			f := t.prefetch(r, []string{"a"})
			f = t.prefetch(f, []string{"b", "none"}, "a", "b")
			f = t.prefetch(f, nil)
			t.wantIn(f, "a", "1", "b", "2")
			t.wantRun(f, "a", "b", "a", "1")
			return nil
		})
	}},
	{"a long range is read to its end", func(t *tester) { testPrefetchMuch(t, 1500, 10) }},
	{"much is not more than can be had at once", func(t *tester) { testPrefetchMuch(t, 40, index.MaxValueSize/2) }},
	{"a range without an end and one without keys", func(t *tester) {
		t.put("a", "1", "b", "2")
		t.view(func(r index.Reader) error {
			f, err := index.Prefetch(r, index.Wanted{Ranges: []index.Bounds{
				{Start: []byte("a")}, {Start: []byte("b"), End: []byte("a")}, {},
			}})
			if err != nil {
				return err
			}
			t.wantRun(f, "b", "a")
			t.wantIn(f, "a", "1", "b", "2")
			return nil
		})
	}},
	{"a key that is invalid is so when it is read", func(t *tester) {
		t.put("a", "1")
		t.view(func(r index.Reader) error {
			f := t.prefetch(r, []string{"", "!badger!x", "a"})
			for _, key := range []string{"", "!badger!x"} {
				if _, err := f.Get([]byte(key)); !errors.Is(err, index.ErrInvalidKey) {
					t.Errorf("Get(%q): %v, want ErrInvalidKey", key, err)
				}
			}
			t.wantIn(f, "a", "1")
			return nil
		})
	}},
	{"what is returned belongs to the caller", func(t *tester) {
		t.put("a", "1")
		t.view(func(r index.Reader) error {
			f := t.prefetch(r, []string{"a"}, "a", "b")
			for range 2 {
				value, err := f.Get([]byte("a"))
				if err != nil || string(value) != "1" {
					t.Errorf("Get = %q, %v", value, err)
				}
				clear(value)
				for item, err := range f.Scan([]byte("a"), []byte("b")) {
					if err != nil || string(item.Key) != "a" || string(item.Value) != "1" {
						t.Errorf("Scan yields %q, %v", item, err)
					}
					clear(item.Key)
					clear(item.Value)
				}
			}
			return nil
		})
	}},
	{"a loop may be left early", func(t *tester) {
		t.put("a", "1", "b", "2")
		t.view(func(r index.Reader) error {
			f := t.prefetch(r, nil, "a", "z")
			for range 2 {
				for item, err := range f.Scan([]byte("a"), []byte("z")) {
					if err != nil || string(item.Key) != "a" {
						t.Errorf("Scan begins with %q, %v", item, err)
					}
					break
				}
			}
			return nil
		})
	}},
	{"it is over with its View", func(t *tester) {
		t.put("a", "1")
		var kept, plain index.Reader
		t.view(func(r index.Reader) error {
			plain, kept = r, t.prefetch(r, []string{"a", "none"}, "a", "b", "c", "d")
			return nil
		})
		for _, key := range []string{"a", "none", "other"} {
			if _, err := kept.Get([]byte(key)); !errors.Is(err, index.ErrTxDone) {
				t.Errorf("Get(%q): %v, want ErrTxDone", key, err)
			}
		}
		for _, bounds := range []string{"ab", "cd", "xy"} {
			if _, err := scanAll(kept, []byte(bounds[:1]), []byte(bounds[1:])); !errors.Is(err, index.ErrTxDone) {
				t.Errorf("Scan(%q): %v, want ErrTxDone", bounds, err)
			}
		}
		f, err := index.Prefetch(plain, index.Wanted{Keys: asBytes([]string{"a"})})
		if err == nil {
			_, err = f.Get([]byte("a"))
		}
		if !errors.Is(err, index.ErrTxDone) {
			t.Errorf("Prefetch and Get: %v, want ErrTxDone", err)
		}
	}},
	{"an Update sees what it has written", func(t *tester) {
		t.put("a", "1", "b", "2")
		t.update(func(tx index.Tx) error {
			if err := putAll(tx, "a", "new"); err != nil {
				return err
			}
			f, err := index.Prefetch(tx, index.Wanted{Keys: asBytes([]string{"a", "b"})})
			if err != nil {
				return err
			}
			return compare(f, "a", "new", "b", "2")
		})
	}},
}

// prefetch wants keys, and ranges that pairs of bounds give.
func (t *tester) prefetch(r index.Reader, keys []string, bounds ...string) index.Reader {
	t.Helper()
	w := index.Wanted{Keys: asBytes(keys)}
	for i := 0; i < len(bounds); i += 2 {
		w.Ranges = append(w.Ranges, index.Bounds{Start: []byte(bounds[i]), End: []byte(bounds[i+1])})
	}
	f, err := index.Prefetch(r, w)
	if err != nil {
		t.Fatalf("Prefetch: %v", err)
	}
	return f
}

// wantRun compares what a scan shows, twice, with pairs of key and value.
func (t *tester) wantRun(r index.Reader, start, end string, pairs ...string) {
	t.Helper()
	for range 2 {
		got, err := scanAll(r, []byte(start), []byte(end))
		if err != nil || !slices.Equal(got, pairs) {
			t.Errorf("Scan(%q, %q) shows %.300q, %v, want %.300q", start, end, got, err, pairs)
		}
	}
}

// testPrefetchMuch prefetches n values of so many bytes twice: as single records, and in ranges, one
// of all of them and two of half of them.
func testPrefetchMuch(t *tester, n, size int) {
	var keys, pairs []string
	for i := range n {
		key := fmt.Sprintf("k%04d", i)
		keys, pairs = append(keys, key), append(pairs, key, strings.Repeat(string(rune('a'+i%26)), size))
	}
	for i := 0; i < len(pairs); i += 4 {
		t.put(pairs[i:min(i+4, len(pairs))]...)
	}
	middle := keys[n/2]
	t.view(func(r index.Reader) error {
		f := t.prefetch(r, append(slices.Clone(keys), "none"), "k", "l", "k", middle, middle, "l", "l", "m")
		t.wantIn(f, pairs...)
		t.wantRun(f, "k", "l", pairs...)
		t.wantRun(f, "k", middle, pairs[:n/2*2]...)
		t.wantRun(f, middle, "l", pairs[n/2*2:]...)
		t.wantRun(f, "l", "m")
		if _, err := f.Get([]byte("none")); !errors.Is(err, index.ErrNotFound) {
			t.Errorf("Get of what is not there: %v", err)
		}
		return nil
	})
}
