package badger_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/index/indextest"
	"github.com/gabion-storage/gabion/internal/faulttest"
)

// faultVariable makes the test binary the child of TestBadgerFaults: it names the directory to
// write to.
const faultVariable = "GABION_INDEX_FAULT_CHILD"

const (
	faultUpdates = 230 // some 9 MB: more than a memtable
	faultCompact = 215 // then the child compacts, unless it is told not to
)

// faultPlain tells the child not to compact.
const faultPlain = "GABION_INDEX_FAULT_PLAIN"

// faultBegan is what the child says first. Before it, calls are the loader's and the race detector's,
// which may end a process without a word and with success.
const faultBegan = "began"

// faultChild counts, compacts in between, and closes. It tells of every step that was acknowledged.
// Errors end the counting only.
func faultChild(dir string) {
	faulttest.Say("%s\n", faultBegan)
	b, err := badger.Open(context.Background(), dir, nil)
	if err != nil {
		faulttest.Say("open: %v\n", err)
		return
	}
	for i := range faultUpdates {
		if i == faultCompact && os.Getenv(faultPlain) == "" {
			if err := b.Compact(context.Background()); err != nil {
				faulttest.Say("compact: %v\n", err)
			}
		}
		n, err := count(b, 0)
		if err != nil {
			faulttest.Say("update: %v\n", err)
			break
		}
		faulttest.Say("acknowledged %d\n", n)
	}
	if err := b.Close(); err != nil {
		faulttest.Say("close: %v\n", err)
		return
	}
	faulttest.Say("closed\n")
}

// faultCalls are the system calls in an order that a seed can rely on.
var faultCalls = []faulttest.Call{
	{Name: "fsync", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "fdatasync", Errnos: []string{"EIO"}},
	{Name: "msync", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "openat", Errnos: []string{"EMFILE", "ENOSPC", "EIO"}},
	{Name: "ftruncate", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "fallocate", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "write", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "pwrite64", Errnos: []string{"EIO"}},
	{Name: "renameat", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "unlinkat", Errnos: []string{"EIO"}},
	{Name: "mmap", Errnos: []string{"ENOMEM", "EMFILE"}},
	{Name: "mkdirat", Errnos: []string{"ENOSPC"}},
	{Name: "getdents64", Errnos: []string{"EIO"}},
}

// faultChildOf is the child that works on dir.
func faultChildOf(dir string) *faulttest.Child {
	return &faulttest.Child{Env: []string{faultVariable + "=" + dir}}
}

// TestBadgerFaults lets system calls of a process fail, one after another, and looks for everything
// that was acknowledged. GABION_FAULTS is how many, or "all".
func TestBadgerFaults(t *testing.T) {
	counted := faultChildOf(filepath.Join(t.TempDir(), "index"))
	faulttest.Each(t, indextest.Seed(t), 6, faultCalls, counted, func(f faulttest.Fault) (hit bool) {
		dir := filepath.Join(t.TempDir(), "index")
		told, hits := f.Inject(t, faultChildOf(dir))
		if hits == 0 {
			return false
		}
		checkFault(t, f, dir, told, hits)
		return true
	})
}

// TestBadgerManifestFault lets the syncs and the writes of Badger's list of tables fail while
// memtables are flushed. Badger then removes the table and writes another one, and the list names
// both.
func TestBadgerManifestFault(t *testing.T) {
	t.Setenv(faultPlain, "1")
	// With the last one Badger never gets the table written, and Close must not wait for that.
	for _, f := range []faulttest.Fault{{Call: "fsync", Errno: "EIO", K: 1}, {Call: "write", Errno: "EIO", K: 1}, {Call: "fsync", Errno: "EIO", K: faulttest.EveryCall}} {
		dir := filepath.Join(t.TempDir(), "index")
		closeStore(t, open(t, dir))
		told, hits := f.Inject(t, faultChildOf(dir), "-P", filepath.Join(databaseOf(t, dir), "MANIFEST"))
		if hits == 0 {
			t.Errorf("%v of MANIFEST did not come", f)
		}
		if !strings.Contains(told, "close: ") {
			t.Errorf("after %v Close says nothing: %.300s", f, told[max(0, len(told)-300):])
		}
		checkFault(t, f, dir, told, hits)
	}
}

// TestBadgerNoRemap has the system refuse to put a window between Badger and its logs. Then Badger writes
// to the files.
func TestBadgerNoRemap(t *testing.T) {
	f := faulttest.Fault{Call: "mremap", Errno: "ENOMEM", K: faulttest.EveryCall}
	dir := filepath.Join(t.TempDir(), "index")
	told, hits := f.Inject(t, faultChildOf(dir))
	if hits == 0 {
		t.Errorf("%v did not come", f)
	}
	if !strings.HasSuffix(told, "\nclosed\n") || strings.Count(told, "acknowledged") != faultUpdates {
		t.Errorf("after %v: %.300s", f, told[max(0, len(told)-300):])
	}
	checkFault(t, f, dir, told, hits)
}

// checkFault opens what the child has left and compares it with what it told.
func checkFault(t *testing.T, f faulttest.Fault, dir, told string, hits int) {
	t.Helper()
	want, began, opened, closed := 0, false, true, false
	var said []string
	for lines := bufio.NewScanner(strings.NewReader(told)); lines.Scan(); {
		if n, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
			want, _ = strconv.Atoi(n)
			continue
		}
		if lines.Text() == faultBegan {
			began = true
			continue
		}
		said = append(said, lines.Text())
		opened = opened && !strings.HasPrefix(lines.Text(), "open:")
		closed = closed || lines.Text() == "closed"
	}
	got, err := counted(t, dir)
	t.Logf("%v, %d hits: began %t, acknowledged %d, found %d, %v; the child said %.600q", f, hits, began, want, got, err, said)
	var corrupt *index.CorruptionError
	switch {
	case err == nil && got < want:
		t.Errorf("%v: acknowledged %d, found %d", f, want, got)
	case err != nil && closed:
		t.Errorf("%v: Close said nil, but the index does not open: %v", f, err)
	case err != nil && !errors.As(err, &corrupt):
		t.Errorf("%v: the index does not open and does not say why: %v", f, err)
	case err != nil:
		t.Errorf("%v: the index does not open: %v", f, err)
	case began && opened && want == 0 && len(said) == 0:
		t.Errorf("%v: the child said nothing", f)
	}
}

// counted opens an index, twice, and returns what the counter of its child says.
func counted(t *testing.T, dir string) (n int, err error) {
	t.Helper()
	for range 2 {
		b, err := badger.Open(t.Context(), dir, nil)
		if err != nil {
			return 0, err
		}
		err = b.View(t.Context(), func(r index.Reader) error {
			a, errA := counter(r, "a", 0)
			c, errC := counter(r, "c", 0)
			n = a
			if a != c {
				t.Errorf("half an update: %d and %d", a, c)
			}
			return errors.Join(errA, errC)
		})
		if err = errors.Join(err, b.Close()); err != nil {
			return 0, err
		}
	}
	return n, nil
}
