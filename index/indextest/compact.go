package indextest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gabion-storage/gabion/index"
)

var compactClauses = []clause{
	{"Compact changes nothing that is read", func(t *tester) {
		if err := t.s.Compact(t.Context()); err != nil {
			t.Errorf("Compact of an empty store: %v", err)
		}
		t.put("a", "1", "b", "", "c", "3", "d", "4")
		t.delete("a")
		t.put("c", "new", "e", string(value('e', index.MaxValueSize)))
		want := []string{"b", "", "c", "new", "d", "4", "e", string(value('e', index.MaxValueSize))}
		for range 2 {
			if err := t.s.Compact(t.Context()); err != nil {
				t.Errorf("Compact: %v", err)
			}
			t.want(want...)
		}
		t.delete("b")
		t.put("a", "again", "d", "again")
		t.want("a", "again", "c", "new", "d", "again", want[6], want[7])
		t.delete("a", "c", "d", "e")
		if err := t.s.Compact(t.Context()); err != nil {
			t.Errorf("Compact: %v", err)
		}
		t.want()
	}},
	{"Compact leaves a View that began before as it is", func(t *tester) {
		t.put("a", "1", "b", "2")
		t.view(func(r index.Reader) error {
			t.put("a", "new", "c", "3")
			t.delete("b")
			for i := range 3 {
				if err := t.s.Compact(t.Context()); err != nil {
					t.Errorf("Compact: %v", err)
				}
				t.put("i", fmt.Sprint(i))
				t.wantIn(r, "a", "1", "b", "2")
			}
			t.want("a", "new", "c", "3", "i", "2")
			return nil
		})
		t.want("a", "new", "c", "3", "i", "2")
	}},
	{"Compact runs beside a Scan", func(t *tester) {
		var want []string
		for i := range 300 {
			want = append(want, fmt.Sprintf("key%03d", i), "x")
		}
		t.put(want...)
		t.view(func(r index.Reader) error {
			var got []string
			for item, err := range r.Scan(nil, nil) {
				if err != nil {
					return err
				}
				if got = append(got, string(item.Key), string(item.Value)); len(got) == 100 {
					t.delete("key060", "key200")
					if err := t.s.Compact(t.Context()); err != nil {
						t.Errorf("Compact: %v", err)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("the scan shows %q", got)
			}
			return nil
		})
	}},
	{"Compact runs beside Updates and other Compacts", testCompactBeside},
	{"Compact with an ended context does nothing", func(t *tester) {
		t.put("a", "1")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := t.s.Compact(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Compact: %v, want Canceled", err)
		}
		if _, err := t.s.Usage(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Usage: %v, want Canceled", err)
		}
		t.want("a", "1")
	}},
	{"Usage and Free are not negative", func(t *tester) {
		t.put("a", "1")
		if u, err := t.s.Usage(t.Context()); err != nil || u.DiskBytes < 0 {
			t.Errorf("Usage: %+v, %v", u, err)
		}
		if n, err := t.s.Free(); err != nil || n < 0 {
			t.Errorf("Free: %d, %v", n, err)
		}
	}},
}

// testCompactBeside counts up counters while the store is compacted by several at once.
func testCompactBeside(t *tester) {
	const counters, counts = 4, 25
	key := func(i int) string { return fmt.Sprintf("counter%d", i) }
	var running []<-chan error
	for i := range counters {
		running = append(running, t.background(func(ctx context.Context) error {
			for n := range counts {
				err := t.s.Update(ctx, func(tx index.Tx) error {
					old, err := tx.Get([]byte(key(i)))
					if n > 0 && (err != nil || string(old) != fmt.Sprint(n-1)) {
						return fmt.Errorf("counter %d is %q, %w, want %d", i, old, err, n-1)
					}
					return errors.Join(
						putAll(tx, key(i), fmt.Sprint(n), fmt.Sprintf("new%d-%d", i, n), "x"),
						deleteAll(tx, fmt.Sprintf("new%d-%d", i, n-1)))
				})
				if err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for range 2 {
		running = append(running, t.background(func(ctx context.Context) error {
			for range 3 {
				if err := t.s.Compact(ctx); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for _, r := range running {
		if err := t.wait(r); err != nil {
			t.Error(err)
		}
	}
	var want []string
	for i := range counters {
		want = append(want, key(i), fmt.Sprint(counts-1))
	}
	for i := range counters {
		want = append(want, fmt.Sprintf("new%d-%d", i, counts-1), "x")
	}
	t.want(want...)
}
