// Package indextest is the contract of index.Store as tests. Every implementation, and every
// wrapper of one, runs it:
//
//	func TestStore(t *testing.T) {
//		indextest.Run(t, func(t *testing.T) index.Store { return open(t, t.TempDir()) })
//	}
package indextest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// Run runs the whole suite. open returns an empty store; Run closes it. The name of a failing test
// is the clause that is broken.
func Run(t *testing.T, open func(t *testing.T) index.Store) {
	groups := []struct {
		name  string
		tests []clause
	}{
		{"Read", readClauses},
		{"Get", getClauses},
		{"Prefetch", prefetchClauses},
		{"Snapshot", snapshotClauses},
		{"Update", updateClauses},
		{"Limits", limitClauses},
		{"Compact", compactClauses},
		{"Life", lifeClauses},
		{"Model", modelClauses},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.tests {
				t.Run(c.name, func(t *testing.T) {
					checkGoroutines(t)
					s := open(t)
					t.Cleanup(func() {
						if err := s.Close(); err != nil && !errors.Is(err, index.ErrClosed) {
							t.Errorf("Close: %v", err)
						}
					})
					c.test(&tester{t, s})
				})
			}
		})
	}
}

type clause struct {
	name string
	test func(*tester)
}

// patience is how long a test waits for what must happen before it calls it hanging.
const patience = 20 * time.Second

// checkGoroutines makes the test fail when, after the store is closed, there are more goroutines
// than before it was opened.
func checkGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(patience / 4)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines after Close, %d before", runtime.NumGoroutine(), before)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// A tester is a test with its store. Its methods fail the test on errors, so tests read as what
// they do.
type tester struct {
	*testing.T
	s index.Store
}

func (t *tester) update(fn func(index.Tx) error) {
	t.Helper()
	if err := t.s.Update(t.Context(), fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func (t *tester) view(fn func(index.Reader) error) {
	t.Helper()
	if err := t.s.View(t.Context(), fn); err != nil {
		t.Fatalf("View: %v", err)
	}
}

// put stores pairs of key and value in one Update.
func (t *tester) put(pairs ...string) {
	t.Helper()
	t.update(func(tx index.Tx) error { return putAll(tx, pairs...) })
}

// delete removes keys in one Update.
func (t *tester) delete(keys ...string) {
	t.Helper()
	t.update(func(tx index.Tx) error { return deleteAll(tx, keys...) })
}

// want compares everything that is stored with pairs of key and value.
func (t *tester) want(pairs ...string) {
	t.Helper()
	t.view(func(r index.Reader) error {
		t.wantIn(r, pairs...)
		return nil
	})
}

// wantIn does so in one reader of a View.
func (t *tester) wantIn(r index.Reader, pairs ...string) {
	t.Helper()
	if err := compare(r, pairs...); err != nil {
		t.Error(err)
	}
}

// compare compares what a reader shows, by Scan and by Get, with pairs of key and value. In an
// update its error is to be returned: a run in vain may see anything.
func compare(r index.Reader, pairs ...string) error {
	got, err := scanAll(r, nil, nil)
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	if !slices.Equal(got, pairs) {
		return fmt.Errorf("scan shows %.300q, want %.300q", got, pairs)
	}
	for i := 0; i < len(pairs); i += 2 {
		value, err := r.Get([]byte(pairs[i]))
		if err != nil || string(value) != pairs[i+1] {
			return fmt.Errorf(
				"get(%.100q) = %.100q, %w, want %.100q", pairs[i], value, err, pairs[i+1],
			)
		}
	}
	return nil
}

// hold keeps the store's updates waiting until the function it returns is called, so that a test
// can queue several.
func (t *tester) hold() (release func()) {
	t.Helper()
	started, gate := make(chan struct{}), make(chan struct{})
	start := sync.OnceFunc(func() { close(started) })
	done := t.background(func(ctx context.Context) error {
		return t.s.Update(ctx, func(index.Tx) error {
			start()
			<-gate
			return nil
		})
	})
	<-started
	return func() {
		t.Helper()
		close(gate)
		if err := t.wait(done); err != nil {
			t.Errorf("the update that held the others: %v", err)
		}
	}
}

// background runs fn on a goroutine and sends its error.
func (t *tester) background(fn func(context.Context) error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn(t.Context()) }()
	return done
}

// wait receives the error of a background call.
func (t *tester) wait(done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("call hangs")
		return nil
	}
}

// settle gives calls in the background the time to get where they wait. Nothing depends on it but
// how sharp a test is.
func settle() { time.Sleep(5 * time.Millisecond) }

func putAll(tx index.Tx, pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := tx.Put([]byte(pairs[i]), []byte(pairs[i+1])); err != nil {
			return err
		}
	}
	return nil
}

func deleteAll(tx index.Tx, keys ...string) error {
	for _, key := range keys {
		if err := tx.Delete([]byte(key)); err != nil {
			return err
		}
	}
	return nil
}

// scanAll returns pairs of key and value.
func scanAll(r index.Reader, start, end []byte) (pairs []string, err error) {
	for item, err := range r.Scan(start, end) {
		if err != nil {
			return pairs, err
		}
		pairs = append(pairs, string(item.Key), string(item.Value))
	}
	return pairs, nil
}

// value returns size bytes that are easy to tell from others.
func value(seed byte, size int) []byte { return bytes.Repeat([]byte{seed}, size) }
