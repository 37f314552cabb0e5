package index_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// faultVariable makes the test binary the child of TestBadgerFaults: it names the directory to write to.
const faultVariable = "GABION_INDEX_FAULT_CHILD"

const (
	faultUpdates = 230 // some 9 MB: more than a memtable
	faultCompact = 215 // then the child compacts, unless it is told not to
)

// faultPlain tells the child not to compact.
const faultPlain = "GABION_INDEX_FAULT_PLAIN"

// faultChild counts, compacts in between, and closes. It tells of every step that was acknowledged. Errors end the counting only.
func faultChild(dir string) {
	b, err := index.OpenBadger(context.Background(), dir, nil)
	if err != nil {
		fmt.Printf("open: %v\n", err)
		return
	}
	for i := range faultUpdates {
		if i == faultCompact && os.Getenv(faultPlain) == "" {
			if err := b.Compact(context.Background()); err != nil {
				fmt.Printf("compact: %v\n", err)
			}
		}
		n, err := count(b, 0)
		if err != nil {
			fmt.Printf("update: %v\n", err)
			break
		}
		fmt.Printf("acknowledged %d\n", n)
	}
	if err := b.Close(); err != nil {
		fmt.Printf("close: %v\n", err)
		return
	}
	fmt.Println("closed")
}

// A fault is one system call, counted in each thread, that fails.
type fault struct {
	call, errno string
	k           int // everyCall: all of them
}

const everyCall = 0

func (f fault) String() string { return fmt.Sprintf("%s %s of %s", f.errno, f.when(), f.call) }

// when is as strace wants it.
func (f fault) when() string {
	if f.k == everyCall {
		return "1+"
	}
	return strconv.Itoa(f.k)
}

var faultErrnos = map[string][]string{
	"fsync": {"EIO", "ENOSPC"}, "fdatasync": {"EIO"}, "msync": {"EIO", "ENOSPC"}, "openat": {"EMFILE", "ENOSPC", "EIO"},
	"ftruncate": {"EIO", "ENOSPC"}, "fallocate": {"EIO", "ENOSPC"}, "write": {"EIO", "ENOSPC"}, "pwrite64": {"EIO"},
	"renameat": {"EIO", "ENOSPC"}, "unlinkat": {"EIO"}, "mmap": {"ENOMEM", "EMFILE"}, "mkdirat": {"ENOSPC"}, "getdents64": {"EIO"},
}

// traced runs the child under strace and returns what it told and what was traced.
func traced(t *testing.T, dir string, args ...string) (told, trace string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	log := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(ctx, strace, append([]string{"-f", "--seccomp-bpf", "-qq", "-o", log}, append(args, os.Args[0])...)...)
	cmd.Env = append(os.Environ(), faultVariable+"="+dir, "GOMAXPROCS=2")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		t.Errorf("the child hangs\n%s\n%s", &out, &stderr)
	}
	data, readErr := os.ReadFile(log)
	if err != nil && (readErr != nil || strings.Contains(stderr.String(), "PTRACE")) {
		t.Skipf("strace does not work here: %v: %s", err, &stderr)
	}
	if err != nil {
		fmt.Fprintf(&out, "died: %v: %.300s\n", err, &stderr)
	}
	return out.String(), string(data)
}

// faults returns the faults to try: some, by a seed, or with GABION_FAULTS=all every one, k counting up until nothing is hit.
func faults(t *testing.T) (some []fault, all bool) {
	t.Helper()
	n := 6
	if text := os.Getenv("GABION_FAULTS"); text == "all" {
		return nil, true
	} else if text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("GABION_FAULTS: %v", err)
		}
	}
	seed := rand.Uint64()
	if text := os.Getenv(indextest.SeedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", indextest.SeedVariable, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	most := callsByThread(t)
	var kinds []string
	for _, call := range faultCalls() {
		if most[call] > 0 {
			kinds = append(kinds, call)
		}
	}
	for range n {
		call := kinds[rng.IntN(len(kinds))]
		errnos := faultErrnos[call]
		some = append(some, fault{call, errnos[rng.IntN(len(errnos))], 1 + rng.IntN(most[call])})
	}
	return some, false
}

// faultCalls are the system calls in an order that a seed can rely on.
func faultCalls() []string {
	return []string{"fsync", "fdatasync", "msync", "openat", "ftruncate", "fallocate", "write", "pwrite64", "renameat", "unlinkat", "mmap", "mkdirat", "getdents64"}
}

// callsByThread counts how often each call occurs in the thread that makes most of them.
func callsByThread(t *testing.T) map[string]int {
	t.Helper()
	told, trace := traced(t, filepath.Join(t.TempDir(), "index"), "-e", "trace="+strings.Join(faultCalls(), ","))
	if !strings.HasSuffix(told, "closed\n") {
		t.Fatalf("without a fault the child says %q", told)
	}
	line := regexp.MustCompile(`^(\d+) +(\w+)\(`)
	threads, most := map[string]int{}, map[string]int{}
	for _, text := range strings.Split(trace, "\n") {
		if m := line.FindStringSubmatch(text); m != nil {
			threads[m[1]+m[2]]++
			most[m[2]] = max(most[m[2]], threads[m[1]+m[2]])
		}
	}
	return most
}

// TestBadgerFaults lets system calls of a process fail, one after another, and looks for everything that was acknowledged.
// GABION_FAULTS is how many, or "all".
func TestBadgerFaults(t *testing.T) {
	some, all := faults(t)
	for _, f := range some {
		tryFault(t, f)
	}
	if !all {
		return
	}
	for _, call := range faultCalls() {
		for _, errno := range faultErrnos[call] {
			for k := 1; tryFault(t, fault{call, errno, k}); k++ {
			}
		}
	}
}

// TestBadgerManifestFault lets the syncs and the writes of Badger's list of tables fail while memtables are flushed. Badger then
// removes the table and writes another one, and the list names both.
func TestBadgerManifestFault(t *testing.T) {
	t.Setenv(faultPlain, "1")
	// With the last one Badger never gets the table written, and Close must not wait for that.
	for _, f := range []fault{{"fsync", "EIO", 1}, {"write", "EIO", 1}, {"fsync", "EIO", everyCall}} {
		dir := filepath.Join(t.TempDir(), "index")
		closeStore(t, openBadger(t, dir))
		told, trace := f.inject(t, dir, "-P", filepath.Join(databaseOf(t, dir), "MANIFEST"))
		if !strings.Contains(trace, "(INJECTED)") {
			t.Errorf("%v of MANIFEST did not come", f)
		}
		if !strings.Contains(told, "close: ") {
			t.Errorf("after %v Close says nothing: %.300s", f, told[max(0, len(told)-300):])
		}
		checkFault(t, f, dir, told, trace)
	}
}

// tryFault reports whether the fault has hit anything.
func tryFault(t *testing.T, f fault) (hit bool) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "index")
	told, trace := f.inject(t, dir)
	if !strings.Contains(trace, "(INJECTED)") {
		return false
	}
	checkFault(t, f, dir, told, trace)
	return true
}

// inject runs the child with the fault.
func (f fault) inject(t *testing.T, dir string, args ...string) (told, trace string) {
	t.Helper()
	args = append(args, "-e", "trace="+f.call, "-e", fmt.Sprintf("inject=%s:error=%s:when=%s", f.call, f.errno, f.when()))
	return traced(t, dir, args...)
}

// checkFault opens what the child has left and compares it with what it told.
func checkFault(t *testing.T, f fault, dir, told, trace string) {
	t.Helper()
	want, opened, closed := 0, true, false
	var said []string
	for lines := bufio.NewScanner(strings.NewReader(told)); lines.Scan(); {
		if n, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
			want, _ = strconv.Atoi(n)
			continue
		}
		said = append(said, lines.Text())
		opened = opened && !strings.HasPrefix(lines.Text(), "open:")
		closed = closed || lines.Text() == "closed"
	}
	got, err := counted(t, dir)
	t.Logf("%v, %d hits: acknowledged %d, found %d, %v; the child said %.600q", f, strings.Count(trace, "(INJECTED)"), want, got, err, said)
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
	case opened && want == 0 && len(said) == 0:
		t.Errorf("%v: the child said nothing", f)
	}
}

// counted opens an index, twice, and returns what the counter of its child says.
func counted(t *testing.T, dir string) (n int, err error) {
	t.Helper()
	for range 2 {
		b, err := index.OpenBadger(t.Context(), dir, nil)
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
