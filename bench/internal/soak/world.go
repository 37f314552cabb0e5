package soak

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

const (
	writeHeader = "write" // metadata that holds the id of the write that made an object
)

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

	mu       sync.Mutex // guards the fields below
	failures []error
	onFail   func()
	took     map[string][]time.Duration // by calls since the last sample
	under    map[*underWay]bool
	idle     []idleUpload
}

// underWay is bytes on disk of a body or an upload that has not ended.
type underWay struct{ atomic.Int64 }

func (w *World) begin() *underWay {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := &underWay{}
	w.under[u] = true
	return u
}

func (w *World) end(u *underWay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.under, u)
}

// maxFailures bounds how many failures are kept.
const maxFailures = 20

// NewWorld begins with an engine whose bucket is empty.
func NewWorld(e *engine.Engine, o Options) *World {
	return &World{
		options: o, engine: e, model: NewModel(o.Keys), onFail: func() {},
		took: map[string][]time.Duration{}, under: map[*underWay]bool{},
	}
}

// Fail takes over that something is wrong: an answer, or an error that was not provoked.
func (w *World) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failures) < maxFailures {
		w.failures = append(w.failures, err)
	}
	w.onFail()
}

// Failures returns what was wrong so far.
func (w *World) Failures() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.failures...)
}

// keyName orders as the numbers do.
func keyName(key int) string { return fmt.Sprintf("key/%06d", key) }

func keyNumber(name string) (key int, err error) {
	if _, err := fmt.Sscanf(name, "key/%06d", &key); err != nil || keyName(key) != name {
		return 0, wrongf("there is a key %q", name)
	}
	return key, nil
}

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

// An idleUpload was left open, for the engine to abort.
type idleUpload struct {
	since time.Time
	parts *underWay
}

// leave remembers an upload that is left open, unless there are enough of them: a few, so that they
// are a small share of what is live, however many calls a second there are.
func (w *World) leave(u *upload) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.options.Expiry == 0 || len(w.idle) > w.options.Keys/8 {
		return false
	}
	w.idle = append(w.idle, idleUpload{u.last, u.bytes})
	return true
}

// Live returns the bytes that must be on disk now. An upload may be there for a while after its
// expiry: the engine looks at intervals of an eighth of it, at least every second and at most every
// hour.
func (w *World) Live() int64 {
	live, expiry := w.model.Live(), w.options.Expiry
	gone := w.options.Clock().Add(-expiry - min(max(expiry/8, time.Second), time.Hour) - time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = slices.DeleteFunc(w.idle, func(u idleUpload) bool {
		if u.since.Before(gone) {
			delete(w.under, u.parts)
			return true
		}
		return false
	})
	for u := range w.under {
		live += u.Load()
	}
	return live
}
