package soak

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// writeHeader is metadata that holds the id of the write that made an object.
const writeHeader = "write"

// Options say what a soak does. All fields must be set.
type Options struct {
	Bucket  string // is there, and empty
	Clients int
	Keys    int    // of the bucket
	Seed    uint64 // of what the clients do
	Sizes   Sizes
	Part    int64         // bytes of a part; whole chunks, so that duplicates are found
	Expiry  time.Duration // the engine's Options.UploadExpiry; 0: no upload is left open

	Clock func() time.Time
	Sleep func(ctx context.Context, d time.Duration) // returns early when ctx ends
}

// Sizes bound the sizes of objects. Their logarithms are evenly distributed.
type Sizes struct{ Least, Most int64 }

// mean is the mean of sizes from least on.
func (s Sizes) mean(least int64) float64 {
	least = min(least, s.Most-1)
	return float64(s.Most-least) / math.Log(float64(s.Most)/float64(least))
}

// KeysFor returns how many keys hold about so many live bytes, at least two. Of the writes some are
// uploads by parts, which are larger, a quarter compress about four times, and some keys are
// absent.
func (o *Options) KeysFor(live int64) int {
	const uploads, repetitive, present = 0.2, 0.25, 0.75
	mean := (1-uploads)*o.Sizes.mean(o.Sizes.Least) + uploads*o.Sizes.mean(o.leastUpload())
	return max(int(float64(live)/(mean*(1-repetitive*3/4)*present)), 2)
}

// leastUpload is the least size of what is uploaded by parts.
func (o *Options) leastUpload() int64 { return min(max(o.Sizes.Least, o.Part/2), o.Sizes.Most) }

// A World is an engine, and what is known of it.
type World struct {
	options Options
	engine  *engine.Engine
	model   *Model

	mu      sync.Mutex // guards the fields below
	failure error
	onFail  func(error)
	took    map[string][]time.Duration // by calls since the last sample
	began   time.Time
	sampled time.Time // the last time, or began
	claims  map[*claim]bool
}

// A claim is on bytes that must be on disk, whatever the keys hold: those of an object that is open
// for reading, or of a body or an upload that has not ended.
type claim struct {
	what  held         // whole; nothing of what is under way
	bytes atomic.Int64 // that are stored so far, of what is under way
	until time.Time    // when the engine will have ended it; zero: it is dropped
}

func (w *World) claim(what held) *claim {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &claim{what: what}
	w.claims[c] = true
	return c
}

func (w *World) drop(c *claim) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.claims, c)
}

// leave has the claim of an upload that was idle since then end when the engine has aborted it: it
// looks at intervals of an eighth of its expiry, at least every second and at most every hour. It
// refuses when enough uploads are left open: a few, so that they are a small share of what is live,
// however many calls a second there are.
func (w *World) leave(c *claim, since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	expiry, left := w.options.Expiry, 0
	for other := range w.claims {
		if !other.until.IsZero() {
			left++
		}
	}
	if expiry == 0 || left > w.options.Keys/8 {
		return false
	}
	c.until = since.Add(expiry + min(max(expiry/8, time.Second), time.Hour) + time.Second)
	return true
}

// Live returns the bytes that must be on disk now.
func (w *World) Live() (bytes int64) {
	live, now := w.model.Live(), w.options.Clock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.claims {
		if !c.until.IsZero() && c.until.Before(now) {
			delete(w.claims, c)
			continue
		}
		live[c.what] = true
		bytes += c.bytes.Load()
	}
	return bytes + bytesOf(live)
}

// bytesOf is what contents take on disk.
func bytesOf(contents map[held]bool) (bytes int64) {
	for what := range contents {
		bytes += what.Stored(what.Size)
	}
	return bytes
}

// NewWorld makes a world without an engine: Fail and Failure are all that it can do before Use, so
// that what an engine reports while it is opened is not lost.
func NewWorld(o Options) *World {
	now := o.Clock()
	return &World{
		options: o, model: NewModel(o.Keys), onFail: func(error) {},
		began: now, sampled: now,
		took: map[string][]time.Duration{}, claims: map[*claim]bool{},
	}
}

// Use begins with an engine whose bucket is empty.
func (w *World) Use(e *engine.Engine) { w.engine = e }

// Fail takes over that something is wrong: an answer, or an error that was not provoked. The first
// one counts.
func (w *World) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == nil {
		w.failure = err
	}
	w.onFail(err)
}

// Failure returns what was wrong first, if anything was.
func (w *World) Failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

// keyName orders as the numbers do.
func keyName(key int) string { return fmt.Sprintf("key/%06d", key) }

func writeName(id uint64) map[string]string {
	return map[string]string{writeHeader: fmt.Sprint(id)}
}

// see takes over that a look saw an object, and compares what is said about it.
func (w *World) see(l *Look, key int, info *engine.ObjectInfo) (held, error) {
	var id uint64
	if _, err := fmt.Sscan(info.Metadata[writeHeader], &id); err != nil || id == 0 {
		return held{}, wrongf("%s has the metadata %q", info.Key, info.Metadata)
	}
	what, err := l.Saw(key, id)
	if err != nil {
		return held{}, err
	}
	encrypted := info.ServerSideEncryption == engine.EncryptionAES256
	if info.Key != keyName(key) || info.Size != what.Size || encrypted != what.Encrypted {
		return held{}, wrongf("write %d is %s of %d bytes, encryption %q; must be %s, %d, %v",
			id, info.Key, info.Size, info.ServerSideEncryption, keyName(key), what.Size, what.Encrypted)
	}
	return what, nil
}

// encryption is the request's word for it.
func encryption(encrypted bool) (want engine.EncryptionRequest) {
	if encrypted {
		want.ServerSideEncryption = engine.EncryptionAES256
	}
	return want
}
