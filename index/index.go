package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Limits of what one Update may write. They keep every transaction far below what a memtable of the
// database holds, and are the same for every Store, so that what fits one fits all.
const (
	MaxTxBytes   = 1_200_000 // the sum of len(key) + len(value) + RecordCost over the records written
	MaxTxRecords = 13_000    // different keys put or deleted
	RecordCost   = 20        // what a record costs beside its key and value
	MaxKeySize   = 2560      // bytes of one key; a B-tree of PostgreSQL's takes 2704
	MaxValueSize = 512 << 10 // bytes of one value
)

// Errors of reads.
var (
	// ErrNotFound is returned when there is no record under a key.
	ErrNotFound = errors.New("index: not found")
	// ErrInvalidKey is returned for the empty key, which builders give for names that cannot be
	// keys, and for keys that begin with '!', which are Badger's own.
	ErrInvalidKey = errors.New("index: invalid key")
)

// Errors of writes.
var (
	// ErrTooLarge is returned when a key, a value or everything an Update writes is over its limit.
	ErrTooLarge = errors.New("index: too large for one transaction")
	// ErrInvalidRecord is returned when a record has a field over its limit. Nothing is written.
	ErrInvalidRecord = errors.New("index: invalid record")
	// ErrNoSpace is returned when the disk has no room for the Update. Nothing is written; after
	// space is freed Updates go on.
	ErrNoSpace = errors.New("index: no space left")
	// ErrUnavailable is returned, also by reads, when the database of a store cannot be reached or
	// does not answer in time. Nothing is written; the same call may succeed later.
	ErrUnavailable = errors.New("index: unavailable")
)

// Errors of the life cycle.
var (
	// ErrClosed is returned by calls that come after Close.
	ErrClosed = errors.New("index: closed")
	// ErrStillOpen is returned by Close when it has released nothing, for a reason that can go
	// away: too little space on the disk, which is an ErrNoSpace, too, or a directory that cannot
	// be asked for it.
	ErrStillOpen = errors.New("index: still open")
	// ErrInUse is returned when another Store, of this process or another, has the directory open.
	ErrInUse = errors.New("index: directory is in use")
	// ErrTxDone is returned when a Reader or Tx is used after its function has returned.
	ErrTxDone = errors.New("index: transaction is over")
)

// Item is one record of a Scan. Both slices are the caller's and outlive the step.
type Item struct {
	Key, Value []byte
}

// Reader reads one state of the index. It is valid until the function that got it returns, and is
// not for concurrent use.
type Reader interface {
	// Get returns the value under key, or ErrNotFound. The slice is the caller's.
	Get(key []byte) ([]byte, error)

	// Scan yields the records with start <= key < end in ascending bytewise order; a nil end is no
	// upper bound. Leaving the loop early is safe. An error comes once and last. A Scan of a Tx
	// shows the state at the start of the loop, so writing while scanning is safe.
	Scan(start, end []byte) iter.Seq2[Item, error]
}

// Tx is a Reader that writes. It sees its own writes and those of every earlier Update. Slices
// passed in are copied.
type Tx interface {
	Reader

	// Put stores value under key. A write over the limits fails with ErrTooLarge, and then so does
	// the whole Update.
	Put(key, value []byte) error

	// Delete removes the record under key. Deleting what is not there is no error.
	Delete(key []byte) error
}

// Store is an ordered map of bytes with snapshot reads and serial, durable, group-committed
// updates. It is safe for concurrent use. The fn of an Update must not call Update of its own
// store, and no fn may call Close: they would wait for it.
type Store interface {
	// View calls fn, on the caller's goroutine, with a consistent snapshot of the committed and
	// durable state. It never waits for an Update. The error is fn's own. An old snapshot keeps old
	// versions on disk: close it soon.
	View(ctx context.Context, fn func(Reader) error) error

	// Get returns the values under keys, as one View of its own would show them: in the order of
	// the keys, nil where there is no record, and never nil where there is one. The slices are the
	// caller's. An invalid key fails the call with ErrInvalidKey. Use it when all keys are known
	// beforehand: a store whose database is far away then takes one round trip, and more for a
	// View.
	Get(ctx context.Context, keys ...[]byte) (values [][]byte, err error)

	// Update runs fn in a transaction of its own. Updates run one after another, so fn sees every
	// Update before it and conflicts with none. Those that are waiting at the same time are
	// committed together. When Update returns nil, what fn wrote is durable.
	//
	// fn runs on a goroutine of the store. When fn returns an error, nothing of it is stored, and
	// Update returns that very error; a panic in fn becomes a *PanicError. Other Updates are not
	// affected. ctx is honoured until fn starts, and before it runs again; otherwise Update waits
	// for the outcome, which is definite.
	//
	// fn may run more than once: a store that several processes write to runs it again when what it
	// has read has changed meanwhile, or its transaction was lost. Only the last run has an effect
	// or an error. Earlier runs may see old records, even some that never existed at the same time.
	// So fn must set its results for the caller anew in every run, and never add to them.
	//
	// A failed commit fails every Update of its group, and all later ones, with a *CommitError.
	// Reads go on, or fail with errors of their own if the database cannot serve them either.
	// Whether the failed group is stored, as a whole or not at all, is known only after the store
	// has been opened again. Until then nobody may rely on what Views show to be absent: see
	// Failure.
	Update(ctx context.Context, fn func(Tx) error) error

	// Failure returns the *CommitError that every Update gets by now, nil as long as no commit has
	// failed. It waits for nobody. No Update returns a *CommitError before Failure does. So bytes
	// that nothing names in a View may be destroyed if Failure is nil afterwards; once it is not, a
	// commit that Views do not show may be stored all the same.
	Failure() error

	// Free says for how many more bytes there is room, math.MaxInt64 where the store knows of no
	// limit. Records of as many bytes may not fit: a store keeps some of it for itself. It is
	// cheap, and waits for nobody.
	Free() (int64, error)

	// Usage says what the store occupies.
	Usage(ctx context.Context) (Usage, error)

	// Compact gives back the space of what was deleted and overwritten, and makes scans as short as
	// they were before. It writes what lives into a new database and replaces the old one by it,
	// while Views and Updates go on; a View that began before keeps the old one, and its space,
	// until it returns. Stores also do so by themselves when it pays; Compact does it now.
	//
	// It needs free space for what lives: without it Compact returns ErrNoSpace. Whenever it fails,
	// and when ctx ends, the old database stays as it was and nothing is left of the new one. Of
	// several calls at the same time one works and the others wait for it, until their ctx ends,
	// and then have less to do.
	Compact(ctx context.Context) error

	// Close waits for the running calls and releases everything, even if it returns an error; a
	// Compact ends early, with ErrClosed. Later calls, also of Close, return ErrClosed. Only when
	// it returns ErrStillOpen has nothing been released, and Close must be called again.
	//
	// When work in the background has failed before, Close releases everything as well but returns
	// that *CommitError.
	Close() error
}

// Usage is what a Store occupies.
type Usage struct {
	// DiskBytes is what its files take on disk, as du counts them: what lives, what was deleted
	// since the last compaction, a database that is being written or still read, and the logs that
	// are set aside in advance. It is 0 for one in memory.
	DiskBytes int64
	// CompactBytes is how much free space a Compact takes at most, beside a fixed share of some 50
	// MiB for logs and tables under way.
	CompactBytes int64
	// DeadBytes is how much a Compact gives back at most: what was written since the last one, and
	// for each deletion an average record of those that lived then.
	DeadBytes int64
}

// CorruptionError reports stored bytes that are not what was written.
type CorruptionError struct {
	Where  string // the key or the file
	Reason string
	Err    error // may be nil
}

func (e *CorruptionError) Error() string {
	text := fmt.Sprintf("index: corrupt %s: %s", e.Where, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }

// IsCorrupt reports whether an error is, or wraps, a CorruptionError. Of one that a Scan yields with a
// key it is that record alone that is damaged.
func IsCorrupt(err error) bool {
	var corrupt *CorruptionError
	return errors.As(err, &corrupt)
}

// IsUnreadable reports whether an error is, or wraps, a CorruptionError or a VersionError: of a record
// that cannot be read, which says nothing of others.
func IsUnreadable(err error) bool {
	var newer *VersionError
	return IsCorrupt(err) || errors.As(err, &newer)
}

// VersionError reports a record, or fields in it, of a newer version than this package reads. It
// says nothing about what else is stored.
type VersionError struct {
	Where     string // which fields under which key
	Version   byte   // what they say
	Supported byte   // the newest that this package reads
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("index: %s has version %d, newer than %d", e.Where, e.Version, e.Supported)
}

// CommitError reports that a group of Updates could not be made durable. The store takes no further
// Updates until opened again.
type CommitError struct {
	Err error
}

func (e *CommitError) Error() string {
	return "index: commit failed, reopen the index: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *CommitError) Unwrap() error { return e.Err }

// PanicError reports that the function of an Update panicked, or ended its goroutine (then Value is
// nil).
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "index: update called runtime.Goexit"
	}
	return fmt.Sprintf("index: panic in update: %v", e.Value)
}

// Unwrap returns the panic's value when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
