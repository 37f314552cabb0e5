package lease_test

import (
	"bytes"
	"context"
	"iter"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// TestStores: what a node and a turn have is an index.Store.
func TestStores(t *testing.T) {
	join := func(t *testing.T) *lease.Node {
		n, err := lease.Join(t.Context(), lease.Config{
			Index: index.NewMemory(), Name: "a", Lease: time.Hour,
			Condemned: func([]uint64) {}, Alarm: func(err error) { t.Error(err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Leave(context.Background()) }) // the suite has closed its index
		return n
	}
	t.Run("Node", func(t *testing.T) {
		indextest.Run(t, func(t *testing.T) index.Store { return veiled{join(t).Store()} })
	})
	t.Run("Turn", func(t *testing.T) {
		indextest.Run(t, func(t *testing.T) index.Store {
			turn, err := join(t).Take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return veiled{turn.Store()}
		})
	})
}

// veiled is a Store without the rows of its fleet.
type veiled struct{ index.Store }

func (s veiled) View(ctx context.Context, fn func(index.Reader) error) error {
	return s.Store.View(ctx, func(r index.Reader) error { return fn(veiledReader{r}) })
}

func (s veiled) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.Store.Update(ctx, func(tx index.Tx) error { return fn(veiledTx{tx}) })
}

type veiledReader struct{ index.Reader }

func (r veiledReader) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return unveiled(r.Reader, start, end)
}

type veiledTx struct{ index.Tx }

func (tx veiledTx) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return unveiled(tx.Tx, start, end)
}

func unveiled(r index.Reader, start, end []byte) iter.Seq2[index.Item, error] {
	nodes := index.AllNodes()
	return func(yield func(index.Item, error) bool) {
		for item, err := range r.Scan(start, end) {
			if err == nil && (bytes.Equal(item.Key, index.FleetKey()) ||
				bytes.Compare(item.Key, nodes.Start) >= 0 && bytes.Compare(item.Key, nodes.End) < 0) {
				continue
			}
			if !yield(item, err) {
				return
			}
		}
	}
}
