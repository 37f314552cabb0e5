package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

var errService = errors.New("the key service is not reached")

// A shakyService is a key provider of which calls fail.
type shakyService struct {
	hookedKeys
	calls  atomic.Int64
	failAt int64 // the first call that fails; 0 is none
	once   bool  // and the only one
	err    error
}

func newShakyService(p crypto.KeyProvider) *shakyService {
	s := &shakyService{hookedKeys: hookedKeys{KeyProvider: p}, err: errService}
	step := func(string) error { return s.step() }
	s.current, s.wrap, s.unwrap = s.step, step, step
	return s
}

func (s *shakyService) step() error {
	n := s.calls.Add(1)
	if s.failAt == 0 || n < s.failAt || s.once && n > s.failAt {
		return nil
	}
	return s.err
}

// arm has the k-th call from now fail, and those behind it unless it is to be the only one.
func (s *shakyService) arm(k int64, once bool) {
	s.calls.Store(0)
	s.failAt, s.once = k, once
}

// TestRotateKeysFaults has the first, second, third ... call of the key provider fail, alone or
// with all that follow, until RotateKeys gets through. After each the next RotateKeys must do what
// is left, and no more.
func TestRotateKeysFaults(t *testing.T) {
	for name, once := range map[string]bool{"one call": true, "all calls": false} {
		t.Run(name, func(t *testing.T) {
			ring, dir := keys(t), t.TempDir()
			s := newShakyService(ring)
			e := open(t, dir, &engine.Options{Keys: s})
			names := smallObjects(t, e, "object", 3)
			for _, key := range names {
				mustPart(t, e, rotateBucket, key, mustInitiate(t, e, rotateBucket, key, "KMS"), 1, smallBody(key))
			}
			failed := 0
			for k := int64(1); ; k++ {
				mustRotate(t, ring)
				s.arm(k, once)
				_, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
				reached := s.calls.Load() >= k
				if err != nil {
					failed++
					if !errors.Is(err, errService) || asError(t, err).Op != "RotateKeys" {
						t.Errorf("call %d failed, and the error is %v", k, err)
					}
				}
				s.arm(0, false)
				if n := mustRotateKeys(t, e); err == nil && n != 0 {
					t.Errorf("call %d failed: no error, and %d were left", k, n)
				}
				if !reached {
					break
				}
			}
			if want := map[bool]int{true: 1, false: 1 + 3*6}[once]; failed < want {
				t.Errorf("only %d calls failed: the test has lost its grip", failed)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			checkSmall(t, open(t, dir, &engine.Options{Keys: onlyNewest(ring)}), names...)
		})
	}
}

// TestRotateKeysLostGeneration cannot unwrap some data keys. The others must be done, the error
// must name those and be of bounded length, and when the generation turns up again they are done,
// too.
func TestRotateKeysLostGeneration(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	first := ring.KeyIDs()[0]
	e := open(t, dir, &engine.Options{Keys: ring})
	lost := smallObjects(t, e, "lost", 100)
	mustRotate(t, ring)
	// In one batch with the others, and behind them.
	rest := append(smallObjects(t, e, "before", 5), smallObjects(t, e, "rest", 300)...)
	mustRotate(t, ring)
	reopen := func(p crypto.KeyProvider) {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = open(t, dir, &engine.Options{Keys: p})
	}
	reopen(without(ring, first))
	res, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
	if !errors.Is(err, engine.ErrKeyNotFound) || !errors.Is(err, crypto.ErrKeyNotFound) || res != nil {
		t.Fatalf("RotateKeys: %+v, %v", res, err)
	}
	text := err.Error()
	if !strings.Contains(text, rotateBucket+"/"+lost[0]) || !strings.Contains(text, "and 84 more") || len(text) > 4000 {
		t.Errorf("the error has %d bytes: %s", len(text), text)
	}
	reopen(onlyNewest(ring))
	checkSmall(t, e, rest...)
	reopen(ring)
	if n := mustRotateKeys(t, e); n != 100 {
		t.Errorf("%d were wrapped, wanted are 100", n)
	}
	checkSmall(t, e, lost...)
}

// TestRotateKeysOutage wants a provider that does not answer not to be asked about every record.
func TestRotateKeysOutage(t *testing.T) {
	ring := keys(t)
	s := newShakyService(ring)
	e := openTemp(t, &engine.Options{Keys: s})
	smallObjects(t, e, "key", 600)
	mustRotate(t, ring)
	s.arm(2, false)
	_, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
	if !errors.Is(err, errService) || s.calls.Load() > 100 {
		t.Errorf("after %d calls: %v", s.calls.Load(), err)
	}
	// Refusals are answers.
	s.err = crypto.ErrAccessDenied
	s.arm(2, false)
	if _, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{}); !errors.Is(err, engine.ErrAccessDenied) || s.calls.Load() < 600 {
		t.Errorf("after %d calls: %v", s.calls.Load(), err)
	}
	// An outage in the middle keeps what was done before.
	s.err = errService
	s.arm(1000, false)
	if _, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{}); !errors.Is(err, errService) {
		t.Errorf("after %d calls: %v", s.calls.Load(), err)
	}
	s.arm(0, false)
	if n := mustRotateKeys(t, e); n == 0 || n > 600-256 {
		t.Errorf("%d were left, although 333 were wrapped before the outage", n)
	}
}

// TestRotateKeysStopped ends the context in the middle, and calls again.
func TestRotateKeysStopped(t *testing.T) {
	ring := keys(t)
	hooked := &hookedKeys{KeyProvider: ring}
	e := openTemp(t, &engine.Options{Keys: hooked})
	names := smallObjects(t, e, "key", 600)
	mustRotate(t, ring)
	ctx, cancel := context.WithCancel(context.Background())
	var calls atomic.Int64
	hooked.wrap = func(string) error {
		if calls.Add(1) == 300 {
			cancel()
		}
		return nil
	}
	_, err := e.RotateKeys(ctx, &engine.RotateKeysRequest{})
	if !errors.Is(err, engine.ErrRequestTimeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("RotateKeys: %v", err)
	}
	if n := mustRotateKeys(t, e); n != 600-256 {
		t.Errorf("%d were left, wanted are %d", n, 600-256)
	}
	checkSmall(t, e, names...)
}

// badWrapper is a provider whose Wrap is broken.
type badWrapper struct {
	*crypto.Keyring
	wrap func(good crypto.WrappedKey) crypto.WrappedKey
}

func (b *badWrapper) Wrap(ctx context.Context, keyID string, key crypto.DataKey) (crypto.WrappedKey, error) {
	w, err := b.Keyring.Wrap(ctx, keyID, key)
	return b.wrap(w), err
}

// TestRotateKeysBadProvider has a provider whose new forms are of no use, or that panics. The old
// ones must stay.
func TestRotateKeysBadProvider(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	bad := &badWrapper{Keyring: ring}
	e := open(t, dir, &engine.Options{Keys: bad})
	names := smallObjects(t, e, "key", 3)
	newest := mustRotate(t, ring)
	for what, wrap := range map[string]func(crypto.WrappedKey) crypto.WrappedKey{
		"is damaged": func(w crypto.WrappedKey) crypto.WrappedKey { w.Blob[20] ^= 1; return w },
		"is of another key": func(crypto.WrappedKey) crypto.WrappedKey {
			_, w, err := ring.Generate(context.Background(), "")
			if err != nil {
				t.Error(err)
			}
			return w
		},
		"names no key":      func(w crypto.WrappedKey) crypto.WrappedKey { w.KeyID = ""; return w },
		"names another key": func(w crypto.WrappedKey) crypto.WrappedKey { w.KeyID = ring.KeyIDs()[0]; return w },
		"is empty":          func(crypto.WrappedKey) crypto.WrappedKey { return crypto.WrappedKey{} },
		"panics":            func(crypto.WrappedKey) crypto.WrappedKey { panic("the provider panics") },
	} {
		bad.wrap = wrap
		if _, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{}); err == nil {
			t.Errorf("a new form that %s is no error", what)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, &engine.Options{Keys: without(ring, newest)})
	checkSmall(t, e, names...)
}

// crossingKeys gives, once, the key that was asked for before instead of that which is asked for now.
type crossingKeys struct {
	*crypto.Keyring

	mu      sync.Mutex // guards what follows
	calls   int
	crossAt int // the call that gets the wrong answer; 0 is none
	last    crypto.DataKey
}

func (c *crossingKeys) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	key, err := c.Keyring.Unwrap(ctx, w)
	if err != nil {
		return key, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	last := c.last
	c.last = key
	if c.calls == c.crossAt {
		return last, nil
	}
	return key, nil
}

// arm has the k-th call from now get the answer of another one.
func (c *crossingKeys) arm(t *testing.T, k int) {
	t.Helper()
	other, err := crypto.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls, c.crossAt, c.last = 0, k, other
}

func (c *crossingKeys) reached() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls >= c.crossAt
}

// asked counts the calls since it was armed.
func (c *crossingKeys) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// TestRotateKeysCrossedAnswers has the provider give another key than that which it was asked for,
// in the first call, the second, the third ... No data key may be replaced by one that is another.
func TestRotateKeysCrossedAnswers(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	crossing := &crossingKeys{Keyring: ring}
	opts := &engine.Options{Keys: crossing, AuthenticateRecords: true}
	e := open(t, dir, opts)
	names := smallObjects(t, e, "object", 2)
	smallObject(t, e, "plain", "") // under the key of the store's records
	uploads := smallNames("upload", 2)
	ids := map[string]string{}
	for _, key := range uploads {
		ids[key] = mustInitiate(t, e, rotateBucket, key, "KMS")
		mustPart(t, e, rotateBucket, key, ids[key], 1, smallBody(key))
	}
	for k := 1; ; k++ {
		mustRotate(t, ring)
		crossing.arm(t, k)
		// What fails is tried again as long as anything gets on, so mostly nothing is left.
		if _, err := e.RotateKeys(t.Context(), nil); err != nil && !errors.Is(err, crypto.ErrAuthentication) {
			t.Errorf("call %d was answered wrong: %v", k, err)
		}
		reached := crossing.reached()
		crossing.arm(t, 0)
		mustRotateKeys(t, e)
		mustClose(t, e)
		e = open(t, dir, opts)
		checkSmall(t, e, append(names, "plain")...)
		for _, key := range uploads {
			_, err := e.ListParts(t.Context(), &engine.ListPartsRequest{Bucket: rotateBucket, Key: key, UploadID: ids[key]})
			if err == nil {
				_, err = e.UploadPart(t.Context(), &engine.UploadPartRequest{
					Bucket: rotateBucket, Key: key, UploadID: ids[key], PartNumber: 1, Body: bytes.NewReader(smallBody(key)),
				})
			}
			if err != nil {
				t.Errorf("after a wrong answer to call %d: upload %s: %v", k, key, err)
			}
		}
		if !reached || t.Failed() {
			break
		}
	}
	mustClose(t, e)
	e = open(t, dir, &engine.Options{Keys: onlyNewest(ring), AuthenticateRecords: true})
	for _, key := range uploads {
		mustComplete(t, e, rotateBucket, key, ids[key])
	}
	checkSmall(t, e, append(append(names, "plain"), uploads...)...)
}

// TestRotateKeysCrossedAnswer wants to be told of another key than that which was asked for, where
// nothing else is to be done.
func TestRotateKeysCrossedAnswer(t *testing.T) {
	ring := keys(t)
	crossing := &crossingKeys{Keyring: ring}
	e := openTemp(t, &engine.Options{Keys: crossing})
	smallObject(t, e, "key", "AES256")
	mustRotate(t, ring)
	crossing.arm(t, 1)
	_, err := e.RotateKeys(t.Context(), nil)
	if corrupt := (*engine.CorruptionError)(nil); !errors.As(err, &corrupt) || !errors.Is(err, crypto.ErrAuthentication) {
		t.Errorf("RotateKeys: %v", err)
	}
	if n := mustRotateKeys(t, e); n != 1 {
		t.Errorf("%d were wrapped, wanted is 1", n)
	}
}

// TestRotateKeysDamage wants one record that cannot be decoded to be an error, and the others to be
// done.
func TestRotateKeysDamage(t *testing.T) {
	ring, idx := keys(t), index.NewMemory()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	names := smallObjects(t, e, "key", 10)
	err = idx.Update(context.Background(), func(tx index.Tx) error {
		return tx.Put(index.ObjectKey(rotateBucket, names[3]), []byte("no record at all"))
	})
	if err != nil {
		t.Fatal(err)
	}
	mustRotate(t, ring)
	_, err = e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
	var damage *engine.CorruptionError
	if !errors.As(err, &damage) || !strings.Contains(fmt.Sprint(err), names[3]) {
		t.Fatalf("RotateKeys: %v", err)
	}
	err = idx.Update(context.Background(), func(tx index.Tx) error {
		return index.Delete(tx, index.ObjectKey(rotateBucket, names[3]))
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := mustRotateKeys(t, e); n != 0 {
		t.Errorf("%d were left", n)
	}
}
