package pgindex

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gabion-storage/gabion/index"
)

// How long the server may take, unless the DSN says otherwise. Who has the turn and says nothing
// loses it: a node that is stopped, or cut off, must not keep the others from theirs.
const (
	longestWait   = 10 * time.Second // for the turn, after which an attempt begins anew
	longestIdle   = 10 * time.Second // between two messages of a turn
	longestAnswer = 30 * time.Second // for one answer; beyond it the connection counts as lost
	longestPing   = 5 * time.Second  // for that of a connection that nobody has used for a while
)

// How long connections are kept. Those of Views and gets make room for other nodes when they are not
// used. That of turns stays: on a server that is full by then there would be no place for another,
// and without turns the node loses its lease.
const (
	longestUnused = time.Minute
	longestQuiet  = time.Hour // of turns; a node that has a lease renews it every few minutes at least
	forGood       = 100 * 365 * 24 * time.Hour
)

// nodeGone is how the server notices that a node has lost its power or its network, within half a
// minute and not, as by default, in two hours: as long as a View is open, nothing can be removed that
// was deleted and overwritten since. It is for TCP; on a Unix socket the server ignores it.
var nodeGone = map[string]string{
	"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", // s
	"tcp_user_timeout": fmt.Sprint(longestAnswer.Milliseconds()),
}

// A database is one node's connections to a schema. It implements index.Turner
// and index.Getter.
type database struct {
	opts Options
	lock int32 // the second key of the advisory lock that is the turn

	views      *pgxpool.Pool
	turns      *pgxpool.Pool  // of one connection, and one for while the last is given up
	background sync.WaitGroup // Views that are over are released, gets that nobody waits for end
	vacuuming  chan struct{}  // holds a token while nobody vacuums

	gets gets

	guesses guesses

	// Of the goroutine that has the turns.
	node    [16]byte
	commits int64 // the number of the last commit that was tried
}

var (
	_ index.Turner = (*database)(nil)
	_ index.Getter = (*database)(nil)
)

// openDatabase connects to the server.
func openDatabase(
	ctx context.Context, dsn string, o Options, tracer pgx.QueryTracer,
) (_ *database, err error) {
	d := &database{opts: o, vacuuming: make(chan struct{}, 1)}
	d.vacuuming <- struct{}{}
	_, _ = rand.Read(d.node[:]) // it never fails
	defer func() {
		if err != nil {
			d.closePools()
		}
	}()
	if err := d.connect(ctx, dsn, tracer); err != nil {
		return nil, err
	}
	return d, d.retry(ctx, func() error {
		return d.turns.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			_, err := c.Exec(ctx, sqlForget, d.node)
			return err
		})
	})
}

// connect makes the schema, which the statements of the pools' connections need, and the pools.
func (d *database) connect(ctx context.Context, dsn string, tracer pgx.QueryTracer) (err error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("pgindex: %w", err)
	}
	d.configure(config.ConnConfig.RuntimeParams)
	config.ConnConfig.DialFunc = dialer(config.ConnConfig.ConnectTimeout).DialContext
	err = d.retry(ctx, func() error {
		conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if err := d.checkDurable(ctx, conn); err != nil {
			return err
		}
		d.lock, err = prepareSchema(ctx, conn, d.opts.Schema)
		return err
	})
	if err != nil {
		return err
	}
	config.ConnConfig.Tracer = tracer
	config.AfterConnect = d.prepare
	config.MaxConns = int32(d.opts.Views)
	config.PingTimeout = longestPing
	config.MaxConnIdleTime = longestUnused
	if d.views, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("pgindex: %w", err)
	}
	config = config.Copy()
	config.MaxConns = 2 * mostGets // as of the turns
	if d.gets.conns, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("pgindex: %w", err)
	}
	config = config.Copy()
	config.MaxConns = 2 // to close one that is silent takes the driver 15 s
	config.MaxConnIdleTime, config.MaxConnLifetime = longestQuiet, forGood
	for name, most := range map[string]time.Duration{
		"lock_timeout": longestWait, "statement_timeout": longestAnswer,
		"idle_in_transaction_session_timeout": longestIdle,
	} {
		if _, told := config.ConnConfig.RuntimeParams[name]; !told {
			config.ConnConfig.RuntimeParams[name] = fmt.Sprint(most.Milliseconds())
		}
	}
	if d.turns, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("pgindex: %w", err)
	}
	return nil
}

// configure sets what every connection is to say at its start.
func (d *database) configure(params map[string]string) {
	// A plan that was made while the table was small must not scan it as a whole later.
	params["enable_seqscan"] = "off"
	if _, told := params["synchronous_commit"]; !told && !d.opts.NotDurable {
		params["synchronous_commit"] = "on"
	}
	for name, value := range nodeGone {
		if _, told := params[name]; !told {
			params[name] = value
		}
	}
}

// prepare makes a connection ready, so that no call pays for that later.
func (d *database) prepare(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := d.answering(ctx)
	defer cancel()
	if err := d.checkDurable(ctx, conn); err != nil {
		return err
	}
	for name, sql := range statements(d.opts.Schema) {
		if _, err := conn.Prepare(ctx, name, sql); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) checkDurable(ctx context.Context, conn *pgx.Conn) error {
	if d.opts.NotDurable {
		return nil
	}
	var fsync, commit string
	const sql = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
	if err := conn.QueryRow(ctx, sql).Scan(&fsync, &commit); err != nil {
		return err
	}
	if fsync != "on" || commit == "off" || commit == "local" {
		return fmt.Errorf("%w: fsync is %s, synchronous_commit %s", ErrNotDurable, fsync, commit)
	}
	return nil
}

// answering bounds the time for one answer outside of turns, and for those that make a connection ready: a server that has gone without a word,
// or a connection that something between has forgotten, is noticed by nothing else for a quarter of
// an hour.
func (d *database) answering(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(longestAnswer, d.opts.Patience))
}

// Fault implements index.Records. There is no work in the background.
func (d *database) Fault() error { return nil }

// Free implements index.Records.
func (d *database) Free() (int64, error) { return math.MaxInt64, nil }

// Usage implements index.Records.
func (d *database) Usage(ctx context.Context) (u index.Usage, err error) {
	err = d.retry(ctx, func() error {
		const sql = "SELECT pg_total_relation_size($1::regclass)"
		ctx, cancel := d.answering(ctx)
		defer cancel()
		return d.views.QueryRow(ctx, sql, inSchema("@.records", d.opts.Schema)).Scan(&u.DiskBytes)
	})
	return u, err
}

// now is the time of the server's clock.
func (d *database) now(ctx context.Context) (now time.Time, err error) {
	err = d.retry(ctx, func() error {
		ctx, cancel := d.answering(ctx)
		defer cancel()
		return d.views.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
	})
	return now, err
}

// Compact implements index.Records.
func (d *database) Compact(ctx context.Context) error {
	select {
	case <-d.vacuuming:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { d.vacuuming <- struct{}{} }()
	err := d.retry(ctx, func() error {
		_, err := d.views.Exec(ctx, inSchema("VACUUM (ANALYZE) @.records", d.opts.Schema))
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Close implements index.Records. It takes the node's row away; one that stays, since the server
// cannot be reached, goes when another node opens a week later.
func (d *database) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = d.turns.Exec(ctx, sqlForget, d.node)
	d.background.Wait()
	d.closePools()
	return nil
}

func (d *database) closePools() {
	for _, pool := range []*pgxpool.Pool{d.views, d.gets.conns, d.turns} {
		if pool != nil {
			pool.Close()
		}
	}
}
