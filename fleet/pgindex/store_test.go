package pgindex_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/pgindex"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// openNode opens a node. The test's cleanup closes it.
func openNode(t *testing.T, dsn string, o *pgindex.Options) *pgindex.Store {
	t.Helper()
	s, err := pgindex.Open(context.Background(), dsn, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// schemas names a schema for each store of a server.
type schemas struct{ n atomic.Int32 }

func (s *schemas) next() string { return fmt.Sprintf("store_%d", s.n.Add(1)) }

func TestStore(t *testing.T) {
	server := postgres.Start(t)
	var names schemas
	indextest.Run(t, func(t *testing.T) index.Store {
		return openNode(t, server.DSN(), &pgindex.Options{Schema: names.next(), Views: 40})
	})
}

// TestNodes has two nodes, and four, make calls at the same time.
func TestNodes(t *testing.T) {
	server := postgres.Start(t)
	for _, n := range []int{2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			o := &pgindex.Options{Schema: fmt.Sprintf("nodes_%d", n)}
			var nodes []index.Store
			for range n {
				nodes = append(nodes, openNode(t, server.DSN(), o))
			}
			indextest.History(t, nodes...)
		})
	}
}

// TestManyKeysInATurn looks up more keys than are sent with what waits for the turn. Another node has
// written them, so all are missing at first.
func TestManyKeysInATurn(t *testing.T) {
	server := postgres.Start(t)
	writer, reader := openNode(t, server.DSN(), nil), openNode(t, server.DSN(), nil)
	const keys = 3000
	key := func(n int) []byte { return fmt.Appendf(nil, "%040d", n) }
	for from := 0; from < keys; from += keys / 2 {
		err := writer.Update(t.Context(), func(tx index.Tx) error {
			for n := from; n < from+keys/2; n++ {
				if err := tx.Put(key(n), []byte{byte(n)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	err := reader.Update(t.Context(), func(tx index.Tx) error {
		found = 0
		for n := range keys {
			value, err := tx.Get(key(n))
			if err == nil && len(value) == 1 && value[0] == byte(n) {
				found++
			}
		}
		return tx.Put([]byte("found"), fmt.Append(nil, found))
	})
	if err != nil || found != keys {
		t.Errorf("found %d of %d, %v", found, keys, err)
	}
}

// TestGetInViews gets records amid as many Views as there may be at a time, which those wait for.
func TestGetInViews(t *testing.T) {
	server := postgres.Start(t)
	for _, most := range []int{1, 3} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			s := openNode(t, server.DSN(), &pgindex.Options{Views: most})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var begun, ended sync.WaitGroup
			begun.Add(most)
			for range most {
				ended.Go(func() {
					here := sync.OnceFunc(begun.Done)
					defer here()
					err := s.View(ctx, func(index.Reader) error {
						here()
						begun.Wait()
						_, err := s.Get(ctx, []byte("key"))
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			ended.Wait()
		})
	}
}
