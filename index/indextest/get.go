package indextest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gabion-storage/gabion/index"
)

var getClauses = []clause{
	{"values are in the order of the keys, nil where there is none", func(t *tester) {
		t.put("a", "1", "empty", "", "c", "3")
		t.wantGot([]string{"c", "b", "a", "empty", "a"}, "3", nil, "1", "", "1")
		t.wantGot(nil)
	}},
	{"it shows every Update that has returned", func(t *tester) {
		t.wantGot([]string{"a"}, nil)
		for i := range 20 {
			t.put("a", fmt.Sprint(i))
			t.wantGot([]string{"a"}, fmt.Sprint(i))
			t.delete("a")
			t.wantGot([]string{"a"}, nil)
		}
	}},
	{"it does not wait for an Update that runs, nor see it", func(t *tester) {
		t.put("a", "1")
		t.update(func(tx index.Tx) error {
			if err := putAll(tx, "a", "2"); err != nil {
				return err
			}
			return t.got([]string{"a"}, "1")
		})
		t.wantGot([]string{"a"}, "2")
	}},
	{"its values are of one state", testGetIsOneState},
	{"what is returned belongs to the caller", func(t *tester) {
		t.put("a", "1")
		values, err := t.s.Get(t.Context(), []byte("a"), []byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		clear(values[0])
		_ = append(values[0], "spoiled"...)
		if string(values[1]) != "1" {
			t.Errorf("the second value of the same key has become %q", values[1])
		}
		t.wantGot([]string{"a"}, "1")
		t.update(func(tx index.Tx) error { return compare(tx, "a", "1") })
	}},
	{"what is passed is neither kept nor changed", func(t *tester) {
		t.put("a", "1", "b", "2")
		key := []byte("a")
		if _, err := t.s.Get(t.Context(), key); err != nil || string(key) != "a" {
			t.Errorf("Get made %q of the key: %v", key, err)
		}
		copy(key, "b")
		t.wantGot([]string{"a", "b"}, "1", "2")
	}},
	{"the empty key and reserved keys are invalid", func(t *tester) {
		for _, key := range []string{"", "!badger!x"} {
			if _, err := t.s.Get(t.Context(), []byte("a"), []byte(key)); !errors.Is(err, index.ErrInvalidKey) {
				t.Errorf("Get(%q): %v, want ErrInvalidKey", key, err)
			}
		}
	}},
	{"the context's end is its end", func(t *tester) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := t.s.Get(ctx, []byte("a")); !errors.Is(err, context.Canceled) {
			t.Errorf("Get: %v, want context.Canceled", err)
		}
		t.wantGot([]string{"a"}, nil) // for others
	}},
	{"the end of one's context is not that of others", testGetsEnd},
}

// wantGot compares what Get returns with strings, or nil for none.
func (t *tester) wantGot(keys []string, want ...any) {
	t.Helper()
	if err := t.got(keys, want...); err != nil {
		t.Error(err)
	}
}

func (t *tester) got(keys []string, want ...any) error {
	values, err := t.s.Get(t.Context(), asBytes(keys)...)
	if err != nil || len(values) != len(want) {
		return fmt.Errorf("Get(%q) = %q, %w, want %q", keys, values, err, want)
	}
	for i, value := range values {
		text, there := want[i].(string)
		if there != (value != nil) || string(value) != text {
			return fmt.Errorf("Get(%q)[%d] = %q, nil %v, want %q", keys, i, value, value == nil, want[i])
		}
	}
	return nil
}

func asBytes(keys []string) (all [][]byte) {
	for _, key := range keys {
		all = append(all, []byte(key))
	}
	return all
}

// testGetIsOneState has many get two records that every Update writes alike. Each sees at least what
// was there when it began.
func testGetIsOneState(t *tester) {
	t.put("a", "00", "b", "00")
	stop := make(chan struct{})
	var getting sync.WaitGroup
	for range 8 {
		getting.Go(func() {
			last := []byte("00")
			for {
				select {
				case <-stop:
					return
				default:
				}
				values, err := t.s.Get(t.Context(), []byte("b"), []byte("none"), []byte("a"))
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				if !bytes.Equal(values[0], values[2]) || bytes.Compare(values[0], last) < 0 {
					t.Errorf("Get shows %q and %q, after %q", values[0], values[2], last)
				}
				last = values[0]
			}
		})
	}
	for i := range 40 {
		n := fmt.Sprintf("%02d", i)
		t.put("a", n, "b", n)
		t.wantGot([]string{"a", "b"}, n, n)
	}
	close(stop)
	getting.Wait()
}

// testGetsEnd has the contexts of half of those end who get something at the same time.
func testGetsEnd(t *tester) {
	t.put("a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var getting sync.WaitGroup
	for i := range 40 {
		getting.Go(func() {
			if i%2 != 0 {
				t.wantGot([]string{"a"}, "1")
				return
			}
			if i == 20 {
				cancel()
			}
			if _, err := t.s.Get(ctx, []byte("a")); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Get: %v, want context.Canceled", err)
			}
		})
	}
	getting.Wait()
}
