package pgindex_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/fleet/internal/postgres"
)

// TestNow asks for the time, between two looks at the server's clock by another connection.
func TestNow(t *testing.T) {
	server := postgres.Start(t)
	s := openNode(t, server.DSN(), nil)
	conn, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	look := func() (now time.Time) {
		if err := conn.QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&now); err != nil {
			t.Fatal(err)
		}
		return now
	}
	before := look()
	now, err := s.Now(t.Context())
	if after := look(); err != nil || now.Before(before) || now.After(after) {
		t.Errorf("Now: %v, %v, want %v to %v", now, err, before, after)
	}
}
