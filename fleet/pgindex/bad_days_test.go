package pgindex_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/pgindex"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// count is an update that counts a record up.
func count(key string) func(index.Tx) error {
	return func(tx index.Tx) error {
		n, err := counted(tx, key)
		if err != nil {
			return err
		}
		return tx.Put([]byte(key), []byte(strconv.Itoa(n+1)))
	}
}

func counted(r index.Reader, key string) (n int, err error) {
	text, err := r.Get([]byte(key))
	if errors.Is(err, index.ErrNotFound) {
		return 0, nil
	}
	if err == nil {
		n, err = strconv.Atoi(string(text))
	}
	return n, err
}

// wantCount checks how often a record was counted up.
func wantCount(t *testing.T, s index.Store, key string, want int) {
	t.Helper()
	err := s.View(t.Context(), func(r index.Reader) error {
		n, err := counted(r, key)
		if err == nil && n != want {
			err = fmt.Errorf("%s was counted up %d times, want %d", key, n, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// countAtOnce counts a record up from several goroutines, which must all succeed, and calls
// meanwhile beside them.
func countAtOnce(t *testing.T, s index.Store, each int, meanwhile func(done <-chan struct{})) {
	t.Helper()
	const goroutines = 4
	var running sync.WaitGroup
	for range goroutines {
		running.Go(func() {
			for range each {
				if err := s.Update(t.Context(), count("n")); err != nil {
					t.Errorf("Update: %v", err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	meanwhile(done)
	<-done
	wantCount(t, s, "n", goroutines*each)
}

// TestKilledServer kills the server in the middle of commits, again and again. Nothing that was
// acknowledged is lost, and what was not is neither lost nor done twice.
func TestKilledServer(t *testing.T) {
	server := postgres.Start(t)
	s := openNode(t, server.DSN(), nil)
	kills := 0
	countAtOnce(t, s, 200, func(done <-chan struct{}) {
		for ; kills < 4; kills++ {
			pause := time.Duration(rand.N(100)) * time.Millisecond // any moment will do
			select {
			case <-done:
				return
			case <-time.After(pause):
			}
			server.Kill()
			server.Run()
		}
	})
	if t.Logf("the server was killed %d times", kills); kills == 0 {
		t.Error("the server was never killed")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wantCount(t, openNode(t, server.DSN(), nil), "n", 800)
}

// TestCutConnections cuts connections at random points of turns, commits among them. What became
// of a commit is found out: nothing is done twice, and nothing is lost.
func TestCutConnections(t *testing.T) {
	p := postgres.NewProxy(t, postgres.Start(t))
	s := openNode(t, postgres.DSN(p.Dir()), nil)
	rng := rand.New(rand.NewPCG(indextest.Seed(t), 0))
	var mu sync.Mutex // guards rng and cuts
	cuts := map[postgres.Verdict]int{}
	p.Set(false, func(message []byte) postgres.Verdict {
		mu.Lock()
		defer mu.Unlock()
		does := postgres.Pass
		switch n := rng.IntN(20); {
		case postgres.IsCommit(message) && n < 2:
			does = postgres.Verdict(1 + n)
		case n == 3:
			does = postgres.Cut
		}
		cuts[does]++
		return does
	})
	countAtOnce(t, s, 50, func(<-chan struct{}) {})
	mu.Lock() // connections are being given back
	defer mu.Unlock()
	if t.Log(cuts); cuts[postgres.Cut] == 0 {
		t.Error("no connection was cut")
	}
}

// TestNoAnswer has a connection of a View get no answers, as after a failover or behind a firewall that
// has forgotten it: at its beginning, at a Get, or at a Scan. The View fails, though its context has no
// end, and the next one has another connection.
func TestNoAnswer(t *testing.T) {
	p := postgres.NewProxy(t, postgres.Start(t))
	s := openNode(t, postgres.DSN(p.Dir()), &pgindex.Options{Patience: time.Second})
	for name, statement := range map[string]string{
		"prepare": "gabion_now\x00SELECT", "begin": "gabion_snapshot\x00", "Get": "gabion_get\x00",
		"Scan": "gabion_scan\x00",
	} {
		if name != "prepare" {
			wantCount(t, s, "key", 0) // by a connection that is ready
		}
		p.Set(false, func(message []byte) postgres.Verdict {
			if bytes.Contains(message, []byte(statement)) {
				return postgres.Stall
			}
			return postgres.Pass
		})
		late := time.AfterFunc(20*time.Second, p.CutAll)
		err := s.View(context.Background(), func(r index.Reader) error {
			if _, err := r.Get([]byte("key")); !errors.Is(err, index.ErrNotFound) {
				return err
			}
			for _, err := range r.Scan([]byte("a"), []byte("b")) {
				return err
			}
			return nil
		})
		if !errors.Is(err, index.ErrUnavailable) || !late.Stop() {
			t.Errorf("%s: View: %v, want ErrUnavailable, soon", name, err)
		}
		p.Set(false, nil)
		wantCount(t, s, "key", 0)
		p.CutAll()
	}
}

// TestSilentTurn has the connection of the turns get no answers any more, once. That must not cost the
// node its lease: it has another connection meanwhile.
func TestSilentTurn(t *testing.T) {
	p := postgres.NewProxy(t, postgres.Start(t))
	s := openNode(t, postgres.DSN(p.Dir()), nil)
	if err := s.Update(t.Context(), count("n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // from a second on it is asked whether it is there
	var stalls atomic.Int32
	p.Set(false, func(message []byte) postgres.Verdict {
		if bytes.Contains(message, []byte("-- ping")) && stalls.Add(1) == 1 {
			return postgres.Stall
		}
		return postgres.Pass
	})
	late := time.AfterFunc(engine.DefaultLease, p.CutAll)
	if err := s.Update(t.Context(), count("n")); err != nil || !late.Stop() {
		t.Errorf("Update: %v, want that it is done while a lease lasts", err)
	}
	if stalls.Load() == 0 {
		t.Error("nobody was asked")
	}
	p.CutAll() // for who gives the silent one up
	wantCount(t, s, "n", 2)
}

// TestLostCommit cuts the connection when a commit is sent. Whether it was made or not, it counts
// once; but when nobody can find that out, the store stops, until it is opened again.
func TestLostCommit(t *testing.T) {
	p := postgres.NewProxy(t, postgres.Start(t))
	for name, c := range map[string]struct {
		does    postgres.Verdict
		refuses bool // from then on
		made    int
	}{
		"not made": {does: postgres.Cut}, "made": {does: postgres.Answer},
		"made later":          {does: postgres.Late},
		"not made, not known": {does: postgres.Cut, refuses: true},
		"made, not known":     {does: postgres.Answer, refuses: true, made: 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := &pgindex.Options{
				Schema: fmt.Sprintf("lost_%d_%t", c.does, c.refuses), Patience: time.Second,
			}
			p.Set(false, nil)
			s := openNode(t, postgres.DSN(p.Dir()), o)
			once := false
			p.Set(false, func(message []byte) postgres.Verdict {
				if once || !postgres.IsCommit(message) {
					return postgres.Pass
				}
				once = true
				p.Set(c.refuses, nil)
				return c.does
			})
			err := s.Update(t.Context(), count("n"))
			if !once {
				t.Fatal("there was no commit")
			}
			if !c.refuses {
				if err != nil {
					t.Errorf("Update: %v", err)
				}
				wantCount(t, s, "n", 1)
				return
			}
			var failed *index.CommitError
			if !errors.As(err, &failed) || s.Failure() == nil {
				t.Fatalf("Update: %v, Failure: %v, want a CommitError", err, s.Failure())
			}
			p.Set(false, nil)
			if err := s.Update(t.Context(), count("n")); !errors.As(err, &failed) {
				t.Errorf("a later Update: %v, want a CommitError", err)
			}
			wantCount(t, openNode(t, postgres.DSN(p.Dir()), o), "n", c.made)
		})
	}
}

// TestStandbyIsAway has a commit wait for a standby that never comes, and cuts the connection, which
// ends the wait: the server has it then, and the standby has not. Update must not say that it was made.
func TestStandbyIsAway(t *testing.T) {
	server := postgres.Start(t)
	p := postgres.NewProxy(t, server)
	s := openNode(t, postgres.DSN(p.Dir()), &pgindex.Options{Patience: time.Second})
	server.Kill()
	server.Run("synchronous_standby_names=nobody")
	done := make(chan error, 1)
	go func() { done <- s.Update(context.Background(), count("n")) }()
	cut := map[int]bool{}
	for waiting := true; waiting; {
		select {
		case err := <-done:
			var failed *index.CommitError
			if !errors.As(err, &failed) || s.Failure() == nil {
				t.Errorf("Update: %v, Failure: %v, want a CommitError", err, s.Failure())
			}
			waiting = false
		case <-time.After(5 * time.Millisecond):
			// Each once: what ends the wait of a connection that was cut comes by another one.
			for _, pid := range waitingCommits(t, server) {
				if !cut[pid] {
					cut[pid] = true
					p.CutAll()
				}
			}
		}
	}
	if len(cut) == 0 {
		t.Error("no commit has waited")
	}
	server.Kill()
	server.Run()
	wantCount(t, openNode(t, server.DSN(), nil), "n", 1)
}

// waitingCommits returns the processes of the server that wait for a standby.
func waitingCommits(t *testing.T, server *postgres.Server) []int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	const sql = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'"
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		t.Fatal(err)
	}
	return pids
}

// TestServerIsAway has calls fail while there is no server, and succeed when there is one again.
func TestServerIsAway(t *testing.T) {
	server := postgres.Start(t)
	s := openNode(t, server.DSN(), &pgindex.Options{Patience: time.Second})
	server.Kill()
	for name, err := range map[string]error{
		"Update":  s.Update(t.Context(), count("n")),
		"View":    s.View(t.Context(), func(index.Reader) error { return nil }),
		"Compact": s.Compact(t.Context()),
	} {
		if !errors.Is(err, index.ErrUnavailable) {
			t.Errorf("%s without a server: %v, want ErrUnavailable", name, err)
		}
	}
	if err := s.Failure(); err != nil {
		t.Errorf("Failure: %v", err)
	}
	server.Run()
	if err := s.Update(t.Context(), count("n")); err != nil {
		t.Errorf("Update with the server there again: %v", err)
	}
	wantCount(t, s, "n", 1)
}

// TestLostSnapshot ends the server in the middle of a View. Its reads fail from then on.
func TestLostSnapshot(t *testing.T) {
	server := postgres.Start(t)
	s := openNode(t, server.DSN(), nil)
	err := s.View(t.Context(), func(r index.Reader) error {
		server.Kill()
		server.Run()
		for range 2 {
			if _, err := r.Get([]byte("n")); !errors.Is(err, index.ErrUnavailable) {
				t.Errorf("Get: %v, want ErrUnavailable", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("View: %v", err)
	}
	wantCount(t, s, "n", 0)
}

// stall begins an update of a node that stops while it has the turn, and returns when it has. The
// first run is in vain.
func stall(t *testing.T, s index.Store) (goOn func() error) {
	t.Helper()
	stalled, gate := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	runs := 0
	go func() {
		done <- s.Update(context.Background(), func(tx index.Tx) error {
			if runs++; runs == 2 {
				close(stalled)
				<-gate
			}
			return count("n")(tx)
		})
	}()
	<-stalled
	return func() error {
		close(gate)
		return <-done
	}
}

// TestWaitForTurn has a node wait for its turn in vain: until its patience ends, or its caller's.
func TestWaitForTurn(t *testing.T) {
	server := postgres.Start(t)
	dsn := server.DSN() + " lock_timeout=50ms"
	o := &pgindex.Options{Patience: time.Second}
	one, two := openNode(t, dsn, o), openNode(t, dsn, o)
	goOn := stall(t, one)
	if err := two.Update(t.Context(), count("n")); !errors.Is(err, index.ErrUnavailable) {
		t.Errorf("Update: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := two.Update(ctx, func(tx index.Tx) error {
		cancel()
		return count("n")(tx)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v, want Canceled", err)
	}
	if err := goOn(); err != nil {
		t.Errorf("the Update that had the turn: %v", err)
	}
	wantCount(t, two, "n", 1)
}

// TestStalledNode has a node stop in its turn. It loses the turn, and what it does afterwards is
// done anew.
func TestStalledNode(t *testing.T) {
	server := postgres.Start(t)
	one := openNode(t, server.DSN()+" idle_in_transaction_session_timeout=100ms", nil)
	two := openNode(t, server.DSN(), nil)
	goOn := stall(t, one)
	if err := two.Update(t.Context(), count("n")); err != nil {
		t.Errorf("Update of another node: %v", err)
	}
	if err := goOn(); err != nil {
		t.Errorf("the Update that was stopped: %v", err)
	}
	wantCount(t, two, "n", 2)
}

// TestFullDisk fills the server's disk. Updates are refused, and go on when there is room again.
func TestFullDisk(t *testing.T) {
	server := postgres.StartOnDisk(t, 96)
	ballast := filepath.Join(server.Dir(), "data", "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openNode(t, server.DSN(), nil)
	defer s.Close()
	fill := func(n int) error {
		return s.Update(t.Context(), func(tx index.Tx) error {
			value := make([]byte, index.MaxValueSize)
			_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(value)
			return tx.Put([]byte(strconv.Itoa(n)), value)
		})
	}
	n := 0
	var err error
	for ; err == nil && n < 1000; n++ {
		err = fill(n)
	}
	if !errors.Is(err, index.ErrNoSpace) {
		t.Fatalf("after %d large records: %v, want ErrNoSpace", n, err)
	}
	if err := s.Failure(); err != nil {
		t.Errorf("Failure: %v", err)
	}
	remove := func(tx index.Tx) error { return tx.Delete([]byte("0")) }
	if err := s.Update(t.Context(), remove); err != nil {
		t.Errorf("Delete on a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := fill(0); err != nil {
		t.Errorf("Update with room again: %v", err)
	}
}
