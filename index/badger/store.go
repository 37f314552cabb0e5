package badger

import (
	"context"
	"errors"
	"fmt"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// Options are the options of Open. The zero value and nil work.
type Options struct {
	// Alarm is called with what has to be reported beside the errors of calls: trouble of work in
	// the background. It may be called from any goroutine at any time until Close returns, also
	// while Updates wait for that, so it must not call the Store. nil ignores alarms.
	Alarm func(error)

	// Reserve is how many bytes of the file system must be free for an Update that may begin a new
	// log, at most 1 EiB; 64 MiB if 0. Less than 24 MiB is as good as these. With less space,
	// Updates go on until the present log is full, which takes no space: some thousands of small
	// ones. Then they need 24 MiB, and so do opening and closing: Badger writes through memory
	// maps, and when the disk is really full, it kills the process.
	Reserve int64

	// GiveUp is called when not even those 24 MiB are free, to free what the owner has set aside.
	// Without it, or when that is not enough, Updates are refused with index.ErrNoSpace. nil gives
	// up nothing. It must not call the Store, and is not called again before it has returned.
	GiveUp func() error
}

const (
	defaultReserve = 64 << 20
	maxReserve     = 1 << 60
)

// A Store is an index.Store in a directory.
type Store struct {
	serial *index.Serial
	db     *database // that serial commits to
}

// Open opens the index in dir, or creates it, for its owner alone; the directory is then for this
// Store alone. A change of the working directory does not concern it. Symlinks may lead to dir; in
// it none is followed, and what is not a regular file where one belongs is a
// *index.CorruptionError.
//
// An index that was closed properly is checked byte by byte first: one that changed since is
// refused with a *index.CorruptionError, and nothing is touched. One that was not closed is brought
// back to its last durable commit; for what is weaker then see the package comment. A directory
// that is open already is refused with index.ErrInUse.
func Open(ctx context.Context, dir string, opts *Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &Options{}
	}
	if opts.Reserve < 0 || opts.Reserve > maxReserve {
		return nil, fmt.Errorf(
			"index: Reserve is %d, must be 0 to %d", opts.Reserve, int64(maxReserve),
		)
	}
	if err := disk.MakeDir(dir); err != nil {
		return nil, mapError("create directory", err)
	}
	d, err := disk.OpenDir(dir)
	if err != nil {
		return nil, mapError("open directory", err)
	}
	db, err := openDatabase(ctx, d, *opts)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &Store{index.NewSerial(db), db}, nil
}

// View implements index.Store.
func (s *Store) View(ctx context.Context, fn func(index.Reader) error) error {
	return s.serial.View(ctx, fn)
}

// TellsLatest says that index.Latest is of use with its Views.
func (s *Store) TellsLatest() bool { return true }

// Get implements index.Store.
func (s *Store) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return s.serial.Get(ctx, keys...)
}

// Update implements index.Store.
func (s *Store) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.serial.Update(ctx, fn)
}

// Failure implements index.Store.
func (s *Store) Failure() error { return s.serial.Failure() }

// Free implements index.Store. It is what the file system has free; see Options.Reserve for what
// Updates need of it.
func (s *Store) Free() (int64, error) { return s.serial.Free() }

// Usage implements index.Store.
func (s *Store) Usage(ctx context.Context) (index.Usage, error) { return s.serial.Usage(ctx) }

// Compact implements index.Store.
func (s *Store) Compact(ctx context.Context) error { return s.serial.Compact(ctx) }

// Close implements index.Store. It records checksums of all files for the next Open. Closing
// writes: with less than some 20 MiB free it returns index.ErrStillOpen and index.ErrNoSpace and
// may be called again when there is space; what was acknowledged is durable all the same.
func (s *Store) Close() error { return s.serial.Close() }
