package pgindex_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/pgindex"
	"github.com/gabion-storage/gabion/index"
)

// BenchmarkNodes publishes parts of 16 new chunks, from 8 goroutines of each node, and reports the
// parts a second of all nodes. Every part counts up the same totals.
func BenchmarkNodes(b *testing.B) {
	server := postgres.Start(b)
	for _, n := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			schema := fmt.Sprintf("bench_%d_%d", n, b.N)
			var nodes []index.Store
			for range n {
				s, err := pgindex.Open(
					context.Background(), server.DSN(), &pgindex.Options{Schema: schema, Views: 1},
				)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				nodes = append(nodes, s)
			}
			var next atomic.Int64
			var running sync.WaitGroup
			b.ResetTimer()
			for i := range 8 * n {
				running.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if err := publish(nodes[i%n], "totals"); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "parts/s")
		})
	}
}

// publish writes what the engine does for a part: each chunk's record, the part's, the volume's and
// the totals.
func publish(s index.Store, totals string) error {
	keys := make([][]byte, 17)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "C%032x", [2]uint64{rand.Uint64(), rand.Uint64()})
	}
	return s.Update(context.Background(), func(tx index.Tx) error {
		for _, key := range append([][]byte{[]byte("upload")}, keys...) {
			if _, err := tx.Get(key); err != nil && !errors.Is(err, index.ErrNotFound) {
				return err
			}
		}
		for _, key := range keys {
			if err := tx.Put(key, make([]byte, 40)); err != nil {
				return err
			}
		}
		for _, key := range []string{"volume" + totals, totals} {
			old, err := tx.Get([]byte(key))
			if err != nil && !errors.Is(err, index.ErrNotFound) {
				return err
			}
			if err := tx.Put([]byte(key), fmt.Appendf(nil, "%020d", len(old)+1)); err != nil {
				return err
			}
		}
		return nil
	})
}
