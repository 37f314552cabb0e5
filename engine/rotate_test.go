package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// hookedKeys is a key provider that calls hooks first. A hook that fails fails the call.
type hookedKeys struct {
	crypto.KeyProvider
	generate func(keyID string) (string, error) // may ask for another key
	wrap     func(keyID string) error
	unwrap   func(keyID string) error
	current  func() error
}

func (h *hookedKeys) CurrentKeyID(ctx context.Context) (string, error) {
	if h.current != nil {
		if err := h.current(); err != nil {
			return "", err
		}
	}
	return h.KeyProvider.CurrentKeyID(ctx)
}

func (h *hookedKeys) Generate(ctx context.Context, keyID string) (_ crypto.DataKey, _ crypto.WrappedKey, err error) {
	if h.generate != nil {
		if keyID, err = h.generate(keyID); err != nil {
			return crypto.DataKey{}, crypto.WrappedKey{}, err
		}
	}
	return h.KeyProvider.Generate(ctx, keyID)
}

func (h *hookedKeys) Wrap(ctx context.Context, keyID string, key crypto.DataKey) (crypto.WrappedKey, error) {
	if h.wrap != nil {
		if err := h.wrap(keyID); err != nil {
			return crypto.WrappedKey{}, err
		}
	}
	return h.KeyProvider.Wrap(ctx, keyID, key)
}

func (h *hookedKeys) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	if h.unwrap != nil {
		if err := h.unwrap(w.KeyID); err != nil {
			return crypto.DataKey{}, err
		}
	}
	return h.KeyProvider.Unwrap(ctx, w)
}

// without returns the ring as if it had lost these generations.
func without(ring *crypto.Keyring, lost ...string) *hookedKeys {
	return &hookedKeys{KeyProvider: ring, unwrap: func(keyID string) error {
		if slices.Contains(lost, keyID) {
			return fmt.Errorf("%w: generation %s is lost", crypto.ErrKeyNotFound, keyID)
		}
		return nil
	}}
}

// onlyNewest returns the ring as if it had lost all generations but the current one.
func onlyNewest(ring *crypto.Keyring) *hookedKeys {
	ids := ring.KeyIDs()
	return without(ring, ids[:len(ids)-1]...)
}

const rotateBucket = "rotated"

// mustRotate makes a new generation the current one.
func mustRotate(t testing.TB, ring *crypto.Keyring) (keyID string) {
	t.Helper()
	keyID, err := ring.Rotate()
	if err != nil {
		t.Fatalf("Rotate: %v", err)
	}
	return keyID
}

// mustRotateKeys wraps everything anew and says how much that was.
func mustRotateKeys(t testing.TB, e *engine.Engine) (rewrapped int64) {
	t.Helper()
	res, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
	if err != nil {
		t.Fatalf("RotateKeys: %v", err)
	}
	return res.Rewrapped
}

// initiateUnder begins an upload of rotateBucket that asks for a key by its id.
func initiateUnder(t testing.TB, e *engine.Engine, key, keyID string) (id string) {
	t.Helper()
	mustBucket(t, e, rotateBucket)
	up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
		Bucket: rotateBucket, Key: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: keyID},
	})
	if err != nil {
		t.Fatalf("InitiateMultipartUpload: %v", err)
	}
	return up.UploadID
}

// smallBody is the body of the object or upload of a name.
func smallBody(key string) []byte { return []byte("the body of " + key) }

// smallObject stores the object of a name.
func smallObject(t testing.TB, e *engine.Engine, key, sse string) {
	t.Helper()
	mustObject(t, e, rotateBucket, key, sse, smallBody(key))
}

// smallNames returns n names in ascending order.
func smallNames(prefix string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("%s/%05d", prefix, i))
	}
	return names
}

// smallObjects stores n encrypted objects.
func smallObjects(t testing.TB, e *engine.Engine, prefix string, n int) (names []string) {
	t.Helper()
	mustBucket(t, e, rotateBucket)
	names = smallNames(prefix, n)
	sse := map[string]string{}
	for _, key := range names {
		sse[key] = "AES256"
	}
	putSmallObjects(t, e, sse)
	return names
}

// putSmallObjects stores the objects of these names, many at a time, so that commits are shared.
// sse is the ServerSideEncryption of each.
func putSmallObjects(t testing.TB, e *engine.Engine, sse map[string]string) {
	t.Helper()
	next := make(chan string)
	var workers sync.WaitGroup
	for range 64 {
		workers.Go(func() {
			for key := range next {
				id, err := putSmall(e, key, sse[key])
				if err == nil {
					_, err = e.CompleteMultipartUpload(context.Background(), &engine.CompleteMultipartUploadRequest{
						Bucket: rotateBucket, Key: key, UploadID: id, All: true,
					})
				}
				if err != nil {
					t.Errorf("object %s: %v", key, err)
				}
			}
		})
	}
	for key := range sse {
		next <- key
	}
	close(next)
	workers.Wait()
}

// putSmall uploads the only part of the upload of a name.
func putSmall(e *engine.Engine, key, sse string) (id string, err error) {
	up, err := e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
		Bucket: rotateBucket, Key: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
	})
	if err != nil {
		return "", err
	}
	_, err = e.UploadPart(context.Background(), &engine.UploadPartRequest{
		Bucket: rotateBucket, Key: key, UploadID: up.UploadID, PartNumber: 1, Body: bytes.NewReader(smallBody(key)),
	})
	return up.UploadID, err
}

// checkSmall reads objects back.
func checkSmall(t testing.TB, e *engine.Engine, names ...string) {
	t.Helper()
	for _, key := range names {
		if got := readAll(t, e, rotateBucket, key); !bytes.Equal(got, smallBody(key)) {
			t.Errorf("object %s reads back as %d other bytes", key, len(got))
		}
	}
}

// volumeFiles returns a digest of every file of chunks of a closed store.
func volumeFiles(t testing.TB, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(filepath.Join(dir, "volumes"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(all, fmt.Sprintf("%s: %x", path, sha256.Sum256(data)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// TestRotateKeys wraps objects and uploads of every kind anew, and reads them without the old
// generation. Those whose client has asked for the old one by its id must keep it.
func TestRotateKeys(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	first := ring.KeyIDs()[0]
	e := open(t, dir, &engine.Options{Keys: ring})
	uploads := map[string]string{}
	for kind, sse := range map[string][2]string{"plain": {"", ""}, "aes": {"AES256", ""}, "kms": {"KMS", ""}, "own": {"KMS", first}} {
		for _, key := range []string{"object/" + kind, "upload/" + kind} {
			if sse[1] == "" {
				uploads[key] = mustInitiate(t, e, rotateBucket, key, sse[0])
			} else {
				uploads[key] = initiateUnder(t, e, key, sse[1])
			}
			mustPart(t, e, rotateBucket, key, uploads[key], 1, smallBody(key))
			if strings.HasPrefix(key, "object/") {
				mustComplete(t, e, rotateBucket, key, uploads[key])
			}
		}
	}
	mustObject(t, e, "other-bucket", "aes", "AES256", smallBody("aes"))
	before, counted := stats(t, e), tallyOf(t, e)
	reopen := func(p crypto.KeyProvider) {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = open(t, dir, &engine.Options{Keys: p})
	}
	reopen(ring)
	files := volumeFiles(t, dir)

	second := mustRotate(t, ring)
	res, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{})
	if err != nil || *res != (engine.RotateKeysResult{Rewrapped: 5, Current: second}) {
		t.Fatalf("RotateKeys: %+v, %v; wanted are 5 and %s", res, err, second)
	}
	if n := mustRotateKeys(t, e); n != 0 {
		t.Errorf("a second RotateKeys wrapped %d more", n)
	}
	if after := stats(t, e); after.StoredBytes != before.StoredBytes || after.DeadBytes != before.DeadBytes {
		t.Errorf("chunks changed: %+v, before %+v", after, before)
	}
	if after := tallyOf(t, e); after != counted {
		t.Errorf("counted is %+v, before %+v", after, counted)
	}
	reopen(without(ring, first))
	if volumeFiles(t, dir) != files {
		t.Error("files of chunks have changed")
	}
	for _, kind := range []string{"plain", "aes", "kms"} {
		mustComplete(t, e, rotateBucket, "upload/"+kind, uploads["upload/"+kind])
		checkSmall(t, e, "object/"+kind, "upload/"+kind)
	}
	if got := readAll(t, e, "other-bucket", "aes"); !bytes.Equal(got, smallBody("aes")) {
		t.Error("the object of the other bucket reads back wrong")
	}
	_, err = e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: rotateBucket, Key: "object/own"})
	if !errors.Is(err, engine.ErrKeyNotFound) {
		t.Errorf("the client's own key was replaced: %v", err)
	}
	reopen(ring)
	mustComplete(t, e, rotateBucket, "upload/own", uploads["upload/own"])
	checkSmall(t, e, "object/own", "upload/own")
}

// TestRotateKeysWithoutProvider wants the error that every use of encryption has.
func TestRotateKeysWithoutProvider(t *testing.T) {
	e := openTemp(t, nil)
	if _, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{}); !errors.Is(err, engine.ErrKmsServiceNotEnabled) {
		t.Error(err)
	}
}

// TestRotateKeysWithoutSpace wants nothing to be written into the reserve.
func TestRotateKeysWithoutSpace(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	e := open(t, dir, &engine.Options{Keys: ring})
	smallObject(t, e, "key", "AES256")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	mustRotate(t, ring)
	space, err := disk.SpaceOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	// The index would still take it.
	e = open(t, dir, &engine.Options{Keys: ring, ReserveSpace: 2 * space.Bytes})
	if _, err := e.RotateKeys(context.Background(), &engine.RotateKeysRequest{}); !errors.Is(err, engine.ErrNoSpace) {
		t.Error(err)
	}
}

// TestRotateKeysAskedFor finds a data key that is wrapped under another key than the client's own.
func TestRotateKeysAskedFor(t *testing.T) {
	ring, dir := keys(t), t.TempDir()
	first := ring.KeyIDs()[0]
	current := mustRotate(t, ring)
	careless := &hookedKeys{KeyProvider: ring, generate: func(string) (string, error) { return current, nil }}
	e := open(t, dir, &engine.Options{Keys: careless})
	mustPart(t, e, rotateBucket, "key", initiateUnder(t, e, "key", first), 1, smallBody("key"))
	id := initiateUnder(t, e, "key", first)
	mustPart(t, e, rotateBucket, "key", id, 1, smallBody("key"))
	mustComplete(t, e, rotateBucket, "key", id)
	if n := mustRotateKeys(t, e); n != 2 {
		t.Errorf("%d were wrapped, wanted are 2", n)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, &engine.Options{Keys: without(ring, current)})
	checkSmall(t, e, "key")
}

// A namingService is a key provider that knows keys by names, which it resolves.
type namingService struct {
	*crypto.Keyring
	names map[string]string
	wraps atomic.Int64
}

func (s *namingService) Generate(ctx context.Context, keyID string) (crypto.DataKey, crypto.WrappedKey, error) {
	return s.Keyring.Generate(ctx, s.names[keyID])
}

func (s *namingService) Wrap(ctx context.Context, keyID string, key crypto.DataKey) (crypto.WrappedKey, error) {
	s.wraps.Add(1)
	return s.Keyring.Wrap(ctx, s.names[keyID], key)
}

// TestRotateKeysAliases gives the client's key a name of the service's own. It is never the id that
// the client asked for, and yet nothing is stale, until the name means another key.
func TestRotateKeysAliases(t *testing.T) {
	ring := keys(t)
	service := &namingService{Keyring: ring, names: map[string]string{"alias": ring.KeyIDs()[0], "": ""}}
	e := openTemp(t, &engine.Options{Keys: service})
	const n = 300 // more than a batch
	for i := range n {
		initiateUnder(t, e, fmt.Sprint(i), "alias")
	}
	if got := mustRotateKeys(t, e); got != 0 {
		t.Errorf("%d were wrapped, and none was stale", got)
	}
	if asked := service.wraps.Load(); asked >= n {
		t.Errorf("the service was asked %d times about one name", asked)
	}
	service.names["alias"] = mustRotate(t, ring)
	if got := mustRotateKeys(t, e); got != n {
		t.Errorf("%d were wrapped, wanted are %d", got, n)
	}
}

// paddedKeys wraps keys in forms as large as the index takes.
type paddedKeys struct{ *crypto.Keyring }

const paddedSize = 64 << 10

func pad(w crypto.WrappedKey, err error) (crypto.WrappedKey, error) {
	padding := make([]byte, paddedSize-len(w.Blob))
	padding[0] = 1
	return crypto.WrappedKey{KeyID: w.KeyID, Blob: append(w.Blob, padding...)}, err
}

func (p paddedKeys) Generate(ctx context.Context, keyID string) (crypto.DataKey, crypto.WrappedKey, error) {
	key, w, err := p.Keyring.Generate(ctx, keyID)
	w, err = pad(w, err)
	return key, w, err
}

func (p paddedKeys) Wrap(ctx context.Context, keyID string, key crypto.DataKey) (crypto.WrappedKey, error) {
	return pad(p.Keyring.Wrap(ctx, keyID, key))
}

func (p paddedKeys) Unwrap(ctx context.Context, w crypto.WrappedKey) (crypto.DataKey, error) {
	w.Blob = bytes.TrimSuffix(bytes.TrimRight(w.Blob, "\x00"), []byte{1})
	return p.Keyring.Unwrap(ctx, w)
}

// TestRotateKeysLargeRecords has a batch that is too large for one transaction.
func TestRotateKeysLargeRecords(t *testing.T) {
	ring := keys(t)
	e := openTemp(t, &engine.Options{Keys: paddedKeys{ring}})
	names := smallObjects(t, e, "large", 50)
	mustRotate(t, ring)
	if n := mustRotateKeys(t, e); n != 50 {
		t.Errorf("%d were wrapped, wanted are 50", n)
	}
	checkSmall(t, e, names...)
}

// plainObjects puts records of objects without content and encryption straight into the index.
func plainObjects(t *testing.T, idx index.Store, bucket string, names []string) {
	t.Helper()
	plain := index.Object{Type: "Multipart", ETag: "none"}
	for len(names) > 0 {
		some := names[:min(1000, len(names))]
		names = names[len(some):]
		err := idx.Update(context.Background(), func(tx index.Tx) error {
			for _, key := range some {
				if err := index.Put(tx, index.ObjectKey(bucket, key), &plain); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRotateKeysManyRecords has more records than one snapshot and one batch take in, stale ones
// and others mixed, and counts how many of them the provider works on at a time.
func TestRotateKeysManyRecords(t *testing.T) { synctest.Test(t, testRotateKeysManyRecords) }

func testRotateKeysManyRecords(t *testing.T) {
	ring, idx := keys(t), index.NewMemory()
	counted := &hookedKeys{KeyProvider: ring}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{Keys: counted})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	smallObjects(t, e, "a", 300)
	plainObjects(t, idx, rotateBucket, smallNames("b", 5000))
	smallObjects(t, e, "c", 300)
	// The key behind those of the first snapshot begins as the last of them.
	plainObjects(t, idx, "other-bucket", smallNames("b", 4096))
	mustObject(t, e, "other-bucket", "b/04095/", "AES256", nil)
	mustRotate(t, ring)
	var under, most atomic.Int64
	counted.wrap = func(string) error {
		n := under.Add(1)
		defer under.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond) // of the bubble's time: until all that work have begun
		return nil
	}
	if n := mustRotateKeys(t, e); n != 601 {
		t.Errorf("%d were wrapped, wanted are 601", n)
	}
	if n := most.Load(); n != 8 {
		t.Errorf("the provider worked on %d at a time, wanted are 8", n)
	}
}

// listingIndex counts the buckets that are read in one snapshot.
type listingIndex struct {
	*index.Memory
	mu   sync.Mutex
	most int
}

func (l *listingIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	return l.Memory.View(ctx, func(r index.Reader) error {
		listing := &listingReader{Reader: r}
		err := fn(listing)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.most = max(l.most, listing.buckets)
		return err
	})
}

type listingReader struct {
	index.Reader
	buckets int
}

func (l *listingReader) Scan(start, end []byte) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		for item, err := range l.Reader.Scan(start, end) {
			if _, no := index.ParseBucketKey(item.Key); err == nil && no == nil {
				l.buckets++
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// TestRotateKeysManyBuckets has more buckets than RotateKeys takes the names of into memory. Each is
// rotated, those with a damaged record, too.
func TestRotateKeysManyBuckets(t *testing.T) {
	const n, page = 600, 256
	ring, idx := keys(t), &listingIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	name := func(i int) string { return fmt.Sprintf("bucket-%05d", i) }
	for i := range n {
		mustBucket(t, e, name(i))
		mustPut(t, e, engine.PutObjectRequest{Bucket: name(i), Key: "key", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	}
	mustRotate(t, ring)
	if got := mustRotateKeys(t, e); got != n {
		t.Errorf("%d were wrapped, wanted are %d", got, n)
	}
	idx.mu.Lock()
	most := idx.most
	idx.mu.Unlock()
	if most > page+1 {
		t.Errorf("%d buckets were listed at a time", most)
	}
	for _, i := range []int{page - 1, page, n - 1} {
		damageRecord(t, idx, index.BucketKey(name(i)))
	}
	mustRotate(t, ring)
	_, err = e.RotateKeys(t.Context(), nil)
	if corrupt := (*engine.CorruptionError)(nil); !errors.As(err, &corrupt) {
		t.Errorf("RotateKeys: %v, want a *CorruptionError", err)
	}
	current := ring.KeyIDs()[2]
	err = idx.View(t.Context(), func(r index.Reader) error {
		for entry, err := range index.Scan(r, index.AllObjects()) {
			if err != nil || entry.Record.Encryption.Wrapper != current {
				t.Errorf("object %q is under key %s, want %s; %v", entry.Key, entry.Record.Encryption.Wrapper, current, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
