package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// beyondBudget is how much anonymous memory an engine may take beside its MemoryBudget, however
// many parts of whatever size are under way.
const beyondBudget = 128 << 20

// A load is parts that are uploaded at once, every other one encrypted.
type load struct {
	Store  string // directory
	Budget int64
	Parts  int
	Size   int64 // of each part
	Fresh  int   // so many parts are random; the others repeat themselves or compress
}

// A strain is what a load did to the process that carried it.
type strain struct {
	Before, Peak int64 // bytes of anonymous memory
	Stored       int64 // bytes of chunks
}

// TestBudget uploads parts that are larger, all together, than the memory they may take: it could
// not pass if memory grew with the size of the parts. GABION_BUDGET makes it 16 parts of so many
// bytes, 4 of them random.
func TestBudget(t *testing.T) {
	l := load{Parts: 4, Size: 64 << 20, Fresh: 4, Budget: 8 << 20}
	if size := rounds(t, "GABION_BUDGET", 0); size > 0 {
		l = load{Parts: 16, Size: int64(size), Fresh: 4, Budget: engine.DefaultMemoryBudget}
	}
	if underRaceDetector() {
		t.Skip("the race detector has several bytes of its own for each one")
	}
	l.Store = filepath.Join(t.TempDir(), "store")
	got := l.carry(t)
	took, allowed := got.Peak-got.Before, l.Budget+beyondBudget
	t.Logf("%d parts of %d MiB with a budget of %d MiB: %.1f MiB of anonymous memory, %.1f MiB beyond the budget",
		l.Parts, l.Size>>20, l.Budget>>20, float64(took)/(1<<20), float64(took-l.Budget)/(1<<20))
	if took > allowed {
		t.Errorf("the engine took %d bytes of anonymous memory, may take %d", took, allowed)
	}
	if least := int64(l.Fresh) * l.Size; got.Stored < least {
		t.Errorf("%d bytes were stored, %d are random: the test has lost its grip", got.Stored, least)
	}
	if int64(l.Parts)*l.Size <= allowed {
		t.Errorf("all parts together have %d bytes, which may all be in memory: the test has lost its grip", int64(l.Parts)*l.Size)
	}
}

// carry carries the load in a process of its own.
func (l *load) carry(t *testing.T) (s strain) {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(t.TempDir(), "result")
	cmd := exec.Command(os.Args[0], "-test.run=^TestBudgetChild$", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), "GABION_BUDGET_LOAD="+string(text), "GABION_BUDGET_RESULT="+result)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the process failed: %v\n%s", err, out)
	}
	if text, err = os.ReadFile(result); err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBudgetChild is the process that TestBudget watches.
func TestBudgetChild(t *testing.T) {
	text := os.Getenv("GABION_BUDGET_LOAD")
	if text == "" {
		t.Skip("runs only as a child of another test")
	}
	var l load
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	ring := keys(t)
	noise := random(1, 1<<20+4099) // no chunk holds it twice
	watch := watchAnonymous(t)
	e, err := engine.Open(context.Background(), l.Store, &engine.Options{Keys: ring, MemoryBudget: l.Budget})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	uploads := [2]string{mustInitiate(t, e, "bucket", "plain", ""), mustInitiate(t, e, "bucket", "sealed", "AES256")}
	var all sync.WaitGroup // no part goes on before all have begun
	all.Add(l.Parts)
	for _, err := range atOnce(l.Parts, func(i int) error {
		body := &loadBody{noise: noise, part: i, left: l.Size, begun: &all}
		if i >= l.Fresh {
			body.repeats, body.compresses = i/2%2 == 0, i/2%2 == 1
		}
		_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
			Bucket: "bucket", Key: [2]string{"plain", "sealed"}[i%2], UploadID: uploads[i%2], PartNumber: i + 1, Body: body,
		})
		return err
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := strain{Stored: stats(t, e).StoredBytes}
	s.Before, s.Peak = watch()
	result, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(os.Getenv("GABION_BUDGET_RESULT"), result, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A loadBody is the body of one part of a load, made as it is read.
type loadBody struct {
	noise      []byte
	part       int
	repeats    bool
	compresses bool
	at, left   int64
	begun      *sync.WaitGroup // waits for the first Read of all
}

const (
	loadPeriod = 64 << 20 // of a body that repeats itself
	loadStamp  = 4 << 10  // so often it differs from all others
)

// Read implements io.Reader.
func (b *loadBody) Read(p []byte) (int, error) {
	if b.at == 0 {
		b.begun.Done()
		b.begun.Wait()
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.left)]
	at := b.at
	if b.repeats {
		at %= loadPeriod
	}
	if b.compresses {
		clear(p)
	} else {
		for n := 0; n < len(p); {
			n += copy(p[n:], b.noise[(at+int64(n))%int64(len(b.noise)):])
		}
	}
	for n := 0; n+16 <= len(p); n += loadStamp {
		binary.NativeEndian.PutUint64(p[n:], uint64(b.part))
		binary.NativeEndian.PutUint64(p[n+8:], uint64(at)+uint64(n))
	}
	b.at += int64(len(p))
	b.left -= int64(len(p))
	return len(p), nil
}

// watchAnonymous samples the anonymous memory of this process, as it is now and the most that it is
// until peak is called.
func watchAnonymous(t *testing.T) (peak func() (before, most int64)) {
	t.Helper()
	debug.FreeOSMemory() // what the test has used before does not hide what comes
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	status := make([]byte, 16<<10) // the watch does not make garbage of its own
	sample := func() (int64, error) {
		n, err := f.ReadAt(status, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		return anonymousIn(status[:n])
	}
	before, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	most, failed := before, error(nil)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(2 * time.Millisecond); failed == nil; {
			var now int64
			now, failed = sample()
			most = max(most, now)
			select {
			case <-tick.C:
			case <-done:
				tick.Stop()
				return
			}
		}
	})
	return func() (int64, int64) {
		close(done)
		watching.Wait()
		if err := errors.Join(failed, f.Close()); err != nil {
			t.Fatal(err)
		}
		return before, most
	}
}

// anonymousIn finds RssAnon in the text of a status file of /proc, in bytes.
func anonymousIn(status []byte) (int64, error) {
	_, rest, found := bytes.Cut(status, []byte("\nRssAnon:"))
	line, _, _ := bytes.Cut(rest, []byte(" kB\n"))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	if !found || err != nil {
		return 0, fmt.Errorf("no RssAnon in %q: %w", status, err)
	}
	return n << 10, nil
}
