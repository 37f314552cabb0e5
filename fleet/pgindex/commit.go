package pgindex

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gabion-storage/gabion/index"
)

// commit writes the changes and commits, in one round trip. When it is not known whether it did,
// the error is a *lostCommit.
func (t *turn) commit(ctx context.Context, changes iter.Seq[index.Change]) error {
	var keys, values, removed [][]byte
	for c := range changes {
		if c.Removed {
			removed = append(removed, c.Key)
		} else {
			keys, values = append(keys, c.Key), append(values, c.Value)
		}
	}
	var b pgx.Batch
	if len(keys) > 0 {
		b.Queue(sqlPut, keys, values)
	}
	if len(removed) > 0 {
		b.Queue(sqlDelete, removed)
	}
	writes := b.Len() > 0
	if writes {
		t.db.commits++
		b.Queue(sqlNote, t.db.node, t.db.commits)
	}
	b.Queue(sqlCommit)
	err := t.roundTrip(ctx, &b)
	switch {
	case err == nil || !writes: // of what has only read the outcome is that it has read
		t.learn(keys, values, removed)
		return nil
	case refused(err):
		return err
	}
	return &lostCommit{err}
}

// learn remembers what was read and written.
func (t *turn) learn(keys, values, removed [][]byte) {
	for key, value := range t.records {
		t.db.guesses.learn(key, value)
	}
	for i, key := range keys {
		t.db.guesses.learn(string(key), values[i])
	}
	for _, key := range removed {
		t.db.guesses.learn(string(key), nil)
	}
}

// A lostCommit is a commit whose outcome the server did not tell.
type lostCommit struct{ err error }

func (e *lostCommit) Error() string {
	return fmt.Sprintf("pgindex: the outcome of a commit is not known: %v", e.err)
}

func (e *lostCommit) Unwrap() error { return e.err }

// resolve finds out what became of the last commit that was tried: nil is that it was made, lost
// itself that it was not, and the same may be tried again.
func (d *database) resolve(lost *lostCommit) error {
	var made bool
	err := d.retry(context.Background(), func() (err error) {
		made, err = d.committed(context.Background())
		return err
	})
	switch {
	case err != nil:
		return &index.CommitError{Err: errors.Join(lost, err)}
	case made:
		return nil
	}
	return lost
}

// committed says whether the last commit that was tried was made. Its transaction may still be
// under way, and holds the lock then; so who has the lock knows.
//
// To see the commit is not enough. One that waited for a standby is seen as soon as the wait ends,
// be it because the connection was cut, and the standby may not have it. So what finds it writes, and
// is committed in turn: when the standby has that, it has all before it.
func (d *database) committed(ctx context.Context) (made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, longestAnswer+longestWait)
	defer cancel()
	err = d.turns.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		var b pgx.Batch
		b.Queue(sqlBegin)
		b.Queue(sqlLock, int32(lockClass), d.lock)
		b.Queue(sqlNoted, d.node, d.commits).Exec(func(found pgconn.CommandTag) error {
			made = found.RowsAffected() > 0
			return nil
		})
		b.Queue(sqlCommit)
		return c.SendBatch(ctx, &b).Close()
	})
	return made, err
}
