package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/intake"
	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/engine/internal/throttle"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/gate"
)

// An Engine is an open store. Its methods may be called from many goroutines.
type Engine struct {
	dir     *storeDir // nil on stores of the caller's
	storeID [16]byte
	opts    Options
	index   index.Store
	blobs   blob.Store
	node    *lease.Node // nil if the stores are this engine's alone

	damage     *damage
	chunks     *storedChunks
	memory     chunkMemory // for reads
	loads      loads
	ahead      aheadBudget
	pins       *intake.Pins
	intake     *intake.Intake
	throttle   *throttle.Throttle    // slows bodies down
	keys       *provider             // nil if Options.Keys is
	records    *crypto.Authenticator // of records that no data key is for; nil if they have no MACs
	ciphers    *ciphers
	indexSpace *indexSpace
	trash      *ledger.Trash
	stamps     stamps
	deletions  deletions     // of buckets
	completes  chan struct{} // has an entry for each call that looks at its parts
	worker     *worker
	sweeper    sweeper             // for who has the turn
	trims      map[uint64]trimNote // of volumes that were to be trimmed; for who has the turn
	planMost   int                 // planChunks, but in tests
	trashMost  trashMost           // mostTrash, but in tests
	stopped    sync.Once           // reports that the index takes no updates any more

	gate    gate.Gate
	closing sync.Mutex // held by Close; guards gone
	gone    bool       // everything is released
}

// Open opens the store in dir, and makes directory and store when they are not there. nil options
// work. A later change of the working directory does not matter. Symlinks may lead to dir, and are
// resolved once; inside dir none is followed, and anything else in the place of a regular file is a
// *CorruptionError. dir may be the root of a file system: what systems put there by themselves,
// such as lost+found, is left alone.
//
// It fails with ErrInvalidArgument, and makes nothing, when an option is out of its range; with
// ErrInUse when the store is open already, here or in another process; with a
// *FormatError when a newer version of Gabion wrote it; with a *CorruptionError when its files are
// damaged so that nothing can be relied on. A damaged volume of chunks does not fail Open: reads
// of what lies there fail, each with a *CorruptionError. After a crash Open recovers by itself.
//
// It reads the whole index, to verify it, the footer of each volume that is sealed, and the heads
// of the records of those that are not: some 100 MB for a million chunks, and the small bodies that
// the index holds. It reads no chunk.
//
// What it makes is for this process's user alone: directories of mode 0700 and files of mode 0600,
// whatever the umask. An existing directory keeps its mode, and an *ExposedError is reported to
// Events.Alarm if others can use it.
//
// ctx bounds the opening only. The caller must call Close.
func Open(ctx context.Context, dir string, o *Options) (_ *Engine, err error) {
	c := call{op: "Open", ctx: ctx}
	defer c.wrap(&err)
	e := &Engine{opts: o.withDefaults(), loads: loads{most: int64(runtime.GOMAXPROCS(0))}}
	if err := e.opts.validate(); err != nil {
		return nil, err
	}
	if e.opts.Node != "" {
		return nil, ErrInvalidArgument.saying(
			"Options: Node is set; nodes share stores, not a directory.",
		)
	}
	if e.dir, err = openStoreDir(dir); err != nil {
		return nil, err
	}
	if err = e.openInDir(ctx); err == nil {
		err = e.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, e.closeStores())
	}
	return e, nil
}

// openInDir opens the stores in the engine's directory. After an error one of them may be open.
func (e *Engine) openInDir(ctx context.Context) (err error) {
	if e.index, err = e.dir.openIndex(ctx, &e.opts); err == nil {
		e.blobs, err = e.dir.openBlobs(ctx, &e.opts)
	}
	return err
}

// OpenStores opens the store that an index and a chunk store make up. Any that pass the suites of
// packages indextest and blobtest will do. If both are empty it makes a new store. nil options
// work.
//
// The two belong together for good: the index says what lives in the chunk store and where, and all
// else in it is garbage, which is removed. An index that is empty, or has lost its header, beside a
// chunk store that is not empty is refused. At most one engine may have either store open at a
// time, in whatever process, unless each of them has an Options.Node, since only an engine itself
// knows which of its calls are under way. While nodes have the stores open, an engine without a
// Node is refused with ErrInUse. The reverse is not noticed: a node can join an engine without one,
// so stores that others can reach should have a lock. A node whose name is taken waits until the
// other's lease has ended, and fails with ErrInUse if the other renews it.
//
// Unlike Open it has no directory, no lock and no reserve that is set aside. The stores' Free says
// how much room is left; the last Options.ReserveSpace bytes of that are not for data. What is
// acknowledged is as durable as the stores make it.
//
// It fails as Open does, with ErrInvalidArgument, a *FormatError or a *CorruptionError; then the
// stores still belong to the caller, and are open. Otherwise they belong to the engine, and its
// Close closes both, chunks first.
//
// ctx bounds the opening only. The caller must call Close.
func OpenStores(
	ctx context.Context, idx index.Store, blobs blob.Store, o *Options,
) (_ *Engine, err error) {
	c := call{op: "OpenStores", ctx: ctx}
	defer c.wrap(&err)
	e := &Engine{opts: o.withDefaults(), index: idx, blobs: blobs}
	if err := e.opts.validate(); err != nil {
		return nil, err
	}
	if idx == nil || blobs == nil {
		return nil, ErrInvalidArgument.saying("A store needs an index and a chunk store.")
	}
	if err := e.start(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// start sets the engine going on its open stores. After an error nothing of it goes on.
func (e *Engine) start(ctx context.Context) error {
	e.ahead = newAheadBudget(e.opts.MemoryBudget, &e.memory)
	e.keys = newProvider(e.opts.Keys)
	last, err := e.lastVolume(ctx)
	if err == nil {
		err = e.blobs.NumberAfter(last)
	}
	if err == nil {
		err = e.identify(ctx)
	}
	if err := errors.Join(err, e.dir.refillReserve()); err != nil {
		return err
	}
	e.pins = intake.NewPins(func(ref blob.Ref) bool { return e.damage.Known(ref) != nil })
	if err := e.join(ctx); err != nil {
		return err
	}
	e.damage = newDamage(e.blobs, e.index, e.alarm)
	if err := e.damage.load(context.Background()); err != nil {
		e.opts.alarm(err) // what is missing is found out by those who want to count on it
	}
	e.chunks = &storedChunks{
		index: e.index, blobs: e.blobs, damage: e.damage, strict: e.records != nil,
	}
	e.indexSpace = &indexSpace{index: e.index}
	e.throttle = throttle.New(e.usage, func() { e.worker.rouse() })
	e.intake = intake.New(intake.Config{
		Blobs: e.blobs, Pins: e.pins,
		Find: e.chunks.find, Stored: e.damage.good, Room: e.room, Pace: e.throttle.Wait,
		ChunkSize: e.opts.ChunkSize, Budget: e.opts.MemoryBudget, PageChunks: index.MaxPageChunks,
		Processors: runtime.GOMAXPROCS(0), Pack: e.opts.Compression == CompressionS2,
	})
	e.ciphers = newCiphers(e.keys, e.opts.KeyLifetime)
	e.trash, e.planMost, e.trashMost = e.newTrash(), planChunks, mostTrash
	e.completes = make(chan struct{}, completesAtOnce)
	e.sweeper.engine = e
	e.worker = newWorker(e)
	e.worker.start()
	e.alarmExposed()
	return nil
}

// closeStores closes what is open and unlocks the directory. With index.ErrStillOpen the index
// stays open, and the directory locked, for another try; after anything else all is released.
func (e *Engine) closeStores() error {
	var errs []error
	// Chunks first: the index names what must be durable by then, never the other way round.
	if e.blobs != nil {
		errs = append(errs, e.blobs.Close())
		e.blobs = nil
	}
	if e.index != nil {
		err := e.index.Close()
		errs = append(errs, err)
		if errors.Is(err, index.ErrStillOpen) {
			return errors.Join(errs...)
		}
		e.index = nil
	}
	return errors.Join(append(errs, e.dir.close())...)
}

// Close waits for the calls under way, stops the work in the background and closes the store. A
// call whose context ends does not hold it up. Afterwards every call fails with ErrClosed, also
// reads of open Objects and a second Close.
//
// Closing needs some disk space. If not even the reserve is left, it fails with ErrNoSpace;
// everything acknowledged is durable all the same. After any error Close can be called again: it
// returns ErrClosed once everything has been released.
func (e *Engine) Close() (err error) {
	c := call{op: "Close", ctx: context.Background()}
	defer c.wrap(&err)
	e.closing.Lock()
	defer e.closing.Unlock()
	if e.gone {
		return ErrClosed
	}
	if e.gate.Shut() {
		e.gate.Wait()
		if e.worker != nil { // a Clone's engine is not started
			e.worker.stop()
			e.ciphers.close()
			err = e.leave()
		}
	}
	err = errors.Join(err, e.closeStores())
	e.gone = !errors.Is(err, index.ErrStillOpen)
	return err
}

// now is the time that records are stamped with.
func (e *Engine) now() time.Time {
	if e.opts.Clock == nil {
		return time.Now().UTC()
	}
	var now time.Time
	err := outside(func() error {
		now = e.opts.Clock()
		return nil
	})
	if err != nil { // a call that is being committed cannot do without
		e.opts.alarm(fmt.Errorf("the system's time is used instead of Options.Clock: %w", err))
		now = time.Now()
	}
	return now.UTC()
}
