package engine

import (
	"bytes"
	"context"

	"github.com/gabion-storage/gabion/index"
)

// Limits of a window, and of what one transaction writes of it: some of the latter is left for what
// the transaction writes beside.
const (
	windowRecords = 4096
	windowBytes   = 4 << 20
	writeBytes    = index.MaxTxBytes - 64<<10
)

// A pair is what a store and its clone have under one key. Either is nil if it has nothing there.
type pair struct {
	key      []byte
	from, to *index.Item
}

// pairs has use see what the store and the clone have in a range, in the order of the keys, as many
// at a time as fit into a window.
func (p *pull) pairs(
	ctx context.Context, see look, start, end []byte, use func([]pair) error,
) error {
	for start != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		var from, to window
		err := see(ctx, func(r index.Reader) (err error) {
			from, err = readWindow(r, start, end)
			return err
		})
		if err != nil {
			return err
		}
		err = p.to.index.View(ctx, func(r index.Reader) (err error) {
			to, err = readWindow(r, start, end)
			return err
		})
		if err != nil {
			return err
		}
		start = earlier(from.next, to.next)
		if err := use(match(from.before(start), to.before(start))); err != nil {
			return err
		}
		p.report()
	}
	return nil
}

// A window is a run of records, and the key of the first one behind it, nil if there is none.
type window struct {
	items []index.Item
	next  []byte
}

func readWindow(r index.Reader, start, end []byte) (w window, err error) {
	size := 0
	for item, err := range r.Scan(start, end) {
		if err != nil {
			return w, err
		}
		if len(w.items) == windowRecords || size > windowBytes {
			w.next = item.Key
			break
		}
		w.items = append(w.items, item)
		size += len(item.Key) + len(item.Value)
	}
	return w, nil
}

// before are the records below a key; nil is above all.
func (w *window) before(key []byte) []index.Item {
	n := len(w.items)
	for key != nil && n > 0 && bytes.Compare(w.items[n-1].Key, key) >= 0 {
		n--
	}
	return w.items[:n]
}

// earlier returns the smaller key; nil is above all.
func earlier(a, b []byte) []byte {
	if a == nil || b != nil && bytes.Compare(b, a) < 0 {
		return b
	}
	return a
}

// match puts together what lies under the same key.
func match(from, to []index.Item) (pairs []pair) {
	for len(from) > 0 || len(to) > 0 {
		var order int
		switch {
		case len(from) == 0:
			order = +1
		case len(to) == 0:
			order = -1
		default:
			order = bytes.Compare(from[0].Key, to[0].Key)
		}
		var next pair
		if order <= 0 {
			next.key, next.from, from = from[0].Key, &from[0], from[1:]
		}
		if order >= 0 {
			next.key, next.to, to = to[0].Key, &to[0], to[1:]
		}
		pairs = append(pairs, next)
	}
	return pairs
}

// records makes a table of the clone what the store has in it. A record that is damaged is copied,
// so that the clone says of it what the store says, but not over one that is not.
func (p *pull) records(ctx context.Context, see look, table index.Range[index.Opaque]) error {
	return p.pairs(ctx, see, table.Start, table.End, func(pairs []pair) error {
		var differ []pair
		for _, r := range pairs {
			damaged := r.from != nil && index.Verify(r.key, r.from.Value) != nil
			p.damaged = p.damaged || damaged
			same := r.from != nil && r.to != nil && bytes.Equal(r.from.Value, r.to.Value)
			if same || damaged && r.to != nil {
				continue
			}
			differ = append(differ, r)
		}
		return p.write(ctx, differ)
	})
}

// write makes records of the clone what they are in the store.
func (p *pull) write(ctx context.Context, records []pair) error {
	for len(records) > 0 {
		if err := p.to.room(); err != nil {
			return err
		}
		n := fitting(records)
		err := p.update(ctx, func(tx index.Tx) (err error) {
			for _, r := range records[:n] {
				if r.from == nil {
					err = tx.Delete(r.key)
				} else {
					err = tx.Put(r.key, r.from.Value)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.progress.Records += int64(n)
		records = records[n:]
	}
	return nil
}

// fitting is how many records fit one transaction, at least one.
func fitting(records []pair) (n int) {
	for size := 0; n < len(records); n++ {
		size += len(records[n].key) + index.RecordCost
		if records[n].from != nil {
			size += len(records[n].from.Value)
		}
		if size > writeBytes && n > 0 {
			break
		}
	}
	return n
}
