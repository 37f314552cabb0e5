package pgindex_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/pgindex"
	"github.com/gabion-storage/gabion/index"
)

// TestOpenAtOnce has nodes make the schema at the same time.
func TestOpenAtOnce(t *testing.T) {
	server := postgres.Start(t)
	errs := make(chan error)
	for range 8 {
		go func() {
			s, err := pgindex.Open(t.Context(), server.DSN(), nil)
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestOpenRefuses opens what must not be used.
func TestOpenRefuses(t *testing.T) {
	server := postgres.Start(t)
	refused := func(name, dsn string, o *pgindex.Options) error {
		t.Helper()
		s, err := pgindex.Open(t.Context(), dsn, o)
		if err == nil {
			t.Errorf("%s: Open succeeds", name)
			_ = s.Close()
		}
		return err
	}
	_ = refused("no DSN", "host=", &pgindex.Options{Schema: "1"})
	_ = refused("a bad schema", server.DSN(), &pgindex.Options{Schema: `a"b`})
	_ = refused("no patience", server.DSN(), &pgindex.Options{Patience: time.Millisecond})
	_ = refused("negative Views", server.DSN(), &pgindex.Options{Views: -1})
	for _, lossy := range []string{"off", "local"} {
		dsn := server.DSN() + " synchronous_commit=" + lossy
		if err := refused(lossy, dsn, nil); !errors.Is(err, pgindex.ErrNotDurable) {
			t.Errorf("synchronous_commit=%s: %v, want ErrNotDurable", lossy, err)
		}
		openNode(t, dsn, &pgindex.Options{NotDurable: true})
	}
	newer(t, server.DSN())
	var version *index.VersionError
	if err := refused("a newer schema", server.DSN(), nil); !errors.As(err, &version) {
		t.Errorf("a newer schema: %v, want a VersionError", err)
	}
	server.Kill()
	server.Run("fsync=off")
	if err := refused("fsync", server.DSN(), nil); !errors.Is(err, pgindex.ErrNotDurable) {
		t.Errorf("fsync=off: %v, want ErrNotDurable", err)
	}
}

// TestExchangedServer has the server come back without fsync: no node commits to it.
func TestExchangedServer(t *testing.T) {
	server := postgres.Start(t)
	s := openNode(t, server.DSN(), nil)
	server.Kill()
	server.Run("fsync=off")
	if err := s.Update(t.Context(), count("n")); !errors.Is(err, pgindex.ErrNotDurable) {
		t.Errorf("Update: %v, want ErrNotDurable", err)
	}
}

// newer makes the schema one of a later version.
func newer(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "UPDATE gabion.format SET version = 2"); err != nil {
		t.Fatal(err)
	}
}
