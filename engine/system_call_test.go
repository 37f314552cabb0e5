package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/faulttest"
)

// systemCalls are those by which a store may fail, in an order that a seed can rely on.
var systemCalls = []faulttest.Call{
	{Name: "io_submit", Errnos: []string{"EIO", "ENOSPC", "EAGAIN"}},
	{Name: "io_getevents", Errnos: []string{"EIO", "EINTR"}},
	{Name: "io_setup", Errnos: []string{"EAGAIN", "ENOMEM"}},
	{Name: "eventfd2", Errnos: []string{"EMFILE"}},
	{Name: "fallocate", Errnos: []string{"EIO", "ENOSPC", "EOPNOTSUPP"}},
	{Name: "ftruncate", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "fsync", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "fdatasync", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "msync", Errnos: []string{"EIO"}},
	{Name: "write", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "pwrite64", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "pread64", Errnos: []string{"EIO"}},
	{Name: "openat", Errnos: []string{"EMFILE", "ENOSPC", "EIO"}},
	{Name: "renameat", Errnos: []string{"EIO", "ENOSPC"}},
	{Name: "unlinkat", Errnos: []string{"EIO"}},
	{Name: "mkdirat", Errnos: []string{"ENOSPC", "EIO"}},
	{Name: "getdents64", Errnos: []string{"EIO"}},
	{Name: "fstatfs", Errnos: []string{"EIO"}},
	{Name: "statx", Errnos: []string{"EIO"}},
	{Name: "flock", Errnos: []string{"EINTR", "ENOLCK"}},
	{Name: "mmap", Errnos: []string{"ENOMEM"}},
}

// TestSystemCallFaults lets system calls of a process with a store fail, one after another. What
// was acknowledged must be there, what failed absent or whole, and nothing else. GABION_FAULTS is
// how many, or "all".
func TestSystemCallFaults(t *testing.T) {
	start := seed(t)
	faulttest.Each(t, start, 6, systemCalls, newFaultyStore(t, start).child(), func(f faulttest.Fault) (hit bool) {
		s := newFaultyStore(t, start)
		told, hits := f.Inject(t, s.child())
		if hits == 0 {
			return false
		}
		s.check(t, f, told, hits)
		return true
	})
}

// A faultyStore is the store of a process whose system calls fail.
type faultyStore struct {
	killedStore
	seed uint64
}

func newFaultyStore(t *testing.T, seed uint64) *faultyStore {
	dir := t.TempDir()
	s := &faultyStore{killedStore{filepath.Join(dir, "store"), filepath.Join(dir, "keyring")}, seed}
	if _, err := s.options(faultyRound); err != nil { // makes the key ring, which is not what fails here
		t.Fatal(err)
	}
	return s
}

// faultyRound is a round of a killedStore with small volumes.
const faultyRound = 1

func (s *faultyStore) child() *faulttest.Child {
	return &faulttest.Child{
		Args: []string{"-test.run=^TestSystemCallFaultsChild$"},
		Env: []string{
			"GABION_FAULT_STORE=" + s.dir, "GABION_FAULT_KEYRING=" + s.keyring, fmt.Sprintf("GABION_FAULT_SEED=%d", s.seed),
		},
	}
}

// check opens what the child has left and compares it with what it told.
func (s *faultyStore) check(t *testing.T, f faulttest.Fault, told string, hits int) {
	t.Helper()
	story := map[string]*killedUpload{}
	var said []string
	var closed bool
	for lines := bufio.NewScanner(strings.NewReader(told)); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "try ") || strings.HasPrefix(line, "did "):
			tell(t, story, line)
		case line == "closed":
			closed = true
		default:
			said = append(said, line)
		}
	}
	t.Logf("%v, %d hits: %d things told, closed %v; the child said %.1000q", f, hits, len(story), closed, said)
	var total killTotals
	s.killedStore.check(t, faultyRound, story, &total)
	if t.Failed() {
		t.Fatalf("%v has broken what is promised", f)
	}
}

// TestSystemCallFaultsChild is the process whose system calls fail: it goes on after every error.
func TestSystemCallFaultsChild(t *testing.T) {
	dir := os.Getenv("GABION_FAULT_STORE")
	if dir == "" {
		t.Skip("runs only as a child of other tests")
	}
	s := killedStore{dir: dir, keyring: os.Getenv("GABION_FAULT_KEYRING")}
	var start uint64
	if _, err := fmt.Sscan(os.Getenv("GABION_FAULT_SEED"), &start); err != nil {
		t.Fatal(err)
	}
	o, err := s.options(faultyRound)
	if err != nil {
		t.Fatal(err)
	}
	o.Events = &engine.Events{Alarm: func(err error) { faulttest.Say("alarm: %v\n", err) }}
	ctx := context.Background()
	e, err := engine.Open(ctx, s.dir, o)
	if err != nil {
		faulttest.Say("open: %v\n", err)
		return
	}
	report := func(what string, err error) {
		if err != nil {
			faulttest.Say("%s: %v\n", what, err)
		}
	}
	uploads := 6
	if _, err = e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: killBucket}); err != nil {
		report("create", err)
		uploads = 0
	}
	rng := rand.New(rand.NewPCG(start, 0))
	for n := range uploads {
		key := fmt.Sprintf("key/%d", n)
		report("upload", uploadUntilKilled(e, key, rng))
		report("copy", copyUntilKilled(e, key, rng))
		if n%2 == 1 {
			_, err := e.Reclaim(ctx, &engine.ReclaimRequest{})
			report("reclaim", err)
		}
	}
	_, err = e.Expire(ctx, &engine.ExpireRequest{Before: time.Unix(1, 0)})
	report("expire", err)
	if err := e.Close(); err != nil {
		faulttest.Say("close: %v\n", err)
		return
	}
	faulttest.Say("closed\n")
}
