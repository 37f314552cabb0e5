package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// checkData reads everything.
func checkData(t testing.TB, e *engine.Engine) {
	t.Helper()
	res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil || len(res.Problems) > 0 {
		t.Errorf("Check: %v, %v", res, err)
	}
}

// TestRotateKeysKilled kills the process that rotates, at random points, and goes on, until it is
// done. GABION_ROTATE sets the number of objects.
func TestRotateKeysKilled(t *testing.T) {
	objects := rounds(t, "GABION_ROTATE", 1500)
	dir := t.TempDir()
	s := &killedStore{dir: filepath.Join(dir, "store"), keyring: filepath.Join(dir, "keyring")}
	ring, err := keysAt(s.keyring)
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
			if n := mustRotateKeys(t, e); n != left {
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
	e = open(t, s.dir, &engine.Options{Keys: onlyNewest(ring)})
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
				mustPut(t, e, engine.PutObjectRequest{Key: fmt.Sprint(n), Body: bytes.NewReader(random(uint64(n), size)), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
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
	mustRotateKeys(t, e)
}
