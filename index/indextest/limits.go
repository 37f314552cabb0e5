package indextest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/gabion-storage/gabion/index"
)

var limitClauses = []clause{
	{"keys and values up to their limits are stored", func(t *tester) {
		// Such as cannot be made smaller.
		key := string(noise(index.MaxKeySize))
		val := string(value('v', index.MaxValueSize))
		t.put(key, val)
		t.want(key, val)
		t.tooLarge("a longer key", func(tx index.Tx) error { return putAll(tx, key+"k", "") })
		t.tooLarge(
			"a longer key to delete", func(tx index.Tx) error { return deleteAll(tx, key+"k") },
		)
		t.tooLarge("a longer value", func(tx index.Tx) error { return putAll(tx, key, val+"v") })
		t.want(key, val)
	}},
	{"an Update may write MaxTxRecords records", func(t *tester) {
		t.update(fill(index.MaxTxRecords, 0))
		t.count(index.MaxTxRecords)
		t.tooLarge("one more", func(tx index.Tx) error {
			return errors.Join(fill(index.MaxTxRecords, 0)(tx), putAll(tx, "one more", ""))
		})
		t.update(func(tx index.Tx) error { // deletes count like puts, and the same key counts once
			for i := range index.MaxTxRecords {
				key := record(i)
				if err := errors.Join(tx.Put(key, nil), tx.Delete(key)); err != nil {
					return err
				}
			}
			return nil
		})
		t.count(0)
	}},
	{"an Update may write MaxTxBytes bytes", func(t *tester) {
		const records = 100
		size := index.MaxTxBytes/records - index.RecordCost - len(record(0))
		t.update(fill(records, size))
		t.count(records)
		t.tooLarge("one byte more", func(tx index.Tx) error {
			return errors.Join(fill(records, size)(tx), tx.Put(record(0), value('x', size+1)))
		})
		t.update(func(tx index.Tx) error { // what is overwritten does not count
			return errors.Join(
				fill(records, size)(tx), fill(records, 0)(tx), fill(records, size)(tx),
			)
		})
	}},
	{"an Update that is too large fails, even when its function does not care", func(t *tester) {
		t.tooLarge("an ignored error", func(tx index.Tx) error {
			_ = tx.Put([]byte("a"), value('x', index.MaxValueSize+1))
			if err := tx.Put([]byte("b"), nil); !errors.Is(err, index.ErrTooLarge) {
				t.Errorf("Put after a failed one: %v, want ErrTooLarge", err)
			}
			return nil
		})
		t.want()
	}},
	{"an Update that is too large fails alone", func(t *tester) {
		release := t.hold()
		var done []<-chan error
		for i := range 6 {
			done = append(done, t.background(func(ctx context.Context) error {
				return t.s.Update(ctx, func(tx index.Tx) error {
					if i == 3 {
						return fill(index.MaxTxRecords+1, 0)(tx)
					}
					return putAll(tx, fmt.Sprint(i), "x")
				})
			}))
		}
		settle()
		release()
		for i, d := range done {
			if err := t.wait(d); errors.Is(err, index.ErrTooLarge) != (i == 3) {
				t.Errorf("update %d: %v", i, err)
			}
		}
		t.want("0", "x", "1", "x", "2", "x", "4", "x", "5", "x")
	}},
	{"updates that are too large together succeed, in turn", testLargeNeighbours},
	{"what an earlier update of the group wrote does not widen the limits", func(t *tester) {
		release := t.hold()
		full := t.background(
			func(ctx context.Context) error { return t.s.Update(ctx, fill(index.MaxTxRecords, 0)) },
		)
		settle()
		over := t.background(
			func(ctx context.Context) error { return t.s.Update(ctx, fill(index.MaxTxRecords+1, 0)) },
		)
		settle()
		release()
		if err := t.wait(full); err != nil {
			t.Errorf("an update at the limit: %v", err)
		}
		if err := t.wait(over); !errors.Is(err, index.ErrTooLarge) {
			t.Errorf("an update over the limit: %v, want ErrTooLarge", err)
		}
	}},
}

// testLargeNeighbours queues updates of which no two fit one transaction. Each depends on the one
// before.
func testLargeNeighbours(t *tester) {
	const updates = 6
	release := t.hold()
	var done []<-chan error
	for i := range updates {
		done = append(done, t.background(func(ctx context.Context) error {
			return t.s.Update(ctx, func(tx index.Tx) error {
				if err := increment("n")(tx); err != nil {
					return err
				}
				n, err := tx.Get([]byte("n"))
				if err != nil {
					return err
				}
				pairs, err := scanAll(tx, []byte("big"), []byte("bih"))
				if len(pairs) != 4*(int(n[0]-'0')-1) || err != nil {
					return fmt.Errorf("update %s sees %d pairs, %w", n, len(pairs)/2, err)
				}
				big := value(byte(i), index.MaxValueSize)
				return errors.Join(
					tx.Put(append([]byte("big"), n...), big),
					tx.Put(append([]byte("big+"), n...), big),
				)
			})
		}))
	}
	settle()
	release()
	for i, d := range done {
		if err := t.wait(d); err != nil {
			t.Errorf("update %d: %v", i, err)
		}
	}
	t.count(2*updates + 1)
}

func (t *tester) tooLarge(name string, fn func(index.Tx) error) {
	t.Helper()
	if err := t.s.Update(t.Context(), fn); !errors.Is(err, index.ErrTooLarge) {
		t.Errorf("%s: %v, want ErrTooLarge", name, err)
	}
}

func (t *tester) count(want int) {
	t.Helper()
	got := 0
	t.view(func(r index.Reader) error {
		for _, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			got++
		}
		return nil
	})
	if got != want {
		t.Errorf("%d records are stored, want %d", got, want)
	}
}

// fill puts n records with values of size bytes.
func fill(n, size int) func(index.Tx) error {
	return func(tx index.Tx) error {
		for i := range n {
			if err := tx.Put(record(i), value(byte(i), size)); err != nil {
				return err
			}
		}
		return nil
	}
}

// noise returns bytes that no database packs.
func noise(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // it never fails
	return b
}

func record(i int) []byte { return fmt.Appendf(nil, "record%06d", i) }
