package badger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// database is the Backend of a Store: the generation in charge, and the one that is being built to
// follow it.
type database struct {
	dir     *disk.Dir
	reserve int64
	giveUp  func() error // may be nil
	alarm   func(error)
	lock    *disk.Lock
	spaceOf func() (disk.Space, error)
	punch   func(f *os.File, off, n int64) error // disk.PunchHole
	broken  atomic.Pointer[error]                // nobody knows which generation is in charge

	committing sync.Mutex // held by what must not meet a change of generations; guards the fields below
	growth     growth
	building   *generation // that a compaction writes to, which is not in charge yet; or nil

	mu       sync.Mutex // guards the fields below, and the generations' holders
	inCharge *generation
	newest   uint64         // the last durable commit
	reads    *badger.Txn    // which shows that, for all snapshots of it; nil before the first
	retiring sync.WaitGroup // generations that are being removed
	kept     []*generation  // that wait for the space to be removed
	taken    int            // no generation gets this number any more, or a lower one

	recent *recent

	steps      atomic.Int64  // that scans took, over records, versions and deletions
	compacting chan struct{} // full while a compaction runs
	background background
}

// openDatabase takes over dir, unless it fails.
func openDatabase(ctx context.Context, dir *disk.Dir, opts Options) (_ *database, err error) {
	d := &database{
		dir: dir, reserve: opts.Reserve, giveUp: oneByOne(opts.GiveUp), alarm: opts.Alarm, spaceOf: dir.Space,
		punch: disk.PunchHole, compacting: make(chan struct{}, 1), recent: newRecent(),
	}
	if d.reserve == 0 {
		d.reserve = defaultReserve
	}
	// Badger's own lock would be given free before the checksums are written, and is one of each
	// database; so it is this one that counts, from before anything is read until after everything
	// is written.
	if d.lock, err = dir.Lock(); errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("%w: %s", index.ErrInUse, dir.Path())
	} else if err != nil {
		return nil, mapError("lock directory", err)
	}
	if err = d.start(ctx); err != nil {
		return nil, errors.Join(err, d.lock.Unlock())
	}
	d.compactOverdue(ctx)
	return d, nil
}

func (d *database) start(ctx context.Context) error {
	if err := d.spare(); err != nil {
		return err
	}
	c, err := findCurrent(d.dir)
	if err != nil {
		return mapError("open", err)
	}
	g, err := d.openGeneration(ctx, c)
	if err != nil {
		return err
	}
	g.holders = 1
	d.inCharge, d.newest = g, g.last()
	if err = d.survey(); err == nil {
		err = errors.Join(g.begin(), mapError("remove old databases", removeOthers(d.dir, c)))
	}
	if err != nil {
		return errors.Join(err, mapError("close", g.abandon()))
	}
	return nil
}

// Snapshot implements index.Backend. It shows the commit at a timestamp of a generation, which
// stays for that long.
func (d *database) Snapshot(context.Context) (index.Snapshot, error) { return d.snapshot(), nil }

// snapshot is Snapshot, of the last commit. Release must be called.
func (d *database) snapshot() *snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inCharge.holders++
	if d.reads == nil {
		// In managed mode one that only reads is a number and needs no end, and any number of
		// goroutines may use it.
		d.reads = d.inCharge.db.NewTransactionAt(d.newest, false)
	}
	return &snapshot{db: d, gen: d.inCharge, at: d.newest, reads: d.reads, recent: d.recent}
}

// generation is the one in charge. Only who holds committing may rely on it to stay so.
func (d *database) generation() *generation {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inCharge
}

func (d *database) last() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.newest
}

// Commit implements index.Backend.
func (d *database) Commit(changes iter.Seq[index.Change]) error {
	d.committing.Lock()
	defer d.committing.Unlock()
	g, at := d.generation(), d.last()+1
	txn := g.db.NewTransactionAt(at-1, true)
	defer txn.Discard()
	for c := range changes {
		// Badger keeps the slices until the commit is done, and they never change.
		if err := g.stage(txn, c); err != nil {
			return mapError("commit", err)
		}
		d.growth.count(c)
		d.recent.renew(c, at)
	}
	if err := g.commit(txn, at); err != nil {
		return mapError("commit", err)
	}
	d.mu.Lock()
	d.newest, d.reads = at, nil
	d.mu.Unlock()
	d.compactIfDue()
	return nil
}

// stage makes a record part of a transaction that is about to be committed, and charges the log
// with it.
func (g *generation) stage(txn *badger.Txn, c index.Change) error {
	g.wal.charge(c)
	if c.Removed {
		return txn.Delete(c.Key)
	}
	return txn.Set(c.Key, c.Value)
}

// commit makes a transaction durable. When Badger reports trouble meanwhile, the outcome is not
// waited for: it may never come.
func (g *generation) commit(txn *badger.Txn, at uint64) error {
	defer func() { g.wal.last = 0 }()
	done := make(chan error, 1)
	if err := txn.CommitAt(at, func(err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		if err != nil {
			return err
		}
	case <-g.failed:
		return g.failure()
	}
	if err := g.wal.follow(); err != nil || !syncsLog {
		return err
	}
	if err := g.wal.sync(); err != nil {
		g.report("syncing the log: %v", err)
		return err
	}
	return nil
}

// Fault implements index.Backend. It is what nobody was told by an error.
func (d *database) Fault() error {
	if err := d.broken.Load(); err != nil {
		return *err
	}
	return d.generation().failure()
}

// Usage implements index.Backend.
func (d *database) Usage(context.Context) (index.Usage, error) {
	bytes, err := disk.Usage(d.dir.Path())
	if err != nil {
		return index.Usage{}, mapError("ask for disk usage", err)
	}
	d.committing.Lock()
	defer d.committing.Unlock()
	return index.Usage{
		DiskBytes: bytes, CompactBytes: d.growth.base + d.growth.written,
		DeadBytes: d.growth.dead(),
	}, nil
}

// Close implements index.Backend. It ends what runs in the background, and refuses for want of
// space, because closing writes the memtable into a table.
func (d *database) Close() error {
	d.background.stop()
	d.retiring.Wait() // which takes blocks, or gives some back
	g := d.generation()
	g.returnSpare()
	if err := d.spare(); err != nil {
		return fmt.Errorf("%w: %w", index.ErrStillOpen, err)
	}
	if err := d.removeKept(); errors.Is(err, errKept) {
		return fmt.Errorf("%w: %w", index.ErrStillOpen, mapError("remove old database", err))
	} else if err != nil && d.alarm != nil {
		d.alarm(mapError("remove old database", err))
	}
	err := g.close()
	if errors.Is(err, errStuck) {
		return err // the directory stays locked: somebody still writes to it
	}
	if err == nil && d.broken.Load() == nil {
		err = g.seal()
	}
	err = errors.Join(err, g.dir.Close())
	if err = errors.Join(err, d.lock.Unlock(), d.dir.Close()); err != nil {
		return fmt.Errorf("index: close: %w", err) // not ErrNoSpace, even then: it is closed
	}
	return nil
}

// drop takes one of the holders from a generation, and is true for the last: then the generation is
// to be removed. See retire.
func (d *database) drop(g *generation) (last bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g.holders--
	if g.holders == 0 {
		d.retiring.Add(1)
	}
	return g.holders == 0
}

// letGo is drop, and has a generation that is to be removed retire in the background.
func (d *database) letGo(g *generation) {
	if d.drop(g) {
		go d.retire(g)
	}
}

// retire removes a generation that nobody holds. What fails is tried again by the next opening.
func (d *database) retire(g *generation) {
	defer d.retiring.Done()
	if err := d.remove(g); err != nil && d.alarm != nil {
		d.alarm(mapError("remove old database", err))
	}
}

// background is work that nobody has called for.
type background struct {
	mu      sync.Mutex // guards the fields below
	cancel  context.CancelFunc
	running bool
	stopped bool
	done    sync.WaitGroup
}

// start runs work, unless the last one still runs.
func (b *background) start(work func(context.Context)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running || b.stopped {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.running, b.cancel = true, cancel
	b.done.Go(func() {
		defer cancel()
		work(ctx)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.running = false
	})
}

// stop ends the work and lets none begin any more.
func (b *background) stop() {
	b.mu.Lock()
	b.stopped = true
	if b.running {
		b.cancel()
	}
	b.mu.Unlock()
	b.done.Wait()
}
