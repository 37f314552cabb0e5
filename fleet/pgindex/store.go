package pgindex

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/index"
)

// A Store is an index.Store in a database. Any number of them, in any number of processes, may be
// open on the same schema; each is a node.
type Store struct {
	serial *index.Serial
	db     *database // that serial writes to
}

var (
	_ index.Store = (*Store)(nil)
	_ index.Clock = (*Store)(nil)
)

// Open opens the index in a database, and makes its schema if it is not there. dsn is a URL or a
// list of key=value as libpq takes them; with several hosts in it, and target_session_attrs of
// read-write, nodes follow a failover. A schema of a newer version than this package knows is
// refused with an *index.VersionError, a server that may lose commits with ErrNotDurable.
func Open(ctx context.Context, dsn string, opts *Options) (*Store, error) {
	return open(ctx, dsn, opts, nil)
}

// open is Open with a tracer of what is sent to the server.
func open(ctx context.Context, dsn string, opts *Options, tracer pgx.QueryTracer) (*Store, error) {
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	db, err := openDatabase(ctx, dsn, o, tracer)
	if err != nil {
		return nil, err
	}
	return &Store{index.NewShared(db), db}, nil
}

// View implements index.Store. Its snapshot is a transaction of PostgreSQL's: one that is open for
// long keeps the server from removing what was deleted and overwritten since.
func (s *Store) View(ctx context.Context, fn func(index.Reader) error) error {
	return s.serial.View(ctx, fn)
}

// Get implements index.Store. It takes one round trip, and may wait for that of
// others, which it shares.
func (s *Store) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return s.serial.Get(ctx, keys...)
}

// Update implements index.Store. fn runs at least twice. A commit of which the server did not say
// whether it was made is looked up; only when that cannot be done, for as long as
// Options.Patience, is it an *index.CommitError.
func (s *Store) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.serial.Update(ctx, fn)
}

// Failure implements index.Store.
func (s *Store) Failure() error { return s.serial.Failure() }

// Free implements index.Store. The server's disk is not known to it, so there is no limit.
func (s *Store) Free() (int64, error) { return s.serial.Free() }

// Usage implements index.Store. It counts the records with their key. What of it is dead is
// autovacuum's business, and counts as nothing.
func (s *Store) Usage(ctx context.Context) (index.Usage, error) { return s.serial.Usage(ctx) }

// Now implements index.Clock. It is the server's time, and takes one round trip.
func (s *Store) Now(ctx context.Context) (time.Time, error) { return s.db.now(ctx) }

// Compact implements index.Store. It has the server vacuum the records, which makes room for new
// ones in the place of old. When ctx ends, the server may go on with it.
func (s *Store) Compact(ctx context.Context) error { return s.serial.Compact(ctx) }

// Close implements index.Store.
func (s *Store) Close() error { return s.serial.Close() }
