package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// A rotateScene is a store whose key provider is interrupted when it first wraps a key anew: then
// the old forms have been read, and the new ones not been written.
type rotateScene struct {
	t     *testing.T
	e     *engine.Engine
	names []string // objects that must be there at the end
	gone  []string // and that must not
}

// play prepares a store, rotates its keys with the interruption, and reads it without the old
// generation. It returns how much was wrapped.
func play(t *testing.T, prepare, interrupt func(s *rotateScene)) int64 {
	ring, dir := keys(t), t.TempDir()
	first := ring.KeyIDs()[0]
	var slow sync.Once
	hooked := &hookedKeys{KeyProvider: ring}
	s := &rotateScene{t: t, e: open(t, dir, &engine.Options{Keys: hooked})}
	mustBucket(t, s.e, rotateBucket)
	prepare(s)
	mustRotate(t, ring)
	// Whatever asks for a key meanwhile gets the old one, as an Initiate may that was under way.
	hooked.generate = func(string) (string, error) { return first, nil }
	hooked.wrap = func(string) error {
		slow.Do(func() { interrupt(s) })
		return nil
	}
	n := mustRotateKeys(t, s.e)
	if err := s.e.Close(); err != nil {
		t.Fatal(err)
	}
	e := open(t, dir, &engine.Options{Keys: without(ring, first)})
	checkSmall(t, e, s.names...)
	for _, key := range s.gone {
		_, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: rotateBucket, Key: key})
		if !errors.Is(err, engine.ErrNoSuchKey) {
			t.Errorf("object %s was deleted, and is back: %v", key, err)
		}
	}
	return n
}

// upload begins an upload with its only part.
func (s *rotateScene) upload(key string) (id string) {
	id, err := putSmall(s.e, key, "AES256")
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// TestRotateKeysMeanwhile changes records between the moments in which RotateKeys has read the old
// form of their data keys and writes the new one.
func TestRotateKeysMeanwhile(t *testing.T) {
	t.Run("uploads are completed and aborted", func(t *testing.T) {
		var completed, aborted string
		n := play(t, func(s *rotateScene) {
			completed, aborted = s.upload("completed"), s.upload("aborted")
			s.names = []string{"completed"}
		}, func(s *rotateScene) {
			mustComplete(t, s.e, rotateBucket, "completed", completed)
			_, err := s.e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{
				Bucket: rotateBucket, Key: "aborted", UploadID: aborted,
			})
			if err != nil {
				t.Error(err)
			}
		})
		if n != 1 {
			t.Errorf("%d were wrapped, wanted is the object that was an upload", n)
		}
	})
	t.Run("objects are overwritten and deleted", func(t *testing.T) {
		n := play(t, func(s *rotateScene) {
			smallObject(t, s.e, "deleted", "AES256")
			smallObject(t, s.e, "encrypted", "AES256")
			smallObject(t, s.e, "plain", "AES256")
			s.names, s.gone = []string{"encrypted", "plain"}, []string{"deleted"}
		}, func(s *rotateScene) {
			mustDelete(t, s.e, rotateBucket, "deleted")
			smallObject(t, s.e, "encrypted", "AES256")
			smallObject(t, s.e, "plain", "")
		})
		if n != 1 {
			t.Errorf("%d were wrapped, wanted is the new object", n)
		}
	})
	t.Run("objects appear before the place", func(t *testing.T) {
		n := play(t, func(s *rotateScene) {
			smallObject(t, s.e, "n", "AES256")
			s.names = []string{"a", "n", "z"}
		}, func(s *rotateScene) {
			smallObject(t, s.e, "a", "AES256")
			smallObject(t, s.e, "z", "AES256")
		})
		if n != 3 {
			t.Errorf("%d were wrapped, wanted are 3", n)
		}
	})
}

// TestRotateKeysConcurrently rotates beside uploads, completes, overwrites, deletions and reads,
// one rotation beside another and some of them stopped. At the end everything must be there, and be
// read with the last generation alone.
func TestRotateKeysConcurrently(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	e := open(t, dir, &engine.Options{Keys: ring, ChunkSize: 4 << 10})
	mustBucket(t, e, rotateBucket)
	start := seed(t)
	stop := make(chan struct{})
	var users sync.WaitGroup
	all := make([]*rotateUser, 4)
	for i := range all {
		u := &rotateUser{
			e: e, rng: rand.New(rand.NewPCG(start, uint64(i))), prefix: fmt.Sprintf("user-%d", i),
			objects: map[string][]byte{}, uploads: map[string]rotateUpload{},
		}
		all[i] = u
		users.Go(func() {
			for u.err == nil {
				select {
				case <-stop:
					return
				default:
					u.err = u.step()
				}
			}
		})
	}
	var rewrapped int64
	for round := range 100 {
		mustRotate(t, ring)
		ctx, cancel := context.WithCancel(context.Background())
		var second sync.WaitGroup
		second.Go(func() {
			_, err := e.RotateKeys(ctx, &engine.RotateKeysRequest{})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("RotateKeys: %v", err)
			}
		})
		if round%3 == 0 {
			cancel()
		}
		rewrapped += mustRotateKeys(t, e)
		second.Wait()
		cancel()
	}
	close(stop)
	users.Wait()
	mustRotate(t, ring)
	last := mustRotateKeys(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, &engine.Options{Keys: onlyNewest(ring)})
	steps := 0
	for _, u := range all {
		if u.err != nil {
			t.Errorf("%s: %v", u.prefix, u.err)
		}
		steps += u.steps
		u.check(t, e)
	}
	t.Logf("%d steps; %d data keys wrapped beside them, %d at the end", steps, rewrapped, last)
	if rewrapped == 0 || last == 0 {
		t.Error("nothing was wrapped: the test has lost its grip")
	}
}

// A rotateUser works on keys of its own and remembers what must be under them.
type rotateUser struct {
	e       *engine.Engine
	rng     *rand.Rand
	prefix  string
	objects map[string][]byte
	uploads map[string]rotateUpload // open ones
	steps   int
	err     error
}

type rotateUpload struct {
	id   string
	body []byte
}

// step makes one call or a few on a random key.
func (u *rotateUser) step() (err error) {
	u.steps++
	ctx := context.Background()
	key := fmt.Sprintf("%s/%d", u.prefix, u.rng.IntN(12))
	up, open := u.uploads[key]
	switch act := u.rng.IntN(10); {
	case act < 4 && !open:
		up := rotateUpload{body: random(u.rng.Uint64(), 1+u.rng.IntN(10_000))}
		res, err := u.e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
			Bucket: rotateBucket, Key: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm([]string{"", "AES256", "KMS"}[u.rng.IntN(3)])},
		})
		if err != nil {
			return err
		}
		up.id = res.UploadID
		u.uploads[key] = up
		_, err = u.e.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: rotateBucket, Key: key, UploadID: up.id, PartNumber: 1, Body: bytes.NewReader(up.body),
		})
		return err
	case act < 7 && open:
		delete(u.uploads, key)
		u.objects[key] = up.body
		_, err = u.e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
			Bucket: rotateBucket, Key: key, UploadID: up.id, All: true,
		})
		return err
	case act == 7 && open:
		delete(u.uploads, key)
		_, err = u.e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: rotateBucket, Key: key, UploadID: up.id})
		return err
	case act == 8:
		delete(u.objects, key)
		_, err = u.e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: rotateBucket, Key: key})
		return err
	}
	return u.read(u.e, key)
}

// read compares an object with what it must be.
func (u *rotateUser) read(e *engine.Engine, key string) error {
	want, there := u.objects[key]
	obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: rotateBucket, Key: key})
	if errors.Is(err, engine.ErrNoSuchKey) && !there {
		return nil
	}
	if err != nil {
		return err
	}
	defer obj.Close()
	got, err := io.ReadAll(obj)
	if err == nil && !(there && bytes.Equal(got, want)) {
		return fmt.Errorf("object %s reads back as %d other bytes", key, len(got))
	}
	return err
}

// check completes the open uploads and reads everything.
func (u *rotateUser) check(t *testing.T, e *engine.Engine) {
	t.Helper()
	for n := range 12 {
		key := fmt.Sprintf("%s/%d", u.prefix, n)
		if err := u.read(e, key); err != nil {
			t.Error(err)
		}
		if up, open := u.uploads[key]; open {
			mustComplete(t, e, rotateBucket, key, up.id)
			u.objects[key] = up.body
			if err := u.read(e, key); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestCompleteBesideRotation has the data key of an upload wrapped anew between the moment that
// Complete asks for it and the one that it commits: the object has the new form.
func TestCompleteBesideRotation(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	hooked := &hookedKeys{KeyProvider: ring}
	e := open(t, dir, &engine.Options{Keys: hooked, KeyLifetime: 1}) // each call asks
	id := mustInitiate(t, e, "bucket", "key", "AES256")
	part := engine.CompletedPart{PartNumber: 1, ETag: mustPart(t, e, "bucket", "key", id, 1, random(1, 1000)).ETag}
	asked, rotated := 0, int64(0)
	hooked.unwrap = func(string) error {
		if asked++; asked > 1 { // by RotateKeys
			return nil
		}
		mustRotate(t, ring)
		res, err := e.RotateKeys(context.Background(), nil)
		if err == nil {
			rotated = res.Rewrapped
		}
		return err
	}
	mustComplete(t, e, "bucket", "key", id, part)
	hooked.unwrap = nil
	if rotated != 1 {
		t.Errorf("%d data keys were wrapped anew", rotated)
	}
	mustClose(t, e)
	e = open(t, dir, &engine.Options{Keys: onlyNewest(ring)})
	if got := readAll(t, e, "bucket", "key"); !bytes.Equal(got, random(1, 1000)) {
		t.Errorf("the object has %d bytes", len(got))
	}
}
