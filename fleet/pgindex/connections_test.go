package pgindex_test

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/pgindex"
)

// connections notes the connections on which something is asked.
type connections struct {
	trips
	mu    sync.Mutex // guards conns
	conns map[*pgx.Conn]bool
}

func (c *connections) TraceBatchStart(
	ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData,
) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		c.conns = map[*pgx.Conn]bool{}
	}
	c.conns[conn] = true
	return ctx
}

// reset forgets the connections, and returns them.
func (c *connections) reset() map[*pgx.Conn]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	conns := c.conns
	c.conns = nil
	return conns
}

// TestTurnsKeepTheirConnection has connections expire at once. Those of turns do not: a server that is
// full by then would have no place for a new one, and the node would lose its lease.
func TestTurnsKeepTheirConnection(t *testing.T) {
	server := postgres.Start(t)
	var conns connections
	s, err := pgindex.OpenTraced(
		t.Context(), server.DSN()+" pool_max_conn_lifetime=1ns", nil, &conns,
	)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 10 {
		if err := s.Update(t.Context(), count("n")); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(conns.reset()); got > 2 { // one, or both that there may be at the beginning
		t.Errorf("10 turns are had on %d connections", got)
	}
}
