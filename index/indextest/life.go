package indextest

import (
	"context"
	"errors"
	"fmt"

	"github.com/gabion-storage/gabion/index"
)

func free(s index.Store) error {
	_, err := s.Free()
	return err
}

func get(t *tester, keys ...[]byte) error {
	_, err := t.s.Get(t.Context(), keys...)
	return err
}

var lifeClauses = []clause{
	{"calls after Close are ErrClosed", func(t *tester) {
		t.put("a", "1")
		if err := t.s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		for name, err := range map[string]error{
			"View":           t.s.View(t.Context(), func(index.Reader) error { t.Error("a view runs"); return nil }),
			"Get":            get(t, []byte("a")),
			"Get of nothing": get(t),
			"Update":         t.s.Update(t.Context(), func(index.Tx) error { t.Error("an update runs"); return nil }),
			"Close":          t.s.Close(),
			"Compact":        t.s.Compact(t.Context()),
			"Free":           free(t.s),
		} {
			if !errors.Is(err, index.ErrClosed) {
				t.Errorf("%s after Close: %v, want ErrClosed", name, err)
			}
		}
	}},
	{"Close waits for an Update that runs, and those that wait for it", func(t *tester) {
		release := t.hold()
		var queued []<-chan error
		for i := range 4 {
			queued = append(queued, t.background(func(ctx context.Context) error {
				return t.s.Update(
					ctx, func(tx index.Tx) error { return putAll(tx, fmt.Sprint(i), "x") },
				)
			}))
		}
		settle()
		closed := t.background(func(context.Context) error { return t.s.Close() })
		settle()
		select {
		case err := <-closed:
			t.Errorf("Close returned %v while an update ran", err)
		default:
		}
		release()
		for _, q := range queued {
			// One that came after Close, however little, is refused.
			if err := t.wait(q); err != nil && !errors.Is(err, index.ErrClosed) {
				t.Errorf("a queued update: %v", err)
			}
		}
		if err := t.wait(closed); err != nil {
			t.Errorf("Close: %v", err)
		}
	}},
	{"Close waits for a View that runs", func(t *tester) {
		t.put("a", "1")
		var closed <-chan error
		t.view(func(r index.Reader) error {
			closed = t.background(func(context.Context) error { return t.s.Close() })
			settle()
			select {
			case err := <-closed:
				t.Errorf("Close returned %v while a view ran", err)
			default:
			}
			t.wantIn(r, "a", "1")
			return nil
		})
		if err := t.wait(closed); err != nil {
			t.Errorf("Close: %v", err)
		}
	}},
	{"a View that panics leaves the store usable", func(t *tester) {
		t.put("a", "1")
		func() {
			defer func() {
				if p := recover(); p != "the test panics" {
					t.Errorf("recovered %v", p)
				}
			}()
			_ = t.s.View(t.Context(), func(r index.Reader) error {
				for range r.Scan(nil, nil) {
					panic("the test panics")
				}
				return nil
			})
		}()
		t.want("a", "1")
	}},
}
