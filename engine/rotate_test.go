package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// newestOnly is a key provider that has lost all keys but its current one, and those allowed.
type newestOnly struct {
	*crypto.Keyring
	allowed string
}

func (n newestOnly) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	if current, err := n.CurrentKeyID(ctx); err != nil || w.KeyID != current && w.KeyID != n.allowed {
		return crypto.DataKey{}, errors.Join(err, fmt.Errorf("%w: %s is an old one", crypto.ErrKeyNotFound, w.KeyID))
	}
	return n.Keyring.Unwrap(ctx, w)
}

func rotateKeys(t testing.TB, e *engine.Engine) int64 {
	t.Helper()
	res, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
	if err != nil {
		t.Fatalf("RotateKeys: %v", err)
	}
	return res.Rewrapped
}

func mustRotate(t testing.TB, ring *crypto.Keyring) string {
	t.Helper()
	id, err := ring.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestRotateKeys wraps the keys of objects and uploads of every kind anew. They then need no older
// key, and their chunks are where they were.
func TestRotateKeys(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	first := ring.KeyIDs()[0]
	e := open(t, dir, &engine.Options{Keys: ring, ChunkSize: 16 << 10})
	body, customer := random(1, 110_000), crypto.CustomerKey(random(2, 32))
	mustBucket(t, e, "bucket")
	for _, sse := range []string{"", "AES256", "KMS"} {
		mustObject(t, e, "bucket", "parts"+sse, sse, body)
		mustObject(t, e, "another", "parts"+sse, sse, body)
		mustPut(t, e, engine.PutObjectRequest{Key: "put" + sse, Body: bytes.NewReader(body[:1000]), ServerSideEncryption: sse})
		mustCopy(t, e, engine.CopyObjectRequest{Key: "copy" + sse, SourceKey: "parts" + sse, ServerSideEncryption: sse})
	}
	mustPut(t, e, engine.PutObjectRequest{Key: "customer", Body: bytes.NewReader(body), SSECustomerKey: customer})
	mustPut(t, e, engine.PutObjectRequest{Key: "asked for", Body: bytes.NewReader(body), ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: first})
	uploads := map[string]string{"": mustInitiate(t, e, "bucket", "open", ""), "AES256": mustInitiate(t, e, "bucket", "open", "AES256")}
	for _, id := range uploads {
		mustPart(t, e, "bucket", "open", id, 1, body)
	}
	if n := rotateKeys(t, e); n != 0 {
		t.Errorf("%d keys were wrapped anew before there was a new key", n)
	}
	before := stats(t, e)
	current := mustRotate(t, ring)
	res, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
	if err != nil || res.Rewrapped != 9 || res.CurrentKeyID != current { // 2 of each of 4 kinds, and an upload
		t.Errorf("RotateKeys: %+v, %v, want 9 under %s", res, err, current)
	}
	if n := rotateKeys(t, e); n != 0 {
		t.Errorf("%d keys were wrapped anew a second time", n)
	}
	if after := stats(t, e); after.StoredBytes != before.StoredBytes || after.DeadBytes != before.DeadBytes {
		t.Errorf("the volumes held %+v, hold %+v", before, after)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, &engine.Options{Keys: newestOnly{ring, first}, ChunkSize: 16 << 10})
	mustPart(t, e, "bucket", "open", uploads["AES256"], 2, body)
	mustComplete(t, e, "bucket", "open", uploads["AES256"])
	for key, want := range map[string][]byte{"putAES256": body[:1000], "copyKMS": body, "partsKMS": body, "parts": body, "asked for": body, "open": append(bytes.Clone(body), body...)} {
		if !bytes.Equal(readAll(t, e, "bucket", key), want) {
			t.Errorf("%s reads differently", key)
		}
	}
	if !bytes.Equal(readAll(t, e, "another", "partsAES256"), body) {
		t.Error("what is in another bucket reads differently")
	}
	obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "customer", SSECustomerKey: customer})
	if err != nil {
		t.Fatal(err)
	}
	obj.Close()
	checkData(t, e)
}

// checkData reads everything.
func checkData(t testing.TB, e *engine.Engine) {
	t.Helper()
	res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil || len(res.Problems) > 0 {
		t.Errorf("Check: %v, %v", res, err)
	}
}

// TestRotateKeysWithout has no provider.
func TestRotateKeysWithout(t *testing.T) {
	e := openTemp(t, nil)
	if _, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{}); !errors.Is(err, engine.ErrKmsServiceNotEnabled) {
		t.Errorf("RotateKeys: %v", err)
	}
}

// failingKeys refuses to unwrap one in so many keys, always the same ones; 0 is none.
type failingKeys struct {
	*crypto.Keyring
	oneIn byte
}

func (f *failingKeys) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	if f.oneIn > 0 && w.Blob[len(w.Blob)-1]%f.oneIn == 0 {
		return crypto.DataKey{}, fmt.Errorf("%w: at present", crypto.ErrKeyDisabled)
	}
	return f.Keyring.Unwrap(ctx, w)
}

// TestRotateKeysFailing has the provider refuse some keys: the others are wrapped anew, the error
// names objects, and another call does the rest.
func TestRotateKeysFailing(t *testing.T) {
	const objects = 100
	ring, dir := keys(t), t.TempDir()
	failing := &failingKeys{Keyring: ring}
	e := open(t, dir, &engine.Options{Keys: failing})
	mustBucket(t, e, "bucket")
	for n := range objects {
		mustPut(t, e, engine.PutObjectRequest{Key: fmt.Sprint(n), Body: strings.NewReader("content"), ServerSideEncryption: "AES256"})
	}
	current := mustRotate(t, ring)
	for _, oneIn := range []byte{1, 2} {
		failing.oneIn = oneIn
		_, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
		if !errors.Is(err, engine.ErrKeyDisabled) || !strings.Contains(err.Error(), "object bucket/") || len(err.Error()) > 10_000 {
			t.Errorf("one in %d fails: %v", oneIn, err)
		}
		old := engine.CountWrappedElsewhere(t, e, current)
		if oneIn == 1 && old != objects || oneIn == 2 && (old == 0 || old == objects) {
			t.Errorf("one in %d fails: %d of %d keys are old", oneIn, old, objects)
		}
	}
	failing.oneIn = 0
	rotateKeys(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	checkData(t, open(t, dir, &engine.Options{Keys: newestOnly{Keyring: ring}}))
}

// TestRotateKeysBeside rotates, again and again, beside uploads, copies, overwrites and deletions.
func TestRotateKeysBeside(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	e := open(t, dir, &engine.Options{Keys: ring, ChunkSize: 16 << 10})
	mustBucket(t, e, "bucket")
	stop := make(chan struct{})
	var others sync.WaitGroup
	for w := range 3 {
		others.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key, body := fmt.Sprintf("%d/%d", w, n%5), random(uint64(n), 20_000+n%50_000)
				id := mustInitiate(t, e, "bucket", key, "AES256")
				mustPart(t, e, "bucket", key, id, 1, body)
				mustComplete(t, e, "bucket", key, id)
				mustCopy(t, e, engine.CopyObjectRequest{Key: "0" + key, SourceKey: key, ServerSideEncryption: "AES256"})
				if !bytes.Equal(readAll(t, e, "bucket", key), body) {
					t.Errorf("%s reads differently", key)
				}
				if n%3 == 0 {
					mustDelete(t, e, "bucket", key)
				}
			}
		})
	}
	for range 10 {
		mustRotate(t, ring)
		rotateKeys(t, e)
	}
	close(stop)
	others.Wait()
	rotateKeys(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	checkData(t, open(t, dir, &engine.Options{Keys: newestOnly{Keyring: ring}}))
}

// TestRotateKeysKilled kills the process that rotates, at random points, and goes on, until it is done.
// GABION_ROTATE sets the number of objects.
func TestRotateKeysKilled(t *testing.T) {
	objects := rounds(t, "GABION_ROTATE", 1500)
	dir := t.TempDir()
	s := &killedStore{dir: filepath.Join(dir, "store"), keyring: filepath.Join(dir, "keyring")}
	ring, err := crypto.OpenKeyring(s.keyring)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, s.dir, &engine.Options{Keys: ring})
	fillEncrypted(t, e, objects)
	before := stats(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	current := mustRotate(t, ring)
	rng := rand.New(rand.NewPCG(seed(t), 5))
	kills, partly := 0, 0
	for left := int64(objects); left > 0; kills++ {
		n := 1 + rng.Int64N(left+left/4) // some get to the end
		if kills == 0 {
			n = left/4 + rng.Int64N(left/2) // the first is in the middle
		}
		s.rotateUntilKilled(t, n)
		e := open(t, s.dir, &engine.Options{Keys: ring})
		now := engine.CountWrappedElsewhere(t, e, current)
		if 0 < now && now < left {
			partly++
		}
		if left = now; kills == 20 { // the rest in one go
			if n := rotateKeys(t, e); n != left {
				t.Errorf("%d keys were wrapped anew, %d were left", n, left)
			}
			left = 0
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d objects, %d kills, %d of them in the middle", objects, kills, partly)
	if partly == 0 {
		t.Error("no kill came in the middle: the test has lost its grip")
	}
	e = open(t, s.dir, &engine.Options{Keys: newestOnly{Keyring: ring}})
	checkData(t, e)
	if after := stats(t, e); after.StoredBytes != before.StoredBytes || after.InlineBytes != before.InlineBytes || after.Objects != int64(objects) {
		t.Errorf("the store holds %+v, held %+v before", after, before)
	}
}

// fillEncrypted puts objects, most of them small, many at once.
func fillEncrypted(t *testing.T, e *engine.Engine, objects int) {
	t.Helper()
	mustBucket(t, e, "bucket")
	var puts sync.WaitGroup
	numbers := make(chan int)
	for range 64 {
		puts.Go(func() {
			for n := range numbers {
				size := 100
				if n%100 == 0 {
					size = 50_000
				}
				mustPut(t, e, engine.PutObjectRequest{Key: fmt.Sprint(n), Body: bytes.NewReader(random(uint64(n), size)), ServerSideEncryption: "AES256"})
			}
		})
	}
	for n := range objects {
		numbers <- n
	}
	close(numbers)
	puts.Wait()
}

// rotateUntilKilled rotates in a process that is killed when it wraps the n-th key.
func (s *killedStore) rotateUntilKilled(t *testing.T, n int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRotateChild$")
	cmd.Env = append(os.Environ(), "GABION_ROTATE_STORE="+s.dir, "GABION_ROTATE_KEYRING="+s.keyring, fmt.Sprint("GABION_ROTATE_UNTIL=", n))
	if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.Exited() {
		t.Fatalf("the process failed: %v\n%s", err, out)
	}
}

// deadlyKeys kills its process with SIGKILL when it wraps the n-th key.
type deadlyKeys struct {
	*crypto.Keyring
	n atomic.Int64
}

func (d *deadlyKeys) Wrap(ctx context.Context, keyID string, key crypto.DataKey) (crypto.WrappedKey, error) {
	if d.n.Add(-1) == 0 {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		return crypto.WrappedKey{}, err
	}
	return d.Keyring.Wrap(ctx, keyID, key)
}

// TestRotateChild is the process that TestRotateKeysKilled kills.
func TestRotateChild(t *testing.T) {
	dir := os.Getenv("GABION_ROTATE_STORE")
	if dir == "" {
		t.Skip("runs only as a child of another test")
	}
	ring, err := crypto.OpenKeyring(os.Getenv("GABION_ROTATE_KEYRING"))
	if err != nil {
		t.Fatal(err)
	}
	deadly := &deadlyKeys{Keyring: ring}
	deadly.n.Store(int64(rounds(t, "GABION_ROTATE_UNTIL", 1)))
	e, err := engine.Open(context.Background(), dir, &engine.Options{Keys: deadly})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rotateKeys(t, e)
}
