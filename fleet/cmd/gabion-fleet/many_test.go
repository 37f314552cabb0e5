package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// manyObjects is how many objects the tests below move: GABION_OBJECTS, or few. Of 340,000 the index
// has a million records.
func manyObjects(t *testing.T) int {
	t.Helper()
	text, told := os.LookupEnv("GABION_OBJECTS")
	if !told {
		return 2000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("GABION_OBJECTS: %v", err)
	}
	return n
}

// putMany stores n objects: of 100 bytes, which are kept in the index, and every thirtieth of 40 KiB.
func putMany(t *testing.T, e *engine.Engine, n int) {
	t.Helper()
	_, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: bucket, IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	var putting sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		putting.Go(func() {
			for i := next.Add(1); i <= int64(n) && !t.Failed(); i = next.Add(1) {
				if err := putOne(t.Context(), e, "many", i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	putting.Wait()
}

func putOne(ctx context.Context, e *engine.Engine, prefix string, i int64) error {
	size := 100
	if i%30 == 0 {
		size = 40 << 10
	}
	body := random(uint64(i), size)
	copy(body, fmt.Sprint(prefix, i)) // random knows few seeds
	_, err := e.PutObject(ctx, &engine.PutObjectRequest{
		Bucket: bucket, Key: fmt.Sprintf("%s/%08d", prefix, i), Body: bytes.NewReader(body),
	})
	return err
}

// TestCopyMany moves many objects into a fleet and back, by the command as a process of its own. If
// they are told to be many, it is killed in the middle of the way there and begun again.
func TestCopyMany(t *testing.T) {
	n := manyObjects(t)
	there, dir := aFleet(t), filepath.Join(t.TempDir(), "store")
	e, err := engine.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	putMany(t, e, n)
	mustClose(t, e)
	program := filepath.Join(t.TempDir(), "gabion-fleet")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if n >= 100_000 {
		killed := copying(t, program, dir, there)
		killed.untilRecords(n) // of three an object
		if err := killed.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if killed.cmd.Wait() == nil {
			t.Fatal("the command was done before it was killed: the test has lost its grip")
		}
		killed.log("killed on the way there")
	}
	back := filepath.Join(t.TempDir(), "back")
	for _, way := range []struct{ name, from, to string }{{"there", dir, there}, {"back", there, back}} {
		c := copying(t, program, way.from, way.to)
		out := c.wait()
		c.log(way.name)
		t.Log(out)
		if !strings.Contains(out, fmt.Sprintf("the same in both: 1 buckets, %d objects", n)) {
			t.Errorf("%s: the command says\n%s", way.name, out)
		}
	}
}

// A process is a run of the command that copies.
type process struct {
	*testing.T
	cmd   *exec.Cmd
	began time.Time
	out   bytes.Buffer
	told  *bufio.Scanner
}

func copying(t *testing.T, program, from, to string) *process {
	t.Helper()
	p := &process{T: t, cmd: exec.Command(program, "copy", from, to), began: time.Now()}
	p.cmd.Stdout = &p.out
	told, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.told = bufio.NewScanner(told)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // unless it has ended
	return p
}

var recordsTold = regexp.MustCompile(`(\d+) records`)

// untilRecords waits until the command has told of so many records, and more.
func (p *process) untilRecords(n int) {
	p.Helper()
	for p.told.Scan() {
		if m := recordsTold.FindStringSubmatch(p.told.Text()); m != nil {
			if told, _ := strconv.Atoi(m[1]); told >= n {
				return
			}
		}
	}
	p.Fatalf("the command has not told of %d records: %s", n, &p.out)
}

// wait waits until the command is done, and returns what it says.
func (p *process) wait() string {
	p.Helper()
	var told string
	for p.told.Scan() {
		told = p.told.Text()
	}
	if err := p.cmd.Wait(); err != nil {
		p.Fatalf("the command: %v, told last: %s\n%s", err, told, &p.out)
	}
	return p.out.String()
}

// log says what a run that has ended took.
func (p *process) log(what string) {
	state := p.cmd.ProcessState
	usage, _ := state.SysUsage().(*syscall.Rusage)
	p.Logf(
		"%s: %.1f s, %.1f s of processors, %d MiB of memory at most", what, time.Since(p.began).Seconds(),
		(state.UserTime() + state.SystemTime()).Seconds(), usage.Maxrss>>10,
	)
}

// TestPullBesideLoad pulls a store into a fleet while clients use it, and compares what they get with
// what they got before. They must all succeed.
func TestPullBesideLoad(t *testing.T) {
	n := manyObjects(t)
	e, err := engine.Open(t.Context(), filepath.Join(t.TempDir(), "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, e)
	putMany(t, e, n)
	place, err := locationOf(aFleet(t))
	if err != nil {
		t.Fatal(err)
	}
	clone, err := place.clone(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := clone.Close(); err != nil {
			t.Error(err)
		}
	}()
	load := startLoad(t, e, n)
	time.Sleep(time.Duration(n) * 50 * time.Microsecond)
	load.report("before")
	began := time.Now()
	res, err := clone.Pull(t.Context(), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	load.report("while it is pulled")
	t.Logf("the pull took %.1f s: %+v", time.Since(began).Seconds(), res)
	load.stop()
	again, err := clone.Pull(t.Context(), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the last one, with nobody writing: %d chunks, %d records", again.Chunks, again.Records)
}

// A load is four clients that put and get objects.
type load struct {
	*testing.T
	end     chan struct{}
	clients sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	since time.Time
	times []time.Duration // of calls
}

func startLoad(t *testing.T, e *engine.Engine, n int) *load {
	l := &load{T: t, end: make(chan struct{}), since: time.Now()}
	var next atomic.Int64
	for range 4 {
		l.clients.Go(func() {
			for {
				select {
				case <-l.end:
					return
				default:
				}
				began, i := time.Now(), next.Add(1)
				var err error
				if i%2 == 0 {
					err = putOne(t.Context(), e, "new", i)
				} else {
					err = getOne(t.Context(), e, i%int64(n)+1)
				}
				if err != nil {
					t.Error(err)
				}
				l.mu.Lock()
				l.times = append(l.times, time.Since(began))
				l.mu.Unlock()
			}
		})
	}
	return l
}

func getOne(ctx context.Context, e *engine.Engine, i int64) error {
	obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: bucket, Key: fmt.Sprintf("many/%08d", i)})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, obj)
	return errors.Join(err, obj.Close())
}

// report says how it went since the last report.
func (l *load) report(when string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.times)
	if k := len(l.times); k > 0 {
		l.Logf(
			"%s: %.0f calls a second, p50 %v, p99 %v, at most %v", when,
			float64(k)/time.Since(l.since).Seconds(), l.times[k/2], l.times[k*99/100], l.times[k-1],
		)
	}
	l.times, l.since = nil, time.Now()
}

func (l *load) stop() {
	close(l.end)
	l.clients.Wait()
}
