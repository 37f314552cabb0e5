package indextest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gabion-storage/gabion/index"
)

var readClauses = []clause{
	{"Get of nothing is ErrNotFound", func(t *tester) {
		t.put("a", "1", "c", "3")
		t.view(func(r index.Reader) error {
			for _, key := range []string{"b", "aa", "c\x00", "\x00", "\xFF"} {
				if _, err := r.Get([]byte(key)); !errors.Is(err, index.ErrNotFound) {
					t.Errorf("Get(%q): %v, want ErrNotFound", key, err)
				}
			}
			return nil
		})
	}},
	{"Get returns what was put last", func(t *tester) {
		t.want()
		t.put("a", "1", "b", "2")
		t.put("b", "two", "c", "")
		t.want("a", "1", "b", "two", "c", "")
		t.delete("a", "nothing")
		t.want("b", "two", "c", "")
		t.put("a", "again")
		t.want("a", "again", "b", "two", "c", "")
	}},
	{"Scan is in bytewise order and within bounds", testBounds},
	{"Scan may be left early", testEarlyBreak},
	{"Scans may be nested", func(t *tester) {
		t.put("a", "1", "b", "2", "c", "3")
		var got string
		t.view(func(r index.Reader) error {
			for outer := range r.Scan(nil, nil) {
				for inner := range r.Scan(outer.Key, nil) {
					got += string(outer.Key) + string(inner.Key) + " "
				}
			}
			return nil
		})
		if want := "aa ab ac bb bc cc "; got != want {
			t.Errorf("visited %s, want %s", got, want)
		}
	}},
	{"what is returned belongs to the caller", testReturnedSlices},
	{"what is passed is neither kept nor changed", testPassedSlices},
	{"the empty key and reserved keys are invalid", func(t *tester) {
		for _, key := range []string{"", "!badger!x"} {
			for name, err := range map[string]error{
				"Get":    t.s.View(t.Context(), func(r index.Reader) error { _, err := r.Get([]byte(key)); return err }),
				"Put":    t.s.Update(t.Context(), func(tx index.Tx) error { return tx.Put([]byte(key), nil) }),
				"Delete": t.s.Update(t.Context(), func(tx index.Tx) error { return tx.Delete([]byte(key)) }),
			} {
				if !errors.Is(err, index.ErrInvalidKey) {
					t.Errorf("%s(%q): %v, want ErrInvalidKey", name, key, err)
				}
			}
		}
		t.put("after", "it") // a refused key does no harm
	}},
}

func testBounds(t *tester) {
	keys := []string{
		"\x00", "\x00\x00", "\x01", "a", "a\x00", "a\x00b", "a\x01", "aa", "b", "\xFE\xFF", "\xFF",
		"\xFF\x00", "\xFF\xFF",
	}
	for i := range keys { // stored in another order
		key := keys[i*5%len(keys)]
		t.put(key, "v"+key)
	}
	bounds := append([]string{"a\x00a", "c", "\xFF\xFF\xFF"}, keys...)
	check := func(start, end []byte, bounded bool) {
		t.Helper()
		var want, got []string
		for _, key := range keys {
			if key >= string(start) && (!bounded || key < string(end)) {
				want = append(want, key, "v"+key)
			}
		}
		t.view(func(r index.Reader) (err error) {
			got, err = scanAll(r, start, end)
			return err
		})
		if !slices.Equal(got, want) {
			t.Errorf("Scan(%q, %q) shows %q, want %q", start, end, got, want)
		}
	}
	check(nil, nil, false)
	check([]byte{}, []byte{}, true) // an empty end is a bound that nothing is below
	for _, start := range bounds {
		check([]byte(start), nil, false)
		check(nil, []byte(start), true)
		for _, end := range bounds {
			check([]byte(start), []byte(end), true)
		}
	}
}

func testEarlyBreak(t *tester) {
	t.put("a", "1", "b", "2", "c", "3")
	leave := func(r index.Reader) error {
		for range 3 {
			for item, err := range r.Scan(nil, nil) {
				if string(item.Key) != "a" || err != nil {
					return fmt.Errorf("first step is %q, %w", item.Key, err)
				}
				break
			}
		}
		return nil
	}
	t.view(leave)
	t.update(func(tx index.Tx) error {
		return errors.Join(leave(tx), tx.Delete([]byte("b")), leave(tx))
	})
	t.want("a", "1", "c", "3")
}

func testReturnedSlices(t *tester) {
	t.put("a", "1", "b", "2", "c", "3")
	spoil := func(r index.Reader) error {
		var items []index.Item
		for item, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		got := ""
		for _, item := range items { // they outlive the step
			got += string(item.Key) + string(item.Value)
			clear(item.Key)
			clear(item.Value)
			_ = append(append(item.Key, "spoiled"...), append(item.Value, "spoiled"...)...)
		}
		if got != "a1b2c3" {
			return fmt.Errorf("items after the loop are %s", got)
		}
		v, err := r.Get([]byte("b"))
		clear(v)
		return err
	}
	t.view(spoil)
	t.update(func(tx index.Tx) error { return spoil(tx) })
	t.update(func(tx index.Tx) error { // the slices of changes that are not committed yet, too
		if err := putAll(tx, "a", "1", "b", "2", "c", "3"); err != nil {
			return err
		}
		return errors.Join(spoil(tx), spoil(tx))
	})
	t.want("a", "1", "b", "2", "c", "3")
}

func testPassedSlices(t *tester) {
	t.put("gone", "1", "stays", "2")
	t.update(func(tx index.Tx) error {
		key, val, gone := []byte("key"), []byte("value"), []byte("gone")
		if err := errors.Join(tx.Put(key, val), tx.Delete(gone)); err != nil {
			return err
		}
		if string(key) != "key" || string(val) != "value" || string(gone) != "gone" {
			return fmt.Errorf("the caller's slices became %q, %q, %q", key, val, gone)
		}
		copy(key, "xxx")
		copy(val, "xxxxx")
		copy(gone, "stay")
		return compare(tx, "key", "value", "stays", "2")
	})
	t.want("key", "value", "stays", "2")
}
