package fleet_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/internal/nodes"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/index/indextest"
)

// A history is the calls of some clients, at some keys of a bucket of its own.
type history struct {
	*cluster
	bucket string
	begun  time.Time

	mu      sync.Mutex // guards what follows
	calls   []porcupine.Operation
	uploads []request // those that were initiated
	wrong   []error   // what no call may fail with
}

// clients is how many make calls at the same time.
const clients = 3

// client makes calls, each of any node.
func (h *history) client(number int, rng *rand.Rand) {
	for range 12 {
		h.make(number, h.any(rng), h.draw(rng), pause(rng))
	}
}

// pause is how long a call stops amid its body: often not at all, or as long as other calls take.
func pause(rng *rand.Rand) time.Duration {
	return time.Duration(rng.IntN(2)) * lease / 2
}

// body is one of a few, so that most of its chunks are stored already, or were, or one of many.
func body(rng *rand.Rand) nodes.Body { return nodes.Part(rng.Int32N(2) * rng.Int32N(1000)) }

// draw decides on a call.
func (h *history) draw(rng *rand.Rand) request {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := request{key: fmt.Sprint("key", rng.IntN(2)), body: body(rng)}
	r.op = []string{"Put", "Put", "Delete", "Get", "Get", "Begin"}[rng.IntN(6)]
	if len(h.uploads) == 0 || rng.IntN(2) == 0 {
		return r
	}
	up := &h.uploads[rng.IntN(len(h.uploads))]
	r.key, r.id, r.number = up.key, up.id, 1+rng.IntN(2)
	r.op = []string{"UploadPart", "UploadPart", "Complete", "Abort"}[rng.IntN(4)]
	if r.op == "UploadPart" {
		up.list[r.number] = r.body
	}
	if r.op == "Complete" {
		r.list = maps.Clone(up.list)
	}
	return r
}

// make makes a call, and notes it. One that has failed for want of a server has done nothing.
func (h *history) make(client int, node *nodes.Node, r request, pause time.Duration) {
	begun := time.Since(h.begun)
	id, got, err := h.call(node, r, pause)
	ended := time.Since(h.begun)
	h.mu.Lock()
	defer h.mu.Unlock()
	told := response{got: got}
	var failed *engine.Error
	switch {
	case err == nil:
	case errors.Is(err, nodes.ErrGone):
		told.lost, ended = true, endOfTime
	case mayFail(err):
		return
	case errors.As(err, &failed) && failed.HTTPStatus < 500 && failed.HTTPStatus >= 400:
		told.code = failed.Code
	default:
		h.wrong = append(h.wrong, fmt.Errorf("%s of %s: %w", r.op, r.key, err))
		return
	}
	if r.op == "Begin" {
		if told.lost {
			return // its id is nobody's
		}
		r.id, r.list = id, map[int]nodes.Body{}
		h.uploads = append(h.uploads, r)
	}
	h.calls = append(h.calls, porcupine.Operation{
		ClientId: client, Input: r, Call: int64(begun), Output: told, Return: int64(ended),
	})
}

// endOfTime is after every call.
const endOfTime = 1000 * time.Hour

func (h *history) call(
	node *nodes.Node, r request, pause time.Duration,
) (id string, got content, err error) {
	switch r.op {
	case "Put":
		err = node.Put(h.bucket, r.key, r.body, pause)
	case "Delete":
		err = node.Delete(h.bucket, r.key)
	case "Get":
		got.body, err = node.Get(h.bucket, r.key, pause)
		got.there = err == nil
	case "Begin":
		id, err = node.Begin(h.bucket, r.key)
	case "UploadPart":
		err = node.UploadPart(h.bucket, r.key, r.id, r.number, r.body, pause)
	case "Abort":
		err = node.Abort(h.bucket, r.key, r.id)
	case "Complete":
		var list []engine.CompletedPart
		for _, number := range slices.Sorted(maps.Keys(r.list)) {
			list = append(list, engine.CompletedPart{
				PartNumber: number, ETag: r.list[number].ETag(),
			})
		}
		err = node.Complete(h.bucket, r.key, r.id, list)
	}
	return id, got, err
}

// fault is what happens to nodes during a history.
func (h *history) fault(rng *rand.Rand) {
	time.Sleep(moment(rng))
	switch rng.IntN(4) {
	case 0:
		m := h.members[rng.IntN(len(h.members))]
		m.get().Kill()
		h.start(m)
	case 1:
		h.stop(h.any(rng), lease/4)
	default:
		h.stopAmid(rng)
	}
}

// stopAmid has a node stop until its lease has ended, and what it has stored of an object was given
// back. Then it goes on with the object, at a key that nobody else writes.
func (h *history) stopAmid(rng *rand.Rand) {
	node, r := h.any(rng), request{op: "Put", key: "key2", body: nodes.Part(2000 + rng.Int32N(50_000))}
	var putting sync.WaitGroup
	putting.Go(func() { h.make(clients, node, r, lease/2) })
	time.Sleep(lease / 4)
	h.stop(node, 2*lease)
	putting.Wait()
}

// judged makes a history, and says what is wrong with it, if anything is.
func (c *cluster) judged(name string, rng *rand.Rand) error {
	c.Helper()
	h := &history{cluster: c, bucket: name, begun: time.Now()}
	if err := c.any(rng).CreateBucket(name); err != nil {
		c.Fatal(err)
	}
	var running sync.WaitGroup
	for client := range clients {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		running.Go(func() { h.client(client, own) })
	}
	stop := c.reclaiming(rng, 50*time.Millisecond, func(err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.wrong = append(h.wrong, err)
	})
	h.fault(rng)
	running.Wait()
	stop()
	c.heal()
	for key := range 3 {
		h.make(0, c.any(rng), request{op: "Get", key: fmt.Sprint("key", key)}, 0)
	}
	return h.judge()
}

// judge looks for an order of the calls.
func (h *history) judge() error {
	if err := errors.Join(h.wrong...); err != nil {
		return err
	}
	switch porcupine.CheckOperationsTimeout(model, h.calls, time.Minute) {
	case porcupine.Illegal:
		return errors.New("the calls have no order")
	case porcupine.Unknown:
		return errors.New("the calls may have an order: it was not found in time")
	}
	h.Logf("%s: %d calls have an order", h.bucket, len(h.calls))
	return nil
}

// TestLinearizable has three clients make calls of three nodes, at the same keys, while nodes are
// killed and stopped and space is given back. There must be an order in which each call makes
// sense. GABION_HISTORIES sets how often.
func TestLinearizable(t *testing.T) {
	rng := rand.New(rand.NewPCG(indextest.Seed(t), 0))
	c := newCluster(t, 3, postgres.Start(t), false)
	for n := range rounds(t, "GABION_HISTORIES", 5) {
		if err := c.judged(fmt.Sprint("history-", n), rng); err != nil {
			t.Fatalf("history %d: %v", n, err)
		}
	}
	c.check(rng)
	c.close()
}

// TestLinearizableNeedsLeases makes the same calls of nodes that do not look for their lease when
// they commit. It must find that something is wrong: else TestLinearizable shows nothing.
func TestLinearizableNeedsLeases(t *testing.T) {
	rng := rand.New(rand.NewPCG(indextest.Seed(t), 0))
	c := newCluster(t, 3, postgres.Start(t), true)
	const enough = 50
	for n := range enough {
		if err := c.judged(fmt.Sprint("history-", n), rng); err != nil {
			t.Logf("history %d: %v", n, err)
			return
		}
	}
	t.Errorf("nothing is wrong with %d histories of nodes that commit without a lease", enough)
}
