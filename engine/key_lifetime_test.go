package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

const lifetime = 10 * time.Minute

// A guarded store has an encrypted upload and an object "there", whose data keys are not in memory,
// and a provider that can be told to deny them.
type guarded struct {
	*engine.Engine
	id    string
	keys  *gatedKeys
	deny  atomic.Bool
	clock *engine.KeyClock
}

func newGuarded(t *testing.T) *guarded {
	g := &guarded{}
	g.keys = &gatedKeys{KeyProvider: keys(t), unwrap: func(context.Context) error {
		if g.deny.Load() {
			return crypto.ErrAccessDenied
		}
		return nil
	}}
	dir, o := t.TempDir(), &engine.Options{Keys: g.keys, KeyLifetime: lifetime, ChunkSize: 16 << 10}
	e := open(t, dir, o)
	g.id = mustInitiate(t, e, "bucket", "key", "AES256")
	mustPut(t, e, engine.PutObjectRequest{Key: "there", Body: bytes.NewReader(random(1, 3*minPart)), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS"}})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	g.Engine = open(t, dir, o)
	g.clock = engine.DriveKeys(g.Engine)
	g.keys.calls.Store(0)
	return g
}

// asked is how many times the provider was asked since the last look.
func (g *guarded) asked() int64 { return g.keys.calls.Swap(0) }

func (g *guarded) get(t *testing.T) error {
	obj, err := g.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: "there"})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, obj)
	return errors.Join(err, obj.Close())
}

// TestKeyLifetime has a provider deny keys that it gave before. Within the lifetime they are used,
// however often; after it no call can use them, until they are given again.
func TestKeyLifetime(t *testing.T) {
	g := newGuarded(t)
	ctx := t.Context()
	calls := map[string]func() error{
		"GetObject":  func() error { return g.get(t) },
		"UploadPart": func() error { return putPart(ctx, g.Engine, g.id, 1) },
		"CopyObject": func() error {
			_, err := g.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "there"})
			return err
		},
		"UploadPartCopy": func() error {
			_, err := g.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
				Bucket: "bucket", Key: "key", UploadID: g.id, PartNumber: 2, SourceBucket: "bucket", SourceKey: "there",
			})
			return err
		},
	}
	all := func(when string, want error) {
		t.Helper()
		for name, call := range calls {
			if err := call(); !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", when, name, err, want)
			}
		}
	}
	all("at first", nil)
	if n := g.asked(); n != 2 {
		t.Errorf("the provider was asked %d times, want once for each of 2 keys", n)
	}
	g.deny.Store(true)
	for range 4 { // use does not make the life longer
		g.clock.Pass((lifetime-1)/4, (lifetime-1)/4)
		all("within the lifetime", nil)
	}
	if n := g.asked(); n != 0 {
		t.Errorf("the provider was asked %d times within the lifetime", n)
	}
	g.clock.Pass(lifetime, lifetime)
	all("after the lifetime", engine.ErrAccessDenied)
	g.deny.Store(false)
	all("when it is allowed again", nil)
	if n := g.asked(); n == 0 {
		t.Error("the provider was not asked after the lifetime")
	}
}

// TestKeyLifetimeOfNew has the keys that the provider made live as long as those it unwrapped.
func TestKeyLifetimeOfNew(t *testing.T) {
	g := newGuarded(t)
	id := mustInitiate(t, g.Engine, "bucket", "key", "AES256")
	g.asked()
	if err := putPart(t.Context(), g.Engine, id, 1); err != nil || g.asked() != 0 {
		t.Errorf("a part of a new upload: %v, or the provider was asked", err)
	}
	g.deny.Store(true)
	g.clock.Pass(lifetime, 0)
	if err := putPart(t.Context(), g.Engine, id, 2); !errors.Is(err, engine.ErrAccessDenied) {
		t.Errorf("a part after the lifetime: %v", err)
	}
}

// TestKeyLifetimeClocks sets the date back and has the monotonic clock stand still: neither makes a
// key live longer.
func TestKeyLifetimeClocks(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		monotonic, date time.Duration
		denied          bool
	}{
		"time passes":                               {lifetime, lifetime, true},
		"the date was set back":                     {lifetime, -year, true},
		"the date stands":                           {lifetime, 0, true},
		"the machine slept":                         {0, lifetime, true},
		"the date was set ahead":                    {time.Second, year, true},
		"just within":                               {lifetime - 1, lifetime - 1, false},
		"just within, and the date was set back":    {lifetime - 1, -year, false},
		"nothing passed, and the date was set back": {0, -year, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuarded(t)
			if err := g.get(t); err != nil {
				t.Fatal(err)
			}
			g.deny.Store(true)
			g.clock.Pass(c.monotonic, c.date)
			if err := g.get(t); errors.Is(err, engine.ErrAccessDenied) != c.denied {
				t.Errorf("GetObject: %v, want denied is %t", err, c.denied)
			}
		})
	}
}

// TestKeysAreForgotten leaves a store alone: the keys go out of memory, and then nothing runs any
// more.
func TestKeysAreForgotten(t *testing.T) {
	g := newGuarded(t)
	kept := func(when string, keys, timers int) {
		t.Helper()
		if k, n := g.KeptKeys(), g.clock.Timers(); k != keys || n != timers {
			t.Errorf("%s: %d keys are kept and %d timers run, want %d and %d", when, k, n, keys, timers)
		}
	}
	kept("at first", 0, 0)
	if err := g.get(t); err != nil {
		t.Fatal(err)
	}
	kept("with one key", 1, 1)
	g.clock.Pass(lifetime/2, lifetime/2)
	if err := putPart(t.Context(), g.Engine, g.id, 1); err != nil {
		t.Fatal(err)
	}
	kept("with a younger one", 2, 1)
	g.clock.Pass(lifetime/2, lifetime/2)
	g.clock.Ring()
	kept("after the life of the first", 1, 1)
	g.clock.Pass(lifetime/2, lifetime/2)
	g.clock.Ring()
	kept("after all", 0, 0)
	if err := g.get(t); err != nil {
		t.Fatal(err)
	}
	kept("with a key again", 1, 1)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	kept("after Close", 0, 0)
}

// TestOpenObjectKeepsKey reads on from an Object when its key is denied, and has lived.
func TestOpenObjectKeepsKey(t *testing.T) {
	g := newGuarded(t)
	obj := mustGet(t, g.Engine, "bucket", "there", "")
	first := make([]byte, 1)
	if _, err := obj.Read(first); err != nil {
		t.Fatal(err)
	}
	g.deny.Store(true)
	g.clock.Pass(2*lifetime, 2*lifetime)
	g.clock.Ring()
	rest, err := io.ReadAll(obj)
	if got := append(first, rest...); err != nil || !bytes.Equal(got, random(1, 3*minPart)) {
		t.Errorf("the open Object reads %d bytes, %v", len(got), err)
	}
	if err := g.get(t); !errors.Is(err, engine.ErrAccessDenied) {
		t.Errorf("another GetObject: %v", err)
	}
}

// TestKeyOfEachForm wraps a key anew: what was given for the old form says nothing about the new
// one.
func TestKeyOfEachForm(t *testing.T) {
	ring := keys(t)
	denied := ""
	provider := &hookedKeys{KeyProvider: ring, unwrap: func(id string) error {
		if id == denied {
			return crypto.ErrKeyDisabled
		}
		return nil
	}}
	e := openTemp(t, &engine.Options{Keys: provider})
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: strings.NewReader("content"), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	readAll(t, e, "bucket", "key") // its key is in memory
	fresh, err := ring.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.RotateKeys(t.Context(), &engine.RotateKeysRequest{}); err != nil {
		t.Fatal(err)
	}
	denied = fresh
	if _, err := e.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key"}); !errors.Is(err, engine.ErrKeyDisabled) {
		t.Errorf("GetObject with the new key disabled: %v", err)
	}
}
