package pgindex_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

// trips counts the round trips of calls, but for those that no call waits for: the ends of Views, what
// makes a connection ready, and what is done by who takes or releases the fleet's turn. It can hold
// gets up.
type trips struct {
	turns atomic.Int64 // of the connection that has the turns
	all   atomic.Int64
	hold  atomic.Pointer[func()]
}

func (n *trips) count(conn *pgx.Conn) {
	n.all.Add(1)
	if conn.Config().RuntimeParams["lock_timeout"] != "" {
		n.turns.Add(1)
	}
}

func (n *trips) TraceQueryStart(
	ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData,
) context.Context {
	if data.SQL != pgindex.SQLGet {
		return ctx
	}
	if hold := n.hold.Load(); hold != nil {
		(*hold)()
	}
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

// TestRoundTrips counts what it takes to upload parts of 16 chunks: one to look the upload up, at
// most one for each chunk, fewer when they are asked for at the same time, and to publish the part
// at most four for the first of a node that knows nothing, and two for those after it, be their
// chunks new or known. An engine that is one of several looks for its lease in the same ones.
func TestRoundTrips(t *testing.T) {
	t.Run("alone", func(t *testing.T) { testRoundTrips(t, "", "") })
	t.Run("of several", func(t *testing.T) { testRoundTrips(t, "one", "two") })
}

const tripChunk = 4 << 10

// tracedEngine opens an engine beside one that has begun an upload, and counts its round trips.
func tracedEngine(t *testing.T, firstNode, secondNode string) (*engine.Engine, *pgindex.Store, *trips, string) {
	server := postgres.Start(t)
	options := func(node string) *engine.Options { // which does not renew its lease meanwhile
		return &engine.Options{ChunkSize: tripChunk, Node: node, Lease: 10 * time.Minute}
	}
	blobs := blob.NewMemory(0)
	one := openNode(t, server.DSN(), nil)
	e := openEngine(t, one, lastingBlobs{blobs}, options(firstNode))
	id := begin(t, e, "bucket", "key")
	n := &trips{}
	two, err := pgindex.OpenTraced(t.Context(), server.DSN(), nil, n)
	if err != nil {
		t.Fatal(err)
	}
	return openEngine(t, two, lastingBlobs{blobs}, options(secondNode)), two, n, id
}

// tripBody is a body of 16 chunks.
func tripBody(seed byte) []byte {
	b := make([]byte, 16*tripChunk)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func testRoundTrips(t *testing.T, firstNode, secondNode string) {
	untilRight(t, func() error { return tripsOfParts(t, firstNode, secondNode) })
}

// untilRight makes calls until they take as few round trips as they should, or fails after some
// tries: what the engine does in the background takes some beside them now and then.
func untilRight(t *testing.T, call func() error) {
	t.Helper()
	const tries = 10
	var wrong []error
	for range tries {
		err := call()
		if err == nil {
			return
		}
		wrong = append(wrong, err)
	}
	t.Error(errors.Join(wrong...))
}

// tripsOfParts says which parts take other numbers of round trips than they should.
func tripsOfParts(t *testing.T, firstNode, secondNode string) error {
	var wrong []error
	e, _, n, id := tracedEngine(t, firstNode, secondNode)
	for i, part := range []struct {
		name string
		body []byte
		most int64
	}{
		{"the first part", tripBody(1), 4}, {"a part of new chunks", tripBody(2), 2},
		{"a part of known chunks", tripBody(1), 2}, {"the same part", tripBody(1), 2},
	} {
		before, all := n.turns.Load(), n.all.Load()
		uploadTrip(t, e, id, i+1, part.body)
		turns, views := n.turns.Load()-before, n.all.Load()-all-(n.turns.Load()-before)
		if turns == 0 || turns > part.most {
			wrong = append(wrong, fmt.Errorf("%s takes %d round trips to publish, want 1 to %d", part.name, turns, part.most))
		}
		if views > 1+16 {
			wrong = append(wrong, fmt.Errorf("%s takes %d round trips before that, want at most 17", part.name, views))
		}
		t.Logf("%s: the call takes %d", part.name, turns+views)
	}
	return errors.Join(wrong...)
}

func uploadTrip(t *testing.T, e *engine.Engine, id string, number int, body []byte) {
	_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
		Bucket: "bucket", Key: "key", UploadID: id, PartNumber: number, Body: bytes.NewReader(body),
	})
	if err != nil {
		t.Error(err)
	}
}

// TestChunksShareRoundTrips holds up the look-ups of two chunks of a part until the other fourteen
// are asked for: these take one round trip together, so the call takes six.
func TestChunksShareRoundTrips(t *testing.T) {
	untilRight(t, func() error {
		if got := sharedTrips(t); got != 6 {
			return fmt.Errorf("the part takes %d round trips, want 6", got)
		}
		return nil
	})
}

// sharedTrips is how many the call takes. Where a look-up of the background was held up instead of one
// of the part, the fourteen never wait, and it takes others.
func sharedTrips(t *testing.T) int64 {
	e, idx, n, id := tracedEngine(t, "", "")
	uploadTrip(t, e, id, 1, tripBody(1)) // from here on the node knows the upload
	var chunks atomic.Int64
	hold := func() {
		if chunks.Add(1) == 1 { // which is the upload's
			return
		}
		for end := time.Now().Add(5 * time.Second); chunks.Load() <= 3 && idx.WaitingGets() < 14; {
			if time.Now().After(end) {
				t.Logf("%d look-ups of chunks wait for their round trip, 14 should", idx.WaitingGets())
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	n.hold.Store(&hold)
	before := n.all.Load()
	uploadTrip(t, e, id, 2, tripBody(2))
	return n.all.Load() - before
}

// TestCallsTakeRoundTrips counts those of other calls: an engine alone takes no more than a node.
func TestCallsTakeRoundTrips(t *testing.T) {
	t.Run("alone", func(t *testing.T) { testCalls(t, "", "") })
	t.Run("of several", func(t *testing.T) { testCalls(t, "one", "two") })
}

func testCalls(t *testing.T, firstNode, secondNode string) {
	e, _, n, _ := tracedEngine(t, firstNode, secondNode)
	put := func(key string, demands engine.Preconditions) func() error {
		return func() error {
			_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{
				Bucket: "bucket", Key: key, Body: bytes.NewReader(tripBody(1)[:100]), Preconditions: demands,
			})
			return err
		}
	}
	keys := 0
	putNew := func(demands engine.Preconditions) func() error { // which leaves nothing to reclaim
		return func() error {
			keys++
			return put(fmt.Sprint("new-", keys), demands)()
		}
	}
	// From here on the node knows the totals.
	if err := put("small", engine.Preconditions{})(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want int64
		call func() error
	}{
		{"PutObject", 3, putNew(engine.Preconditions{})},
		{"PutObject with a precondition", 3, putNew(engine.Preconditions{IfNoneMatch: "*"})},
		{"HeadObject", 1, func() error {
			_, err := e.HeadObject(t.Context(), &engine.HeadObjectRequest{Bucket: "bucket", Key: "small"})
			return err
		}},
		{"HeadBucket", 1, func() error {
			_, err := e.HeadBucket(t.Context(), &engine.HeadBucketRequest{Bucket: "bucket"})
			return err
		}},
		{"GetObjectTagging", 1, func() error {
			_, err := e.GetObjectTagging(t.Context(), &engine.GetObjectTaggingRequest{Bucket: "bucket", Key: "small"})
			return err
		}},
		{"GetObject of an inline object", 3, func() error {
			obj, err := e.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: "small"})
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, obj)
			return errors.Join(err, obj.Close())
		}},
	} {
		untilRight(t, func() error {
			before := n.all.Load()
			if err := c.call(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if got := n.all.Load() - before; got > c.want {
				return fmt.Errorf("%s takes %d round trips, want at most %d", c.name, got, c.want)
			}
			return nil
		})
	}
}
