package engine_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// watchedKeys is a key provider that remembers the data keys it has given out.
type watchedKeys struct {
	crypto.KeyProvider
	mu  sync.Mutex
	out []crypto.DataKey
}

func (w *watchedKeys) Generate(ctx context.Context, keyID string) (crypto.DataKey, crypto.WrappedKey, error) {
	key, wrapped, err := w.KeyProvider.Generate(ctx, keyID)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = append(w.out, key)
	return key, wrapped, err
}

// TestSecrecy looks for an encrypted upload's plaintext and keys in every file of the store: while
// it is open, after an abort, and after Close.
func TestSecrecy(t *testing.T) {
	watched := &watchedKeys{KeyProvider: keys(t)}
	dir := t.TempDir()
	e := open(t, dir, &engine.Options{Keys: watched, ChunkSize: 64 << 10, VolumeSize: 1 << 20})

	noise := random(1, 700_000)
	var text []byte
	for i := 0; len(text) < 200_000; i++ {
		text = fmt.Appendf(text, "line %d of a text that compresses, and must not be found either\n", i)
	}
	mustObject(t, e, "secret", "done", "AES256", noise, text)
	open := mustInitiate(t, e, "secret", "open", "KMS")
	mustPart(t, e, "secret", "open", open, 1, noise)
	gone := mustInitiate(t, e, "secret", "gone", "AES256")
	mustPart(t, e, "secret", "gone", gone, 1, text)
	_, err := e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{Bucket: "secret", Key: "gone", UploadID: gone})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, e, engine.PutObjectRequest{Bucket: "secret", Key: "small", Body: bytes.NewReader(text[:10_000]), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	mustCopy(t, e, engine.CopyObjectRequest{Bucket: "secret", Key: "copy", SourceBucket: "secret", SourceKey: "done", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS"}})
	control := random(2, 100_000) // not encrypted: the search must find it
	mustObject(t, e, "secret", "plain", "", control)
	if len(watched.out) != 5 {
		t.Fatalf("%d data keys were given out, wanted are 5", len(watched.out))
	}

	for _, when := range []string{"open", "closed"} {
		if when == "closed" {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for name, plain := range map[string][]byte{"noise": noise, "text": text} {
			if file := findRun(t, dir, plain); file != "" {
				t.Errorf("with the store %s, a run of the %s is in %s", when, name, file)
			}
		}
		if findRun(t, dir, control) == "" {
			t.Error("the search does not even find what is not encrypted")
		}
		for _, key := range watched.out {
			for _, form := range []string{string(key[:]), hex.EncodeToString(key[:]), base64.StdEncoding.EncodeToString(key[:])} {
				if file := findString(t, dir, form); file != "" {
					t.Errorf("with the store %s, a data key is in %s", when, file)
				}
			}
		}
	}
}

// TestSecrecyOfErrors reads an encrypted object with another key ring and looks at the error.
func TestSecrecyOfErrors(t *testing.T) {
	watched := &watchedKeys{KeyProvider: keys(t)}
	dir := t.TempDir()
	e := open(t, dir, &engine.Options{Keys: watched})
	mustObject(t, e, "secret", "key", "AES256", random(3, 1000))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, &engine.Options{Keys: keys(t)})
	_, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "secret", Key: "key"})
	if err == nil {
		t.Fatal("another key ring reads the object")
	}
	key := watched.out[0]
	for _, form := range []string{string(key[:]), hex.EncodeToString(key[:]), strings.ToUpper(hex.EncodeToString(key[:])), fmt.Sprint([32]byte(key))} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), form) {
			t.Error("the error holds the data key")
		}
	}
}

// forgedBlobs gives out frames as somebody with access to the disk may have changed them.
type forgedBlobs struct {
	*blob.Memory
	refs  []blob.Ref // in the order of Put
	forge func(s *forgedBlobs, ref blob.Ref, frame []byte) []byte
}

func (s *forgedBlobs) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	ref, err := s.Memory.Put(ctx, id, frame)
	s.refs = append(s.refs, ref)
	return ref, err
}

func (s *forgedBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	frame, err := s.Memory.Get(ctx, ref, buf)
	if err != nil {
		return nil, err
	}
	return s.forge(s, ref, frame), nil
}

// TestForgedFrames wants every forgery to be noticed, also one made of genuine frames.
func TestForgedFrames(t *testing.T) {
	forgeries := map[string]func(s *forgedBlobs, ref blob.Ref, frame []byte) []byte{
		"the frame of another chunk": func(s *forgedBlobs, ref blob.Ref, _ []byte) []byte {
			other := s.refs[0]
			if other == ref {
				other = s.refs[1]
			}
			frame, err := s.Memory.Get(context.Background(), other, nil)
			if err != nil {
				t.Error(err)
			}
			return frame
		},
	}
	for at := range 8 { // each byte of the header
		forgeries[fmt.Sprintf("header byte %d", at)] = func(_ *forgedBlobs, _ blob.Ref, frame []byte) []byte {
			frame[at] ^= 1
			return frame
		}
	}
	for _, n := range []int{0, 7, 8, 20, 35, 36} {
		forgeries[fmt.Sprintf("cut to %d bytes", n)] = func(_ *forgedBlobs, _ blob.Ref, frame []byte) []byte {
			return frame[:n]
		}
	}
	for name, forge := range forgeries {
		for _, sse := range []string{"", "AES256"} {
			blobs := &forgedBlobs{Memory: blob.NewMemory(0), forge: forge}
			const size = 100 << 10 // one chunk a part
			o := &engine.Options{Keys: keys(t), ChunkSize: size}
			e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, o)
			if err != nil {
				t.Fatal(err)
			}
			mustObject(t, e, "forged", "key", sse, random(1, size), random(2, size))
			obj := mustGet(t, e, "forged", "key", "")
			var damage *engine.CorruptionError
			if got, err := io.ReadAll(obj); !errors.As(err, &damage) || len(got) > 0 {
				t.Errorf("%s, encryption %q: %d bytes and %v", name, sse, len(got), err)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// findRun returns a file that holds any run of leakRun bytes of plain.
func findRun(t *testing.T, dir string, plain []byte) string {
	t.Helper()
	var r runs
	r.add(plain)
	return findFile(t, dir, func(data []byte) bool { return r.findIn(data) >= 0 })
}

// agreeing returns the length of the run around data[i] and plain[at] that is the same in both.
func agreeing(data []byte, i int, plain []byte, at int) int {
	begin := 0
	for begin < min(i, at) && data[i-begin-1] == plain[at-begin-1] {
		begin++
	}
	end := 0
	for i+end < len(data) && at+end < len(plain) && data[i+end] == plain[at+end] {
		end++
	}
	return begin + end
}

func findString(t *testing.T, dir, s string) string {
	t.Helper()
	return findFile(t, dir, func(data []byte) bool { return bytes.Contains(data, []byte(s)) })
}

func findFile(t *testing.T, dir string, holds func([]byte) bool) string {
	t.Helper()
	for _, file := range sortedKeys(regularFiles(t, dir)) {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // reclaimed meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		if holds(bytes.TrimRight(data, "\x00")) {
			return file
		}
	}
	return ""
}

func sortedKeys(files map[string]int64) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
