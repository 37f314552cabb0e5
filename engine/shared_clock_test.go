package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// clockIndex is an index with a clock.
type clockIndex struct {
	index.Store
	now func() (time.Time, error)
}

func (c clockIndex) Now(context.Context) (time.Time, error) { return c.now() }

// TestExpireByTheIndexClock expires uploads by a node whose clock is two days ahead, or behind, of that
// of the index: what is idle for less than UploadExpiry by either stays.
func TestExpireByTheIndexClock(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	own, shared := start, start
	var failure error
	idx := clockIndex{index.NewMemory(), func() (time.Time, error) { return shared, failure }}
	e := openStores(t, idx, blob.NewMemory(0), &engine.Options{
		Node: "a", Clock: func() time.Time { return own }, UploadExpiry: 100 * 24 * time.Hour,
	})
	mustBucket(t, e, "bucket")
	mustInitiate(t, e, "bucket", "key", "")
	later := start.Add(101 * 24 * time.Hour)
	expire := func(when string, want int64) {
		t.Helper()
		res, err := e.Expire(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.Uploads != want {
			t.Errorf("%s: %d uploads are aborted, want %d", when, res.Uploads, want)
		}
	}
	own, shared = later, start
	expire("the node's clock is ahead", 0)
	own, shared = start, later
	expire("the node's clock is behind", 0)
	failure = index.ErrUnavailable
	if _, err := e.Expire(t.Context(), nil); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("Expire without the index's clock: %v, want ErrUnavailable", err)
	}
	own, shared, failure = later, later, nil
	expire("both are right", 1)
}
