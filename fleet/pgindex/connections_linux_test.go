package pgindex_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/pgindex"
	"github.com/gabion-storage/gabion/index"
)

// TestServerLooksForNode asks each kind of connection whether the server looks if the node is there:
// the transaction of a node that has lost its power must not stay for hours.
func TestServerLooksForNode(t *testing.T) {
	// Its port is that of all servers of tests, so it has an address of its own.
	address := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	postgres.Start(t, "listen_addresses="+address)
	trust := "host=" + address + " port=5432 user=postgres dbname=postgres sslmode=disable"
	for dsn, want := range map[string]string{
		trust: "10 5 3 30000", trust + " tcp_keepalives_idle=77 tcp_user_timeout=9000": "77 5 3 9000",
	} {
		var conns connections
		s, err := pgindex.OpenTraced(t.Context(), dsn, nil, &conns)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(t.Context(), count("n")); err != nil {
			t.Fatal(err)
		}
		err = s.View(t.Context(), func(r index.Reader) error {
			_, err := r.Get([]byte("n"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		asked := conns.reset()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(asked) < 2 {
			t.Errorf("%d connections were used, want those of turns and of Views", len(asked))
		}
		for conn := range asked {
			if got := silenceOf(t, conn.Config().Copy()); got != want {
				t.Errorf("the settings are %q, want %q", got, want)
			}
		}
	}
}

// silenceOf connects in the same way, and returns how long the server waits for a node.
func silenceOf(t *testing.T, config *pgx.ConnConfig) (settings string) {
	config.Tracer = nil
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	err = conn.QueryRow(t.Context(), `SELECT concat_ws(' ', current_setting('tcp_keepalives_idle'),
		current_setting('tcp_keepalives_interval'), current_setting('tcp_keepalives_count'),
		current_setting('tcp_user_timeout'))`).Scan(&settings)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}
