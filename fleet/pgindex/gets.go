package pgindex

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
)

// mostGets is how many round trips of gets are under way at a time. More would have fewer share one,
// and a lone caller waits for nobody with any number.
const mostGets = 2

// gets shares round trips among who looks records up at the same time: what comes while as many as
// may be are under way goes together in the next one. One statement reads all of it, in one
// snapshot, which begins after all of them have asked.
//
// They have connections of their own: who has a View may get something meanwhile, and would else wait
// for a connection that another such View has, or its own.
type gets struct {
	conns *pgxpool.Pool // of one for each round trip, and one for while that is given up

	mu      sync.Mutex // guards the fields below, and all of next
	sending int        // round trips under way
	next    *getting   // who waits for one; nil: nobody
}

// A getting is one round trip.
type getting struct {
	ctx     context.Context // ends when nobody waits any more
	end     context.CancelFunc
	callers int
	keys    wanted

	done   chan struct{}     // closed when the fields below are set
	values map[string][]byte // by key
	err    error
}

// Get implements index.Getter.
func (d *database) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	g := d.join(keys)
	select {
	case <-g.done:
	case <-ctx.Done():
		d.part(g)
		return nil, ctx.Err()
	}
	if g.err != nil {
		return nil, g.err
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		if value, there := g.values[string(key)]; there {
			values[i] = append([]byte{}, value...) // others may have asked for the same
		}
	}
	return values, nil
}

// join has keys read by the next round trip, which begins at once if it may.
func (d *database) join(keys [][]byte) *getting {
	d.gets.mu.Lock()
	defer d.gets.mu.Unlock()
	g := d.gets.next
	if g == nil {
		g = &getting{keys: newWanted(), done: make(chan struct{})}
		g.ctx, g.end = context.WithCancel(context.Background())
		d.gets.next = g
	}
	g.callers++
	for _, key := range keys {
		g.keys.keys[string(key)] = true
	}
	if d.gets.sending < mostGets {
		d.gets.sending++
		d.gets.next = nil
		d.background.Go(func() { d.get(g) })
	}
	return g
}

// part is for a caller who does not wait any more.
func (d *database) part(g *getting) {
	d.gets.mu.Lock()
	defer d.gets.mu.Unlock()
	if g.callers--; g.callers == 0 {
		g.end()
		if d.gets.next == g {
			d.gets.next = nil
		}
	}
}

// get makes round trips until nobody waits for one.
func (d *database) get(g *getting) {
	for g != nil {
		g.err = d.retry(g.ctx, func() error { return d.read(g) })
		close(g.done)
		g.end()
		g = d.nextGetting()
	}
}

// nextGetting takes what waits for a round trip.
func (d *database) nextGetting() *getting {
	d.gets.mu.Lock()
	defer d.gets.mu.Unlock()
	g := d.gets.next
	d.gets.next = nil
	if g == nil {
		d.gets.sending--
	}
	return g
}

// read makes one round trip.
func (d *database) read(g *getting) error {
	conn, err := d.gets.conns.Acquire(g.ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	ctx, cancel := context.WithTimeout(g.ctx, longestAnswer)
	defer cancel()
	g.values = map[string][]byte{}
	rows, err := conn.Query(ctx, sqlGet, g.keys.list())
	if err != nil {
		return err
	}
	if err := eachRow(rows, func(k, v []byte) { g.values[string(k)] = v }); err != nil {
		return err
	}
	for key := range g.keys.keys {
		d.guesses.learn(key, g.values[key])
	}
	return nil
}
