package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
)

// Names in the store's directory, beside formatFile and disk's lock file.
const (
	indexDir  = "index"
	volumeDir = "volumes"
)

// An Engine is an open store. Its methods may be called from many goroutines.
type Engine struct {
	dir     *disk.Dir
	storeID [16]byte
	opts    Options
	lock    *disk.Lock
	index   index.Store
	blobs   blob.Store

	damage     *damage
	pipeline   *pipeline
	keys       *provider             // nil if Options.Keys is
	records    *crypto.Authenticator // of records that no data key is for; nil if they have no MACs
	ciphers    *ciphers
	indexSpace *indexSpace
	inUse      inUse
	stamps     stamps
	sweeper    *sweeper
	trims      map[uint64]index.Volume // what lived in a volume when it was trimmed last; for who has the sweeper's turn

	mu     sync.Mutex // guards closed, and that calls are added only while open
	closed bool
	calls  sync.WaitGroup

	closing sync.Mutex // held by Close; guards gone
	gone    bool       // everything is released
}

// Open opens the store in dir, and makes both when they are not there: what it makes is for its owner
// alone, directories of mode 0700 and files of 0600. nil options work. A change of the working directory
// does not concern an open store. Symlinks may lead to dir, and are resolved once; in it none is followed,
// and what is not a regular file where one belongs is a *CorruptionError. An empty directory may be the root of a file system: what systems put
// there by themselves, such as lost+found, is left alone.
//
// It fails with ErrInvalidArgument, and makes nothing, when an option is out of its range; with ErrInUse
// when the store is open already, here or in another process; with a
// *FormatError when a newer version of Gabion wrote it; with a *CorruptionError when its files are
// damaged so that nothing can be relied on. A damaged volume of chunks does not fail Open: reads
// of what lies there fail, each with a *CorruptionError. After a crash Open recovers by itself.
//
// What it makes is for this process's user alone, directories of mode 0700 and files of mode 0600 whatever
// the umask. A directory that is there keeps its mode, and an *ExposedError is reported to Events.Alarm if
// others can use it.
//
// ctx bounds the opening only. The caller must call Close.
func Open(ctx context.Context, dir string, o *Options) (_ *Engine, err error) {
	c := call{op: "Open", ctx: ctx}
	defer c.wrap(&err)
	opts := o.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, ErrInvalidArgument.saying("The store's directory has no name.")
	}
	if err := disk.MakeDir(dir); err != nil {
		return nil, err
	}
	d, err := disk.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	// Once before the lock, so that somebody's directory gets no lock file, and once under it.
	if _, err := readFormat(d); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	lock, err := d.Lock()
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	e := &Engine{dir: d, opts: opts, lock: lock, keys: newProvider(opts.Keys)}
	if err := e.openStores(ctx); err != nil {
		return nil, errors.Join(err, e.closeStores())
	}
	e.start()
	e.alarmExposed()
	return e, nil
}

// start sets the engine going on its open stores.
func (e *Engine) start() {
	e.damage = newDamage(e.blobs, e.index, e.opts.alarm)
	if err := e.damage.load(context.Background()); err != nil {
		e.opts.alarm(err) // what is missing is found out by those who want to count on it
	}
	e.indexSpace = &indexSpace{index: e.index}
	e.pipeline = newPipeline(e.blobs, e.index, e.damage, &e.opts, e.room, runtime.GOMAXPROCS(0))
	e.ciphers = newCiphers(e.keys, e.opts.KeyLifetime)
	e.pipeline.throttle = newThrottle(e.usage, func() { e.sweeper.rouse() })
	e.sweeper = startSweeper(e)
}

// openStores checks the store's format and opens index and chunk store.
func (e *Engine) openStores(ctx context.Context) error {
	format, err := readFormat(e.dir)
	if err != nil {
		return err
	}
	if err := makeDirs(e.dir, format, indexDir, volumeDir); err != nil {
		return err
	}
	// Assigned only when they opened: an interface that holds a nil pointer is not nil.
	idx, err := badger.Open(ctx, e.dir.Join(indexDir), &badger.Options{
		Reserve: e.opts.ReserveSpace / 4,
		GiveUp:  e.giveUpReserve,
		Alarm:   e.opts.alarm,
	})
	if err != nil {
		return err
	}
	e.index = idx
	last, err := e.lastVolume(ctx)
	if err != nil {
		return err
	}
	blobs, err := volumes.Open(ctx, e.dir.Join(volumeDir), &volumes.Options{
		VolumeSize:   e.opts.VolumeSize,
		ReserveSpace: e.opts.ReserveSpace / 2,
		LastVolume:   last,
		Alarm:        e.opts.alarm,
	})
	if err != nil {
		return err
	}
	e.blobs = blobs
	return errors.Join(e.checkHeader(ctx, format), e.refillReserve())
}

// closeStores closes what is open and unlocks the directory. With index.ErrStillOpen the index stays
// open, and the directory locked, for another try; after anything else all is released.
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
	return errors.Join(append(errs, e.lock.Unlock(), e.dir.Close())...)
}

// Close waits for the calls under way, stops the work in the background and closes the store. A
// call whose context ends does not hold it up. Reading from an open Object fails with ErrClosed
// afterwards; every other call does, too, and so does a second Close.
//
// Closing needs some disk space. If there is not even what ReserveSpace kept, it fails with
// ErrNoSpace; everything acknowledged is durable all the same. After this error, and any other, Close
// can be called again: it returns ErrClosed when everything has been released.
func (e *Engine) Close() (err error) {
	c := call{op: "Close", ctx: context.Background()}
	defer c.wrap(&err)
	e.closing.Lock()
	defer e.closing.Unlock()
	if e.gone {
		return ErrClosed
	}
	if e.shut() {
		e.calls.Wait()
		e.sweeper.stop()
		e.ciphers.close()
	}
	err = e.closeStores()
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
