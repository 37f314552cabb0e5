package engine

import (
	"context"
	"sync"

	"github.com/gabion-storage/gabion/index"
)

// mostArrivals bounds the memory, and what one transaction looks at, of what begins in a bucket
// while it is being deleted. With more DeleteBucket looks at all of the bucket again.
const mostArrivals = 256

// An arrival is an object or, with an id, an upload that may have begun in a bucket: the
// transaction may have failed.
type arrival struct {
	key      string
	uploadID index.ContentID
}

// arrivals are those in one bucket, since they were forgotten.
type arrivals struct {
	mu   sync.Mutex // guards the fields below
	keys []arrival
	more bool // than there is room for

	left chan struct{} // closed when the bucket is not being deleted any more
}

func (a *arrivals) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys, a.more = nil, false
}

func (a *arrivals) add(n arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.keys) == mostArrivals {
		a.more = true
		return
	}
	a.keys = append(a.keys, n)
}

// list returns the arrivals, and whether these are all.
func (a *arrivals) list() (keys []arrival, all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keys, !a.more
}

// deletions knows the buckets that are being deleted. Its methods may be called from many
// goroutines. The zero value knows none.
type deletions struct {
	mu sync.Mutex // guards of
	of map[string]*arrivals
}

// enter waits until nobody else deletes the bucket, and has arrivals in it noted until leave.
func (d *deletions) enter(ctx context.Context, bucket string) (*arrivals, error) {
	mine := &arrivals{left: make(chan struct{})}
	for {
		other := d.take(bucket, mine)
		if other == nil {
			return mine, nil
		}
		select {
		case <-other.left:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take makes the bucket one's own, or returns whose it is.
func (d *deletions) take(bucket string, mine *arrivals) (other *arrivals) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if other = d.of[bucket]; other != nil {
		return other
	}
	if d.of == nil {
		d.of = map[string]*arrivals{}
	}
	d.of[bucket] = mine
	return nil
}

func (d *deletions) leave(bucket string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.of[bucket].left)
	delete(d.of, bucket)
}

// note is called in every transaction that puts a new object or upload into a bucket, whatever
// becomes of it. It costs next to nothing unless the bucket is being deleted.
func (d *deletions) note(bucket string, n arrival) {
	d.mu.Lock()
	a := d.of[bucket]
	d.mu.Unlock()
	if a != nil {
		a.add(n)
	}
}
