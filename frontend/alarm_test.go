package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// serving runs the command over stores until it ends, and calls begun with where it serves S3.
func serving(
	t *testing.T, idx index.Store, node string, begun lineReader,
) (stderr string, err error) {
	t.Helper()
	c, err := parse([]string{"-dir", t.TempDir(), "-oss", "", "-s3", ":0", "-anonymous"})
	if err != nil {
		t.Fatal(err)
	}
	open := func(ctx context.Context, o *engine.Options) (*engine.Engine, error) {
		o.Node, o.Lease = node, time.Second
		return engine.OpenStores(ctx, idx, blob.NewMemory(2<<30), o)
	}
	var says bytes.Buffer
	err = c.runWith(t.Context(), open, begun, &says)
	return says.String(), err
}

// lineReader is told where S3 is.
type lineReader func(s3 string)

func (begun lineReader) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if m := servesAt.FindStringSubmatch(strings.TrimSpace(line)); m != nil && m[1] == "S3" {
			begun(m[2])
		}
	}
	return len(p), nil
}

// A node that the others have given up can do nothing any more. The command says so and ends, so that
// what runs it starts it anew.
func TestTheCommandEndsWhenItsLeaseIsLost(t *testing.T) {
	idx := index.NewMemory()
	stderr, err := serving(t, idx, "a", func(string) {
		err := idx.Update(t.Context(), func(tx index.Tx) error {
			for node, err := range index.ScanAll(tx, index.AllNodes()) {
				if err != nil {
					return err
				}
				if err := tx.Delete(node.Key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, engine.ErrLeaseLost) {
		t.Errorf("it ended with %v, want ErrLeaseLost", err)
	}
	if !strings.Contains(stderr, engine.ErrLeaseLost.Code) {
		t.Errorf("it said %q, want the alarm", stderr)
	}
}

// An index one of whose commits has failed takes no more of them until it is opened again.
func TestTheCommandEndsWhenACommitFails(t *testing.T) {
	idx := &failingIndex{Memory: index.NewMemory()}
	var requests sync.WaitGroup
	stderr, err := serving(t, idx, "", func(s3 string) {
		idx.fails.Store(true)
		requests.Go(func() {
			r, err := http.NewRequest(http.MethodPut, s3+"/photos", nil)
			if err != nil {
				t.Error(err)
				return
			}
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Body.Close()
			if said, _ := io.ReadAll(a.Body); a.StatusCode < 500 {
				t.Errorf("the answer is %s: %s", a.Status, said)
			}
		})
	})
	requests.Wait()
	if failed := (*index.CommitError)(nil); !errors.As(err, &failed) {
		t.Errorf("it ended with %v, want a CommitError", err)
	}
	if !strings.Contains(stderr, "commit failed") {
		t.Errorf("it said %q, want the alarm", stderr)
	}
}

// failingIndex is one whose commits fail, once it is told to.
type failingIndex struct {
	*index.Memory
	fails atomic.Bool
}

func (s *failingIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	if err := s.Failure(); err != nil {
		return err
	}
	return s.Memory.Update(ctx, fn)
}

func (s *failingIndex) Failure() error {
	if s.fails.Load() {
		return &index.CommitError{Err: errors.New("the sync failed")}
	}
	return nil
}

// What is no reason to end is said all the same.
func TestAlarmsAreSaid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its directories have no modes")
	}
	dir := t.TempDir()
	c, err := parse([]string{"-dir", dir, "-oss", ":0", "-s3", ""})
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(store, 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr bytes.Buffer
	if err := run(ctx, c, ending(cancel), &stderr); err != nil {
		t.Error(err)
	}
	says := stderr.String()
	if !strings.HasPrefix(says, "frontend: ") || !strings.Contains(says, store) {
		t.Errorf("it said %q of a store that others can use", says)
	}
}
