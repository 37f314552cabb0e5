package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// sweepRecords bounds the records that one transaction of the sweeper changes, so that others do
// not wait for it long; a page of a manifest is swept whole, though.
const sweepRecords = 2 * index.MaxPageChunks

// How long the sweeper waits before it looks again at what is still in use, and at what failed.
const (
	sweepInUse  = time.Second
	sweepFailed = time.Minute
)

// The sweeper works in the background. It drops what deletions have put into the trash queue: parts,
// manifests, and references to chunks; then it has volumes compacted. It also aborts stale uploads. Each of its transactions takes a bounded bite off one entry
// and leaves the rest valid, so it can stop and go on anywhere, also in another process.
type sweeper struct {
	engine *Engine
	woken  chan struct{} // holds one token while there may be something to do
	cancel context.CancelFunc
	done   sync.WaitGroup

	turn    chan struct{} // holds a token while nobody sweeps, compacts or checks
	waiting atomic.Int64  // calls that want the turn: the background stands back for them

	mu        sync.Mutex // guards interrupt
	interrupt context.CancelFunc
}

func startSweeper(e *Engine) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{engine: e, woken: make(chan struct{}, 1), cancel: cancel, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	s.wake() // a stop may have left something behind
	s.done.Go(func() { s.run(ctx) })
	return s
}

// wake tells the sweeper that the queue has grown.
func (s *sweeper) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// stop ends the sweeper and waits for it.
func (s *sweeper) stop() {
	s.cancel()
	s.done.Wait()
}

func (s *sweeper) run(ctx context.Context) {
	retry := time.NewTimer(sweepFailed)
	defer retry.Stop()
	expiry, stopExpiry := s.expiryTicks()
	defer stopExpiry()
	for {
		select {
		case <-s.woken:
		case <-retry.C:
		case <-expiry:
			if _, err := s.engine.expire(ctx, s.engine.now().Add(-s.engine.opts.UploadExpiry)); err != nil && ctx.Err() == nil {
				s.engine.opts.alarm(err)
			}
			continue
		case <-ctx.Done():
			return
		}
		left, err := s.background(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.engine.opts.alarm(err)
			retry.Reset(sweepFailed)
		case left:
			retry.Reset(sweepInUse)
		}
	}
}

// expiryTicks ticks when stale uploads should be looked for: a few times in the life of an idle one.
func (s *sweeper) expiryTicks() (ticks <-chan time.Time, stop func()) {
	expiry := s.engine.opts.UploadExpiry
	if expiry == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(min(max(expiry/8, time.Second), time.Hour))
	return t.C, t.Stop
}

// background reclaims, and stops when a call wants the turn: held to Options.ReclaimRate it may take
// very long.
func (s *sweeper) background(ctx context.Context) (left bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.interrupt = cancel
	s.mu.Unlock()
	select {
	case <-s.turn:
	case <-ctx.Done():
		return true, nil
	}
	defer s.pass()
	if s.waiting.Load() > 0 {
		return true, nil
	}
	_, left, err = s.reclaim(ctx, backgroundDeadShare, false)
	if ctx.Err() != nil {
		return true, nil
	}
	return left, err
}

// take waits for the turn on behalf of a call, which must pass it on.
func (s *sweeper) take(ctx context.Context) error {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	s.mu.Lock()
	if s.interrupt != nil {
		s.interrupt()
	}
	s.mu.Unlock()
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass gives the turn to whoever waits for it.
func (s *sweeper) pass() { s.turn <- struct{}{} }

// reclaim needs the turn. It works off the queue and then copies the volumes of which at least this share is dead. It
// says what was freed, and whether something had to be left because it is in use.
func (s *sweeper) reclaim(ctx context.Context, share float64, seal bool) (ReclaimResult, bool, error) {
	if err := s.engine.giveUpReserve(); err != nil {
		return ReclaimResult{}, false, err
	}
	freed, left, err := s.sweep(ctx)
	c := compaction{engine: s.engine, share: share, seal: seal, result: freed, left: left}
	err = errors.Join(err, c.run(ctx), s.engine.refillReserve())
	return c.result, c.left, err
}

// sweep works off the queue once.
func (s *sweeper) sweep(ctx context.Context) (freed ReclaimResult, left bool, err error) {
	queue, err := s.queue(ctx)
	if err != nil {
		return freed, false, err
	}
	var errs []error
	for _, item := range queue {
		if s.engine.inUse.held(item.id) {
			left = true
			continue
		}
		// One damaged entry must not keep the others from being swept.
		errs = append(errs, s.drop(ctx, item, &freed))
	}
	return freed, left, errors.Join(errs...)
}

type trashItem struct {
	id   [16]byte
	kind index.TrashKind
}

func (s *sweeper) queue(ctx context.Context) (items []trashItem, err error) {
	err = s.engine.index.View(ctx, func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.TrashQueue()) {
			if err != nil {
				return err
			}
			id, err := index.ParseTrashKey(entry.Key)
			if err != nil {
				return err
			}
			items = append(items, trashItem{id, entry.Record.Kind})
		}
		return nil
	})
	return items, err
}

// drop sweeps one entry to its end, in as many transactions as it takes.
func (s *sweeper) drop(ctx context.Context, item trashItem, freed *ReclaimResult) error {
	for done := false; !done; {
		b := bite{left: sweepRecords}
		err := s.engine.index.Update(ctx, func(tx index.Tx) (err error) {
			before, err := totalsOf(tx)
			if err != nil {
				return err
			}
			if done, err = b.take(tx, item); err != nil {
				return err
			}
			after, err := totalsOf(tx)
			b.freed = ReclaimResult{Chunks: before.Chunks - after.Chunks, Bytes: before.StoredBytes - after.StoredBytes}
			return err
		})
		if err != nil {
			return err
		}
		freed.Chunks += b.freed.Chunks
		freed.Bytes += b.freed.Bytes
	}
	return nil
}

// A bite is what one transaction of the sweeper takes.
type bite struct {
	left  int // records that it may still change
	freed ReclaimResult
}

// take drops as much of the entry as the bite has room for, and the entry itself with the last of
// it.
func (b *bite) take(tx index.Tx, item trashItem) (done bool, err error) {
	key := index.TrashKey(item.id)
	// A manifest that has been published in the meantime is out of the queue, and not garbage.
	if _, err := index.Get(tx, key); errors.Is(err, index.ErrNotFound) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	if item.kind == index.TrashContent {
		done, err = b.takeContent(tx, item.id)
	} else {
		done, err = b.takeManifest(tx, item.id)
	}
	if err != nil || !done {
		return false, err
	}
	return true, index.Delete(tx, key)
}

func (b *bite) takeContent(tx index.Tx, id index.ContentID) (done bool, err error) {
	for entry, err := range index.Scan(tx, index.PartsOf(id)) {
		if err != nil {
			return false, err
		}
		if done, err := b.takeManifest(tx, entry.Record.Manifest); err != nil || !done {
			return false, err
		}
		if err := index.Delete(tx, entry.Key); err != nil {
			return false, err
		}
		if err := count(tx, index.Totals{Parts: -1}); err != nil {
			return false, err
		}
		b.left--
	}
	return true, nil
}

func (b *bite) takeManifest(tx index.Tx, id index.ManifestID) (done bool, err error) {
	if err := dropInline(tx, id); err != nil {
		return false, err
	}
	for entry, err := range index.Scan(tx, index.PagesOf(id)) {
		if err != nil {
			return false, err
		}
		if b.left <= 0 {
			return false, nil
		}
		if err := dropPage(tx, entry.Key, &entry.Record); err != nil {
			return false, err
		}
		b.left -= len(entry.Record.Chunks) + 1
	}
	return b.left > 0, nil
}

// discard queues a content or a manifest that nothing refers to any more.
func (e *Engine) discard(tx index.Tx, id [16]byte, kind index.TrashKind) error {
	return index.Put(tx, index.TrashKey(id), &index.Trash{Kind: kind, Queued: e.now()})
}
