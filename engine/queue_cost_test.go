package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A buryingIndex keeps what was deleted as a database of sorted tables does, where a scan has to
// pass it, and counts what is done. It also notes deletions of keys that are not there.
type buryingIndex struct {
	*index.Memory

	mu             sync.Mutex // guards the fields below
	graves         map[byte][]string
	passed         int // graves and records
	held           int // of these, those passed in updates, for which all others wait
	views, updates int
	needless       map[string]bool // deletions, by table
}

func newBuryingIndex() *buryingIndex {
	return &buryingIndex{Memory: index.NewMemory(), graves: map[byte][]string{}, needless: map[string]bool{}}
}

func (s *buryingIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	s.mu.Lock()
	s.views++
	s.mu.Unlock()
	return s.Memory.View(ctx, func(r index.Reader) error { return fn(buryingReader{r, s, false}) })
}

func (s *buryingIndex) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return index.GetByView(ctx, s.View, keys)
}

func (s *buryingIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	s.mu.Lock()
	s.updates++
	s.mu.Unlock()
	return s.Memory.Update(ctx, func(tx index.Tx) error { return fn(buryingTx{buryingReader{tx, s, true}, tx}) })
}

type buryingReader struct {
	index.Reader
	s    *buryingIndex
	held bool // by an update
}

func (r buryingReader) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		upTo := string(end)
		records := 0
		for item, err := range r.Reader.Scan(start, end) {
			records++
			if !yield(item, err) {
				upTo = string(item.Key)
				break
			}
		}
		r.pass(string(start), upTo, records)
	}
}

// pass counts what a scan has passed.
func (r buryingReader) pass(start, end string, records int) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if start != "" { // else it is whether the index is empty
		graves := s.graves[start[0]]
		from, _ := slices.BinarySearch(graves, start)
		to, _ := slices.BinarySearch(graves, end)
		records += max(to-from, 0)
	}
	s.passed += records
	if r.held {
		s.held += records
	}
}

type buryingTx struct {
	buryingReader
	tx index.Tx
}

func (t buryingTx) Put(key, value []byte) error { return t.tx.Put(key, value) }

func (t buryingTx) Delete(key []byte) error {
	_, err := t.tx.Get(key)
	t.s.mu.Lock()
	if errors.Is(err, index.ErrNotFound) {
		t.s.needless[string(key[:1])] = true
	}
	graves := t.s.graves[key[0]]
	if at, there := slices.BinarySearch(graves, string(key)); !there {
		t.s.graves[key[0]] = slices.Insert(graves, at, string(key))
	}
	t.s.mu.Unlock()
	return t.tx.Delete(key)
}

// did returns what was done since the last call.
func (s *buryingIndex) did() (passed, views, updates int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed, views, updates = s.passed, s.views, s.updates
	s.passed, s.views, s.updates = 0, 0, 0
	return passed, views, updates
}

// heldBy returns how many records, living or dead, the updates of do have passed.
func (s *buryingIndex) heldBy(do func()) int {
	s.mu.Lock()
	before := s.held
	s.mu.Unlock()
	do()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held - before
}

// TestCostAfterDeletions does some of each operation, then GABION_DELETIONS of them, a simulated
// day apart, and some again: they must not pass more records, living or dead, and must not take
// more transactions.
func TestCostAfterDeletions(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var clock sync.Mutex
	idx := newBuryingIndex()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{
		Rules: engine.S3, ChunkSize: 4 << 10,
		Clock: func() time.Time {
			clock.Lock()
			defer clock.Unlock()
			now = now.Add(time.Millisecond)
			return now
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkStore(t, e)
		e.Close()
	})
	mustBucket(t, e, "bucket")
	large := random(1, 40_000)
	open := mustInitiate(t, e, "bucket", "open", "")
	mustPart(t, e, "bucket", "open", open, 1, large)
	operations := []struct {
		name string
		do   func(n int)
	}{
		{"PutObject", func(n int) {
			mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: fmt.Sprint("put ", n%10), Body: strings.NewReader("small")})
		}},
		{"PutObject in chunks", func(n int) {
			if n%4 == 0 {
				mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: fmt.Sprint("large ", n%10), Body: bytes.NewReader(large)})
			}
		}},
		{"UploadPart", func(n int) { mustPart(t, e, "bucket", "open", open, 1, []byte("part")) }},
		{"Complete", func(n int) {
			id := mustInitiate(t, e, "bucket", "complete", "")
			mustPart(t, e, "bucket", "complete", id, 1, []byte("part"))
			mustComplete(t, e, "bucket", "complete", id)
		}},
		{"Abort", func(n int) {
			id := mustInitiate(t, e, "bucket", "abort", "")
			mustPart(t, e, "bucket", "abort", id, 1, []byte("part"))
			mustAbort(t, e, "bucket", "abort", id)
		}},
		{"DeleteObject", func(n int) { mustDelete(t, e, "bucket", fmt.Sprint("put ", n%10)) }},
		{"ListParts", func(n int) {
			if _, err := e.ListParts(context.Background(), &engine.ListPartsRequest{Bucket: "bucket", Key: "open", UploadID: open}); err != nil {
				t.Fatal(err)
			}
		}},
		{"Expire", func(n int) {
			clock.Lock()
			before := now.Add(-time.Hour)
			clock.Unlock()
			if _, err := e.Expire(context.Background(), &engine.ExpireRequest{Before: before}); err != nil {
				t.Fatal(err)
			}
		}},
	}
	const some = 40
	measure := func(do func(int)) (passed, transactions int) {
		mustReclaim(t, e)
		idx.did()
		for n := range some {
			do(n)
		}
		mustReclaim(t, e)
		passed, views, updates := idx.did()
		return passed, views + updates
	}
	type cost struct{ passed, transactions int }
	before := map[string]cost{}
	for _, op := range operations {
		passed, transactions := measure(op.do)
		before[op.name] = cost{passed, transactions}
	}
	for n := range rounds(t, "GABION_DELETIONS", 2000) {
		for _, op := range operations[:6] {
			op.do(n)
		}
	}
	clock.Lock()
	now = now.Add(24 * time.Hour)
	clock.Unlock()
	operations[2].do(0) // a part of today, which keeps its upload
	operations[3].do(0)
	operations[7].do(0) // passes once the uploads that have ended since the last one
	mustReclaim(t, e)
	for _, op := range operations {
		passed, transactions := measure(op.do)
		t.Logf("%s: %d records passed in %d transactions, before %+v", op.name, passed, transactions, before[op.name])
		if most := before[op.name].passed*3/2 + 10*some; passed > most {
			t.Errorf("%s: %d passed, want at most %d", op.name, passed, most)
		}
		// The worker may come once for each of them, or once for all.
		if most := before[op.name].transactions + 12*some; transactions > most {
			t.Errorf("%s: %d transactions, want at most %d", op.name, transactions, most)
		}
	}
	for table := range idx.needless {
		t.Errorf("keys of table %s are deleted that are not there", table)
	}
}

// TestNoWakeUpWithoutWork puts objects that replace nothing: the worker must not look at the
// index.
func TestNoWakeUpWithoutWork(t *testing.T) {
	idx := newBuryingIndex()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	put := func(n int) {
		mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: fmt.Sprint(n), Body: strings.NewReader("small")})
	}
	put(0)
	mustReclaim(t, e)
	idx.did()
	const puts = 500
	for n := range puts {
		put(1 + n)
	}
	_, views, updates := idx.did()
	// A put looks at its bucket and at what it may replace.
	if views > 2*puts+10 || updates != puts {
		t.Errorf("%d puts took %d views and %d updates, want 2 and 1 each", puts, views, updates)
	}
}

// TestSweepTakesManyAtOnce deletes a thousand objects in one call: each transaction that sweeps
// them costs a sync, so they must share a few.
func TestSweepTakesManyAtOnce(t *testing.T) {
	idx := newBuryingIndex()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkStore(t, e)
		e.Close()
	})
	mustBucket(t, e, "bucket")
	req := &engine.DeleteObjectsRequest{Bucket: "bucket", Quiet: true}
	for n := range 1000 {
		key := fmt.Sprint(n)
		mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: key, Body: strings.NewReader("small")})
		req.Keys = append(req.Keys, key)
	}
	mustReclaim(t, e)
	idx.did()
	if _, err := e.DeleteObjects(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	mustReclaim(t, e)
	if left := tallyOf(t, e); left != (tally{}) {
		t.Errorf("there is left: %+v", left)
	}
	if _, _, updates := idx.did(); updates > 100 {
		t.Errorf("1000 deletions took %d transactions", updates)
	}
}
