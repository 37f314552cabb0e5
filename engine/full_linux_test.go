package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// TestFullDisk fills a file system until every write is refused, over and over, with parallel
// uploads, deleting and reclaiming in between, and then has others fill it to the last byte. Every
// refusal must be ErrNoSpace, nothing acknowledged may be lost, the same engine goes on when there
// is space, and the full store can be opened. GABION_FILLS, when it is more than 1, sets the number
// of rounds, on a larger disk.
func TestFullDisk(t *testing.T) {
	n, size := rounds(t, "GABION_FILLS", 1), 200
	if n > 1 {
		size = 540
	}
	for _, kind := range []string{"tmpfs", "ext4", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			size := size
			if kind == "btrfs" {
				size += 200 // of which it takes much for itself
			}
			f := &fullDisk{
				mount:   disktest.Mount(t, kind, int64(size)*1_000_000),
				options: &engine.Options{Keys: keys(t), ReserveSpace: 64 << 20, VolumeSize: 16 << 20},
				objects: map[string]uint64{},
			}
			rng := rand.New(rand.NewPCG(seed(t), 6))
			e := open(t, f.store(), f.options)
			mustBucket(t, e, fullBucket)
			for round := range n {
				f.options.Volumes = volumeKinds[round%len(volumeKinds)] // of what is opened next
				f.fill(t, e, round)
				f.check(t, e)
				e = f.overfill(t, e)
				f.empty(t, e, rng)
				if t.Failed() {
					t.Fatalf("round %d failed", round)
				}
			}
		})
	}
}

const (
	fullBucket = "full"
	fullObject = 3 << 20
)

// A fullDisk is a small file system and the objects acknowledged on it, with their seeds.
type fullDisk struct {
	mount   string
	options *engine.Options

	mu      sync.Mutex // guards objects
	objects map[string]uint64
}

func (f *fullDisk) store() string { return filepath.Join(f.mount, "store") }

// fill uploads from several goroutines until each has been refused a few times.
func (f *fullDisk) fill(t *testing.T, e *engine.Engine, round int) {
	t.Helper()
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for n, refused := 0, 0; refused < 3; n++ {
				key, seed := fmt.Sprintf("%d/%d/%d", round, w, n), uint64(round*1_000_000+w*10_000+n)
				err := f.put(e, key, seed)
				switch {
				case errors.Is(err, engine.ErrNoSpace):
					refused++
				case err != nil:
					t.Errorf("a write was refused with another error: %v", err)
					return
				}
				if n > 1000 {
					t.Error("the disk does not fill up")
					return
				}
			}
		})
	}
	workers.Wait()
	if len(f.objects) < 10 {
		t.Errorf("only %d objects fit: the test has lost its grip", len(f.objects))
	}
}

// body is what an object with this seed holds: a few are so small that the index keeps them.
func (f *fullDisk) body(seed uint64) []byte {
	if seed%5 == 0 {
		return random(seed, 20_000)
	}
	return random(seed, fullObject)
}

func (f *fullDisk) put(e *engine.Engine, key string, seed uint64) error {
	var err error
	if seed%5 != 0 {
		err = f.upload(e, key, seed)
	} else {
		_, err = e.PutObject(context.Background(), &engine.PutObjectRequest{Bucket: fullBucket, Key: key, Body: bytes.NewReader(f.body(seed))})
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[key] = seed
	return nil
}

func (f *fullDisk) upload(e *engine.Engine, key string, seed uint64) error {
	ctx := context.Background()
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: fullBucket, Key: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm([]string{"", "AES256"}[seed%2])},
	})
	if err != nil {
		return err
	}
	_, err = e.UploadPart(ctx, &engine.UploadPartRequest{
		Bucket: fullBucket, Key: key, UploadID: up.UploadID, PartNumber: 1, Body: bytes.NewReader(f.body(seed)),
	})
	if err != nil {
		_, abortErr := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: fullBucket, Key: key, UploadID: up.UploadID})
		if abortErr != nil {
			return fmt.Errorf("AbortMultipartUpload on the full disk: %v", abortErr)
		}
		return err
	}
	_, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: fullBucket, Key: key, UploadID: up.UploadID, All: true})
	if err != nil {
		return fmt.Errorf("CompleteMultipartUpload on the full disk: %v", err)
	}
	return nil
}

// check reads every object.
func (f *fullDisk) check(t *testing.T, e *engine.Engine) {
	t.Helper()
	for key, seed := range f.objects {
		if !bytes.Equal(readAll(t, e, fullBucket, key), f.body(seed)) {
			t.Errorf("object %s reads back wrong", key)
		}
	}
}

// overfill has somebody else take what space is left, once while the store is closed and once while
// it is open.
func (f *fullDisk) overfill(t *testing.T, e *engine.Engine) *engine.Engine {
	t.Helper()
	foreign := filepath.Join(f.mount, "foreign")
	for _, while := range []string{"closed", "open"} {
		if while == "open" {
			disktest.TakeAll(t, foreign)
		}
		err := e.Close()
		if while == "open" && errors.Is(err, engine.ErrNoSpace) { // it may say so, and can be closed later
			takeBack(t, foreign)
			err = e.Close()
		}
		if err != nil {
			t.Errorf("Close on the overfull disk: %v", err)
		}
		if while == "closed" {
			disktest.TakeAll(t, foreign)
		}
		e = open(t, f.store(), f.options)
		f.check(t, e)
		for key := range f.objects {
			mustDelete(t, e, fullBucket, key)
			delete(f.objects, key)
			break
		}
		// There may be too little space to copy even one volume's live chunks.
		if _, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{}); err != nil && !errors.Is(err, engine.ErrNoSpace) {
			t.Errorf("Reclaim on the overfull disk: %v", err)
		}
		takeBack(t, foreign)
		mustReclaim(t, e)
	}
	return e
}

func takeBack(t *testing.T, foreign string) {
	t.Helper()
	if err := os.RemoveAll(foreign); err != nil {
		t.Fatal(err)
	}
}

// empty deletes most objects and wants the engine to go on.
func (f *fullDisk) empty(t *testing.T, e *engine.Engine, rng *rand.Rand) {
	t.Helper()
	for key := range f.objects {
		if rng.IntN(5) > 0 {
			mustDelete(t, e, fullBucket, key)
			delete(f.objects, key)
		}
	}
	mustReclaim(t, e)
	f.check(t, e)
	f.settle(t)
	if err := f.put(e, "again", 1); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// settle waits until what was given back is counted as free: Btrfs does that once it is durable.
func (f *fullDisk) settle(t *testing.T) {
	t.Helper()
	dir, err := os.Open(f.mount)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Syncfs(int(dir.Fd())), dir.Close()); err != nil {
		t.Fatal(err)
	}
}
