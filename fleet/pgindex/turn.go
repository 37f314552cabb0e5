package pgindex

import (
	"context"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gabion-storage/gabion/index"
)

// Turn implements index.Turner. The functions run on guesses first, to learn what they read. Then
// one round trip has the turn and reads all that, they run again, and one more writes and commits.
// Only what nobody could guess takes further ones, while the other nodes wait.
func (d *database) Turn(b *index.Batch) error {
	r := &rehearsal{&d.guesses, newWanted()}
	b.Run(r)
	first := true
	return d.retry(context.Background(), func() error {
		if !first && !b.Leave() {
			return nil
		}
		first = false
		err := d.attempt(b, r.wanted)
		if lost, ok := errors.AsType[*lostCommit](err); ok {
			return d.resolve(lost)
		}
		return err
	})
}

// attempt has a turn. A connection that is left in a transaction, by an error, is closed, which
// ends the turn.
func (d *database) attempt(b *index.Batch, known wanted) error {
	ctx := context.Background()
	conn, err := d.acquireTurn(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	t := &turn{
		db: d, conn: conn, records: map[string][]byte{}, scans: map[bounds]*stretch{},
		missing: known,
	}
	if err := t.begin(ctx); err != nil {
		return err
	}
	for {
		t.missing = newWanted()
		changes := b.Run(t)
		switch {
		case t.err != nil:
			return t.err
		case t.missing.none():
			return t.commit(ctx, changes)
		}
		if err := t.send(ctx, &pgx.Batch{}); err != nil {
			return err
		}
	}
}

// acquireTurn returns the connection of the turns, which it may have to make.
func (d *database) acquireTurn(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, longestAnswer)
	defer cancel()
	return d.turns.Acquire(ctx)
}

// A turn is a transaction that holds the lock, and what it has read. As an index.Reader it says of
// what it has not read that there is none, and that it is missing: the run is in vain then.
type turn struct {
	db      *database
	conn    *pgxpool.Conn
	records map[string][]byte // nil is absent
	scans   map[bounds]*stretch
	missing wanted
	err     error // of a query
}

// begin waits for the turn and reads what is missing. Each query sees what was committed when it
// began, and from the lock on nobody commits.
func (t *turn) begin(ctx context.Context) error {
	var b pgx.Batch
	b.Queue(sqlBegin)
	b.Queue(sqlLock, int32(lockClass), t.db.lock)
	if t.missing.size() > mostBesideLock {
		if err := t.roundTrip(ctx, &b); err != nil {
			return err
		}
		return t.send(ctx, &pgx.Batch{})
	}
	return t.send(ctx, &b)
}

// mostBesideLock is how many bytes of keys are sent together with what waits for the lock. The server
// reads nothing while it waits: if it had no room for what is sent, that would count as silence of
// the connection: see longestSilence.
const mostBesideLock = 32 << 10

// send sends a batch, and behind it the queries of what is missing.
func (t *turn) send(ctx context.Context, b *pgx.Batch) error {
	if keys := t.missing.list(); len(keys) > 0 {
		for _, key := range keys {
			t.records[string(key)] = nil
		}
		b.Queue(sqlGet, keys).Query(func(rows pgx.Rows) error {
			return eachRow(rows, func(k, v []byte) { t.records[string(k)] = v })
		})
	}
	for at := range t.missing.scans {
		s := newStretch(at)
		t.scans[at] = s
		s.queue(b)
	}
	return t.roundTrip(ctx, b)
}

func (t *turn) roundTrip(ctx context.Context, b *pgx.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, longestAnswer+longestWait)
	defer cancel()
	return t.conn.SendBatch(ctx, b).Close()
}

// Get implements index.Reader.
func (t *turn) Get(key []byte) ([]byte, error) {
	value, read := t.records[string(key)]
	if !read {
		t.missing.keys[string(key)] = true
	}
	return recordOf(value)
}

// Scan implements index.Reader.
func (t *turn) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		at := boundsOf(start, end)
		s := t.scans[at]
		if s == nil {
			t.missing.scans[at] = true
			return
		}
		for i := 0; ; i++ {
			for i == len(s.items) && !s.whole {
				if !t.missing.none() {
					return // it is in vain anyhow
				}
				if err := t.more(s); err != nil {
					yield(index.Item{}, err)
					return
				}
			}
			if i == len(s.items) || !yield(copyOf(s.items[i]), nil) {
				return
			}
		}
	}
}

func copyOf(item index.Item) index.Item {
	return index.Item{Key: append([]byte{}, item.Key...), Value: append([]byte{}, item.Value...)}
}

// more reads the next page of a scan.
func (t *turn) more(s *stretch) error {
	if t.err == nil {
		var b pgx.Batch
		s.queue(&b)
		t.err = t.roundTrip(context.Background(), &b)
	}
	return t.err
}
