package soak_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/soak"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

const bucket = "soak"

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A lab is a soak of small objects, whose time stands still.
type lab struct {
	*soak.World
	engine *engine.Engine
	clock  *clock
	dir    string
}

func newLab(t *testing.T, keys int) *lab {
	t.Helper()
	dir := t.TempDir()
	ring, err := crypto.CreateKeyring(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	clock := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	const expiry = 20 * time.Minute
	e, err := engine.Open(t.Context(), filepath.Join(dir, "store"), &engine.Options{
		Keys: ring, ChunkSize: 64 << 10, VolumeSize: 4 << 20, UploadExpiry: expiry, Clock: clock.time,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	if _, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	w := soak.NewWorld(soak.Options{
		Bucket: bucket, Clients: 8, Keys: keys, Seed: seed, Sizes: soak.Sizes{Least: 1 << 10, Most: 1 << 20}, Part: 128 << 10,
		Expiry: expiry, Clock: clock.time, Sleep: func(context.Context, time.Duration) {},
	})
	w.Use(e)
	return &lab{w, e, clock, filepath.Join(dir, "store")}
}

func (l *lab) mustBeSound(t *testing.T) {
	t.Helper()
	if err := l.Failure(); err != nil {
		t.Error(err)
	}
	if err := l.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// What has failed before the clients begin, as while the store was opened, ends them at once.
func TestRunAfterAFailure(t *testing.T) {
	l := newLab(t, 20)
	failure := errors.New("the store reports something")
	l.Fail(failure)
	if err := l.Run(t.Context(), nil, nil, nil); !errors.Is(err, failure) {
		t.Errorf("%v, want %v", err, failure)
	}
}

func TestClients(t *testing.T) {
	l := newLab(t, 20)
	if err := l.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for i := range 8 {
		c := l.NewClient(i)
		clients.Go(func() {
			for range 60 {
				c.Step(t.Context())
			}
		})
	}
	clients.Wait()
	s, err := l.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		"put", "initiate", "part", "complete", "abort", "copy", "list", "read", "range", "delete", soak.KindSlow,
	} {
		if len(s.Took[kind]) == 0 {
			t.Errorf("no client made a call of kind %s", kind)
		}
	}
	if s.Rate < 100 || s.Live <= 0 || s.Stored <= 0 || s.Disk < s.Stored {
		t.Errorf("the sample is %+v", s)
	}
	var line bytes.Buffer
	if err := s.Print(&line); err != nil || strings.Count(line.String(), "\n") != 1 {
		t.Errorf("the line is %q, %v", &line, err)
	}
	l.mustBeSound(t)
}

// What the model says is live is about what the engine keeps when nothing is left to sweep.
func TestLiveIsWhatTheEngineKeeps(t *testing.T) {
	l := newLab(t, 20)
	c := l.NewClient(0)
	for range 150 {
		c.Step(t.Context())
	}
	l.mustBeSound(t)
	s, err := l.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ratio := float64(s.Stored) / float64(s.Live); ratio < 0.85 || ratio > 1.15 {
		t.Errorf("%d bytes are stored, %d are live by the model", s.Stored, s.Live)
	}
}

// What a read has open is live as long as it reads, and once.
func TestOpenObjectsAreLive(t *testing.T) {
	l := newLab(t, 2)
	c, content := l.NewClient(0), soak.Content{Seed: 1, Size: 500_000}
	live := func(want int64) {
		t.Helper()
		if got := l.Live(); got != want {
			t.Errorf("%d bytes are live, want %d", got, want)
		}
	}
	if err := c.PutThis(t.Context(), 0, content); err != nil {
		t.Fatal(err)
	}
	drop := l.Claim(soak.Held{Content: content})
	live(content.Size)
	if err := c.Delete(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	live(content.Size)
	drop()
	live(0)
}

// What is left open is live until the engine should have aborted it.
func TestIdleUploadsAreLiveUntilTheyExpire(t *testing.T) {
	l := newLab(t, 2)
	content := soak.Content{Seed: 1, Size: 500_000}
	if err := l.NewClient(0).LeaveOpen(t.Context(), 0, content); err != nil {
		t.Fatal(err)
	}
	if live := l.Live(); live != content.Size {
		t.Errorf("%d bytes are live, want %d", live, content.Size)
	}
	l.clock.advance(20 * time.Minute)
	if live := l.Live(); live != content.Size {
		t.Errorf("%d bytes are live though there is a grace", live)
	}
	l.clock.advance(20 * time.Minute)
	if live := l.Live(); live != 0 {
		t.Errorf("%d bytes are live though the upload has expired", live)
	}
}

// Whatever is known of a cancelled call, what is there afterwards is right; and it was cancelled.
func TestCancelledPuts(t *testing.T) {
	l := newLab(t, 2)
	c := l.NewClient(0)
	for i := range 10 {
		if err := c.PutCancelled(t.Context(), 0, soak.Content{Seed: uint64(i), Size: 300_000}, float64(i)/10); err != nil {
			t.Fatal(err)
		}
	}
	if live := l.Live(); live != 0 {
		t.Errorf("%d bytes are live of calls that were cancelled", live)
	}
	l.mustBeSound(t)
}

// behind changes a store behind the model's back.
func (l *lab) behind(t *testing.T, key int, change func(info engine.ObjectInfo, data []byte) (map[string]string, []byte)) {
	t.Helper()
	req := &engine.GetObjectRequest{Bucket: bucket, Key: soak.KeyName(key)}
	obj, err := l.engine.GetObject(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	var data bytes.Buffer
	if _, err := obj.WriteTo(&data); err != nil {
		t.Fatal(err)
	}
	metadata, changed := change(obj.ObjectInfo, data.Bytes())
	_, err = l.engine.PutObject(t.Context(), &engine.PutObjectRequest{
		Bucket: req.Bucket, Key: req.Key, Attributes: engine.Attributes{Metadata: metadata}, Body: bytes.NewReader(changed),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each of these is a store that does wrong. The soak must find it, and by whichever call may see
// it.
func TestWrongAnswersAreFound(t *testing.T) {
	content := soak.Content{Seed: 5, Size: 200_000}
	same := func(info engine.ObjectInfo, data []byte) (map[string]string, []byte) { return info.Metadata, data }
	remove := func(t *testing.T, l *lab) {
		t.Helper()
		if _, err := l.engine.DeleteObject(t.Context(), &engine.DeleteObjectRequest{Bucket: bucket, Key: soak.KeyName(1)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name     string
		listed   bool // a listing finds it, too
		do       func(t *testing.T, l *lab, c *soak.Client)
		expected string
	}{
		{"nothing is wrong", false, func(*testing.T, *lab, *soak.Client) {}, ""},
		{"wrong byte", false, func(t *testing.T, l *lab, _ *soak.Client) {
			l.behind(t, 1, func(info engine.ObjectInfo, data []byte) (map[string]string, []byte) {
				data[123_456] ^= 1
				return info.Metadata, data
			})
		}, "offset 123456"},
		{"cut off", true, func(t *testing.T, l *lab, _ *soak.Client) {
			l.behind(t, 1, func(info engine.ObjectInfo, data []byte) (map[string]string, []byte) { return info.Metadata, data[1:] })
		}, "199999 bytes"},
		{"lost", true, func(t *testing.T, l *lab, _ *soak.Client) { remove(t, l) }, "absent"},
		{"of nobody", true, func(t *testing.T, l *lab, _ *soak.Client) {
			l.behind(t, 1, func(_ engine.ObjectInfo, data []byte) (map[string]string, []byte) {
				return map[string]string{"write": "99"}, data
			})
		}, "write 99"},
		{"without a name", true, func(t *testing.T, l *lab, _ *soak.Client) {
			l.behind(t, 1, func(_ engine.ObjectInfo, data []byte) (map[string]string, []byte) { return nil, data })
		}, "metadata"},
		{"resurrected", true, func(t *testing.T, l *lab, c *soak.Client) {
			l.behind(t, 1, func(info engine.ObjectInfo, data []byte) (map[string]string, []byte) {
				if err := c.Delete(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				return same(info, data)
			})
		}, "write 1"},
		{"overwritten and back", true, func(t *testing.T, l *lab, c *soak.Client) {
			l.behind(t, 1, func(info engine.ObjectInfo, data []byte) (map[string]string, []byte) {
				if err := c.PutThis(t.Context(), 1, soak.Content{Seed: 6, Size: content.Size}); err != nil {
					t.Fatal(err)
				}
				return same(info, data)
			})
		}, "write 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t, 3)
			c := l.NewClient(0)
			if err := c.PutThis(t.Context(), 1, content); err != nil {
				t.Fatal(err)
			}
			test.do(t, l, c)
			for call, err := range map[string]error{"read": c.Read(t.Context(), 1), "list": c.List(t.Context()), "settle": l.Settle(t.Context())} {
				found := err != nil && isWrong(err) && strings.Contains(err.Error(), test.expected)
				if want := test.expected != "" && (test.listed || call != "list"); found != want || !want && err != nil {
					t.Errorf("%s: %v; want an error that says %q: %v", call, err, test.expected, want)
				}
			}
		})
	}
}

// A failure ends a run, and is what it returns.
func TestRunEndsAtAFailure(t *testing.T) {
	l := newLab(t, 4)
	if err := l.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key := range 4 { // whoever reads first
		_, err := l.engine.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: bucket, Key: soak.KeyName(key), Body: strings.NewReader("x")})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := l.Run(t.Context(), nil, nil, nil)
	if !isWrong(err) {
		t.Errorf("the run ended with %v", err)
	}
}

// It goes on until it is told to stop, and samples at every tick.
func TestRunSamples(t *testing.T) {
	l := newLab(t, 4)
	stop, ticks, sampled := make(chan struct{}), make(chan time.Time), 0
	go func() {
		for range 3 {
			ticks <- time.Time{}
		}
		close(stop)
	}()
	err := l.Run(t.Context(), stop, ticks, func(soak.Sample) error { sampled++; return nil })
	if err != nil || sampled != 3 {
		t.Errorf("%d samples, %v", sampled, err)
	}
	l.mustBeSound(t)
}

// Check finds what the reads of the soak cannot: here a volume that is gone.
func TestCheckFindsDamage(t *testing.T) {
	l := newLab(t, 2)
	if err := l.NewClient(0).PutThis(t.Context(), 1, soak.Content{Seed: 1, Size: 500_000}); err != nil {
		t.Fatal(err)
	}
	volumes, err := filepath.Glob(filepath.Join(l.dir, "volumes", "*.badger", "*.vlog"))
	if err != nil || len(volumes) == 0 {
		t.Fatalf("no volumes: %v", err)
	}
	for _, path := range volumes {
		if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Check(t.Context()); err == nil {
		t.Error("the check found nothing")
	}
}
