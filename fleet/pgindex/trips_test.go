package pgindex_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/pgindex"
	"github.com/gabion-storage/gabion/index"
)

// trips counts round trips, but for those of who takes or releases the fleet's turn.
type trips struct {
	turns atomic.Int64 // of the connection that has the turns
	all   atomic.Int64
}

func (n *trips) count(conn *pgx.Conn) {
	n.all.Add(1)
	if conn.Config().RuntimeParams["lock_timeout"] != "" {
		n.turns.Add(1)
	}
}

func (n *trips) TraceQueryStart(
	ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData,
) context.Context {
	n.count(conn)
	return ctx
}

func (n *trips) TraceBatchStart(
	ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData,
) context.Context {
	if !aboutTurn(data.Batch) {
		n.count(conn)
	}
	return ctx
}

func aboutTurn(b *pgx.Batch) bool {
	for _, q := range b.QueuedQueries {
		for _, arg := range q.Arguments {
			keys, _ := arg.([][]byte)
			if slices.ContainsFunc(keys, func(key []byte) bool {
				return bytes.Equal(key, index.FleetKey())
			}) {
				return true
			}
		}
	}
	return false
}

func (*trips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (*trips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*trips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// TestRoundTrips counts what it takes to publish parts of 16 chunks: at most four for the first
// part of a node that knows nothing, and two for those after it, be their chunks new or known. An
// engine that is one of several looks for its lease in the same ones.
func TestRoundTrips(t *testing.T) {
	t.Run("alone", func(t *testing.T) { testRoundTrips(t, "", "") })
	t.Run("of several", func(t *testing.T) { testRoundTrips(t, "one", "two") })
}

func testRoundTrips(t *testing.T, firstNode, secondNode string) {
	server := postgres.Start(t)
	const chunk = 4 << 10
	body := func(seed byte) []byte {
		b := make([]byte, 16*chunk)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
		return b
	}
	options := func(node string) *engine.Options { // which does not renew its lease meanwhile
		return &engine.Options{ChunkSize: chunk, Node: node, Lease: 10 * time.Minute}
	}
	blobs := blob.NewMemory(0)
	one := openNode(t, server.DSN(), nil)
	e := openEngine(t, one, lastingBlobs{blobs}, options(firstNode))
	id := begin(t, e, "bucket", "key")
	var n trips
	two, err := pgindex.OpenTraced(t.Context(), server.DSN(), nil, &n)
	if err != nil {
		t.Fatal(err)
	}
	e = openEngine(t, two, lastingBlobs{blobs}, options(secondNode))
	for i, part := range []struct {
		name string
		body []byte
		most int64
	}{
		{"the first part", body(1), 4}, {"a part of new chunks", body(2), 2},
		{"a part of known chunks", body(1), 2}, {"the same part", body(1), 2},
	} {
		before, all := n.turns.Load(), n.all.Load()
		_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
			Bucket: "bucket", Key: "key", UploadID: id, PartNumber: i + 1,
			Body: bytes.NewReader(part.body),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := n.turns.Load() - before; got == 0 || got > part.most {
			t.Errorf("%s takes %d round trips, want 1 to %d", part.name, got, part.most)
		}
		t.Logf("%s: the call takes %d, with its Views", part.name, n.all.Load()-all)
	}
}
