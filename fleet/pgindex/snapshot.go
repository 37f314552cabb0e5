package pgindex

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gabion-storage/gabion/index"
)

// A snapshot is a transaction of a View. A read that fails fails those after it.
type snapshot struct {
	ctx  context.Context // of the View
	db   *database
	conn *pgxpool.Conn
	err  error
}

// Snapshot implements index.Records. It takes one round trip, and each Get and each page of a Scan
// one more.
func (d *database) Snapshot(ctx context.Context) (index.Snapshot, error) {
	s := &snapshot{ctx: ctx, db: d}
	err := d.retry(ctx, func() (err error) {
		if s.conn, err = d.views.Acquire(ctx); err != nil {
			return err
		}
		ctx, cancel := d.answering(ctx)
		defer cancel()
		var b pgx.Batch
		b.Queue(sqlSnapshot)
		b.Queue(sqlNow) // the transaction sees what is there at its first query
		if err = s.conn.SendBatch(ctx, &b).Close(); err != nil {
			s.conn.Release()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Get implements index.Reader.
func (s *snapshot) Get(key []byte) (value []byte, err error) {
	err = s.read(func(ctx context.Context) error {
		rows, err := s.conn.Query(ctx, sqlGet, [][]byte{key})
		if err != nil {
			return err
		}
		return eachRow(rows, func(_, v []byte) { value = v })
	})
	if err != nil {
		return nil, err
	}
	s.db.guesses.learn(string(key), value)
	return recordOf(value)
}

// Scan implements index.Reader.
func (s *snapshot) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		for st := newStretch(boundsOf(start, end)); !st.whole; st.items = nil {
			err := s.read(func(ctx context.Context) error {
				var b pgx.Batch
				st.queue(&b)
				return s.conn.SendBatch(ctx, &b).Close()
			})
			if err != nil {
				yield(index.Item{}, err)
				return
			}
			for _, item := range st.items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

func (s *snapshot) read(query func(context.Context) error) error {
	if s.err != nil {
		return s.err
	}
	ctx, cancel := s.db.answering(s.ctx)
	defer cancel()
	if err := query(ctx); err != nil {
		if s.err = s.ctx.Err(); s.err == nil {
			s.err = typed(err)
		}
	}
	return s.err
}

// Release implements index.Snapshot. Nobody waits for the end of the transaction.
func (s *snapshot) Release() {
	s.db.background.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), longestAnswer)
		defer cancel()
		_, _ = s.conn.Exec(ctx, sqlCommit) // one that cannot be ended ends with its connection
		s.conn.Release()
	})
}

// eachRow calls fn with the keys and values of rows, which are its own. No value is nil but NULL.
func eachRow(rows pgx.Rows, fn func(k, v []byte)) error {
	defer rows.Close()
	for rows.Next() {
		var k, v []byte
		if err := rows.Scan(&k, &v); err != nil {
			return err
		}
		fn(k, v)
	}
	return rows.Err()
}
