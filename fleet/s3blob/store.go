package s3blob

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/semaphore"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/gate"
)

// Store is the blob.Store on an object store.
type Store struct {
	client  *s3.Client
	bucket  string
	options Options

	memory  *semaphore.Weighted // what waits, and is under way, of Options.Memory
	uploads *semaphore.Weighted
	reads   *semaphore.Weighted
	sending sync.WaitGroup // goroutines that send
	claims  chan struct{}  // holds a token while nobody claims a number

	mostKnown int

	gate gate.Gate

	mu      sync.Mutex // guards what follows; never held during I/O
	opening uint64     // the upper bits of the numbers of volumes; 0: none is claimed
	after   uint64     // the opening is to be above this
	next    uint64     // the lower bits of the next number
	open    *group     // takes frames; nil: none does
	groups  map[uint64]*group
	known   map[uint64]*volume
	removed int // calls of Remove that have asked the object store

	failures []failure // the last ones
}

var _ blob.Store = (*Store)(nil)

// Open opens the store in a bucket, which must exist. It asks the object store for nothing yet. nil
// options work. Any number of stores, in any number of processes, may have the same place open; see
// the package's comment on numbers.
func Open(client *s3.Client, bucket string, o *Options) (*Store, error) {
	options, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		client: client, bucket: bucket, options: options,
		memory:  semaphore.NewWeighted(options.Memory),
		uploads: semaphore.NewWeighted(int64(options.Uploads)),
		reads:   semaphore.NewWeighted(int64(options.Reads)),
		claims:  make(chan struct{}, 1),
		groups:  make(map[uint64]*group),
		known:   make(map[uint64]*volume),

		mostKnown: mostKnown,
	}
	s.claims <- struct{}{}
	return s, nil
}

// enter begins a call; the caller must call s.gate.Leave when it is done.
func (s *Store) enter(ctx context.Context) error { return s.gate.Enter(ctx, blob.ErrClosed) }

// Trim implements blob.Store: objects have no holes.
func (s *Store) Trim(context.Context, uint64, []blob.Ref) (int64, error) {
	return 0, fmt.Errorf("s3blob: trimming: %w", errors.ErrUnsupported)
}

// Free implements blob.Store. The object store says nothing of its limits.
func (s *Store) Free() (int64, error) {
	if err := s.enter(context.Background()); err != nil {
		return 0, err
	}
	s.gate.Leave()
	return math.MaxInt64, nil
}

// NumberAfter implements blob.Store.
func (s *Store) NumberAfter(volume uint64) error {
	if err := s.enter(context.Background()); err != nil {
		return err
	}
	defer s.gate.Leave()
	if volume > blob.MaxVolume {
		return fmt.Errorf("s3blob: volume %d has no number behind it, the greatest is %d",
			volume, uint64(blob.MaxVolume))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = max(s.after, volume>>volumeBits)
	if s.opening <= s.after {
		s.opening = 0 // the next volume has another claimed
	}
	return nil
}

// Close implements blob.Store. It writes what waits, and fails when that fails.
func (s *Store) Close() error {
	if !s.gate.Shut() {
		return blob.ErrClosed
	}
	s.gate.Wait()
	s.mu.Lock()
	waiting := make([]*group, 0, len(s.groups))
	for _, g := range s.groups {
		s.sealLocked(g)
		waiting = append(waiting, g)
	}
	s.mu.Unlock()
	s.sending.Wait()
	var errs []error
	for _, g := range waiting {
		errs = append(errs, g.err)
	}
	return errors.Join(errs...)
}

// VolumeSize is Options.VolumeSize, or its default.
func (s *Store) VolumeSize() int64 { return s.options.VolumeSize }
