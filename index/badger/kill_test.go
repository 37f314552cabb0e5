package badger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// childVariable makes the test binary the child of TestBadgerKill: it names the directory to write
// to.
const childVariable = "GABION_INDEX_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	if dir := os.Getenv(faultVariable); dir != "" {
		faultChild(dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	childWriters = 4
	childRecord  = 40 << 10 // so that a few hundred updates fill memtables
)

// child counts up one counter for each writer, for ever, and acknowledges each count on its
// standard output.
func child(dir string) error {
	b, err := badger.Open(context.Background(), dir, nil)
	if err != nil {
		return err
	}
	errs := make(chan error)
	var out sync.Mutex
	for w := range childWriters {
		go func() {
			for {
				n, err := count(b, w)
				if err != nil {
					errs <- err
					return
				}
				out.Lock()
				fmt.Printf("%d %d\n", w, n)
				out.Unlock()
			}
		}()
	}
	return <-errs
}

// count counts up under two keys, with a large record between them, so that half an update would
// show.
func count(s index.Store, writer int) (n int, err error) {
	err = s.Update(context.Background(), func(tx index.Tx) error {
		if n, err = counter(tx, "a", writer); err != nil {
			return err
		}
		n++
		text := []byte(strconv.Itoa(n))
		return errors.Join(
			tx.Put(counterKey("a", writer), text),
			tx.Put(counterKey("b", writer), make([]byte, childRecord)),
			tx.Put(counterKey("c", writer), text))
	})
	return n, err
}

func counterKey(name string, writer int) []byte { return fmt.Appendf(nil, "%s%d", name, writer) }

func counter(r index.Reader, name string, writer int) (int, error) {
	text, err := r.Get(counterKey(name, writer))
	if errors.Is(err, index.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

// TestBadgerKill kills a process that writes, again and again, and looks for everything that was
// acknowledged.
func TestBadgerKill(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		acknowledged := killChild(t, dir, 50+rand.IntN(300))
		image := crashed(t, dir)
		b := open(t, dir)
		err := b.View(t.Context(), func(r index.Reader) error {
			for w, want := range acknowledged {
				a, errA := counter(r, "a", w)
				c, errC := counter(r, "c", w)
				if errA != nil || errC != nil || a != c || a < want {
					t.Errorf("round %d: writer %d: counters are %d and %d (%v, %v), acknowledged was %d", round, w, a, c, errA, errC, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		closeStore(t, b)
		if round%2 == 0 {
			dir = image // so that the next child meets what the last one left, and not always an index that was closed
		}
	}
}

// killChild runs a child until it has acknowledged updates counts, kills it, and returns the last
// count of each writer.
func killChild(t *testing.T, dir string, updates int) (last [childWriters]int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var w, n int
		// The kill may cut the last line short; what is not a whole line was not acknowledged.
		if _, err := fmt.Sscanf(lines.Text()+"\n", "%d %d\n", &w, &n); err != nil {
			break
		}
		last[w] = max(last[w], n)
		if updates--; updates == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); updates > 0 {
		t.Fatalf("the child ended by itself: %v: %s", err, &stderr)
	}
	return last
}
