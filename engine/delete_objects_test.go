package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// mustDeleteAll deletes objects and returns the answer.
func mustDeleteAll(t *testing.T, e *engine.Engine, req *engine.DeleteObjectsRequest) *engine.DeleteObjectsResult {
	t.Helper()
	res, err := e.DeleteObjects(context.Background(), req)
	if err != nil {
		t.Fatalf("DeleteObjects: %v", err)
	}
	return res
}

// checkDeleteErrors wants these keys, in this order, to have failed with the error.
func checkDeleteErrors(t *testing.T, got []engine.DeleteError, want error, keys ...string) {
	t.Helper()
	var failed []string
	for _, f := range got {
		failed = append(failed, f.Key)
		if !errors.Is(f.Err, want) || f.Err.Op != "DeleteObjects" || f.Err.Bucket != "bucket" || f.Err.Key != f.Key {
			t.Errorf("%.20q: %v, want %v", f.Key, f.Err, want)
		}
	}
	if !slices.Equal(failed, keys) {
		t.Errorf("%.20q failed, want %.20q", failed, keys)
	}
}

// TestDeleteObjects deletes as many as there may be at once, with names among them that are twice
// there, not there, or no names.
func TestDeleteObjects(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		t.Run(fmt.Sprintf("quiet %t", quiet), func(t *testing.T) {
			e := openTemp(t, &engine.Options{ChunkSize: 4 << 10})
			shared := random(1, 10_000)
			mustObject(t, e, "bucket", "stays", "", shared)
			mustObject(t, e, "other-bucket", "0", "", shared)
			before := tallyOf(t, e)

			bad := []string{"", "/key", `\key`, "\xff", strings.Repeat("k", 1024)}
			var req, fine, failed []string
			for i := range 250 {
				key := fmt.Sprint(i)
				if i%25 == 0 {
					mustObject(t, e, "bucket", key, "", slices.Concat(shared, random(uint64(i), i)))
				} else {
					mustObject(t, e, "bucket", key, "")
				}
				fine = append(fine, key, "absent "+key, key)
				failed = append(failed, bad[i%len(bad)])
				req = append(req, key, "absent "+key, failed[i], key)
			}
			open := mustGet(t, e, "bucket", "0", "")
			res := mustDeleteAll(t, e, &engine.DeleteObjectsRequest{Bucket: "bucket", Keys: req, Quiet: quiet})
			checkDeleteErrors(t, res.Errors, engine.ErrInvalidObjectName, failed...)
			if quiet {
				fine = nil
			}
			if !slices.Equal(res.Deleted, fine) {
				t.Errorf("%q are deleted, want %q", res.Deleted, fine)
			}
			if !eventually(func() bool { return stats(t, e).Parts == before.Parts+1 }) {
				t.Errorf("%d parts are left, want those of before and the one being read", stats(t, e).Parts)
			}
			if got, err := io.ReadAll(open); err != nil || !bytes.Equal(got, shared) {
				t.Errorf("an object that was open reads %d bytes, %v", len(got), err)
			}
			open.Close()
			if after := tallyOf(t, e); after != before {
				t.Errorf("the store holds %+v, held %+v before the objects came", after, before)
			}
			for bucket, key := range map[string]string{"bucket": "stays", "other-bucket": "0"} {
				if !bytes.Equal(readAll(t, e, bucket, key), shared) {
					t.Errorf("%s/%s reads differently", bucket, key)
				}
			}
		})
	}
}

// TestDeleteObjectsRefused asks for what is not done: then nothing is.
func TestDeleteObjectsRefused(t *testing.T) {
	e := openTemp(t, nil)
	mustObject(t, e, "bucket", "key", "", []byte("content"))
	for _, row := range []struct {
		bucket string
		keys   []string
		want   error
		ec     string
	}{
		{"bucket", nil, engine.ErrMalformedXML, "0016-00000608"},
		{"bucket", slices.Repeat([]string{"key"}, 1001), engine.ErrMalformedXML, "0016-00000608"},
		{"absent", []string{"key"}, engine.ErrNoSuchBucket, "0015-00000101"},
		{"absent", []string{""}, engine.ErrNoSuchBucket, "0015-00000101"},
		{"UPPER", []string{"key"}, engine.ErrInvalidBucketName, ""},
	} {
		res, err := e.DeleteObjects(context.Background(), &engine.DeleteObjectsRequest{Bucket: row.bucket, Keys: row.keys})
		if got := asError(t, err); res != nil || !errors.Is(err, row.want) || got.EC != row.ec || got.Op != "DeleteObjects" || got.Bucket != row.bucket {
			t.Errorf("%d keys of %s: %v, %v, want %v", len(row.keys), row.bucket, res, err, row.want)
		}
	}
	if got := readAll(t, e, "bucket", "key"); string(got) != "content" {
		t.Errorf("the object holds %q", got)
	}
}

// TestDeleteObjectsDamaged damages records. One that is an object's is left alone, and the object
// is whole when the record is; one that all objects need fails the call, and nothing has happened.
func TestDeleteObjectsDamaged(t *testing.T) {
	e, idx := memoryStore(t, nil)
	ctx := context.Background()
	keys := []string{"a", "b", "c"}
	damage := func(key []byte, by func(value []byte)) (restore func()) {
		var value []byte
		put(t, idx, func(tx index.Tx) (err error) {
			if value, err = tx.Get(key); err != nil {
				return err
			}
			damaged := bytes.Clone(value)
			by(damaged)
			return tx.Put(key, damaged)
		})
		return func() { put(t, idx, func(tx index.Tx) error { return tx.Put(key, value) }) }
	}
	flip := func(value []byte) { value[len(value)-1] ^= 1 }
	newer := func(value []byte) { value[0]++ }
	for _, by := range []func([]byte){flip, newer} {
		for _, key := range keys {
			mustObject(t, e, "bucket", key, "", []byte(key))
		}
		restore := damage(index.ObjectKey("bucket", "b"), by)
		res := mustDeleteAll(t, e, &engine.DeleteObjectsRequest{Bucket: "bucket", Keys: keys})
		checkDeleteErrors(t, res.Errors, engine.ErrInternal, "b")
		if !slices.Equal(res.Deleted, []string{"a", "c"}) {
			t.Errorf("%q are deleted, want a and c", res.Deleted)
		}
		restore()
		mustReclaim(t, e)
		checkStore(t, e)
		if got := readAll(t, e, "bucket", "b"); string(got) != "b" {
			t.Errorf("b holds %q after its record was restored", got)
		}
	}
	for _, key := range keys {
		mustObject(t, e, "bucket", key, "", []byte(key))
	}
	restore := damage(index.TotalsKey(), flip)
	_, err := e.DeleteObjects(ctx, &engine.DeleteObjectsRequest{Bucket: "bucket", Keys: keys})
	var corrupt *engine.CorruptionError
	if !errors.As(err, &corrupt) {
		t.Errorf("DeleteObjects with damaged totals: %v, want a CorruptionError", err)
	}
	restore()
	mustReclaim(t, e)
	checkStore(t, e)
	for _, key := range keys {
		if got := readAll(t, e, "bucket", key); string(got) != key {
			t.Errorf("%s holds %q after the totals were restored", key, got)
		}
	}
}

// A watchedIndex knows the largest of its updates, in records written, and calls fifth behind the
// fifth.
type watchedIndex struct {
	*index.Memory

	mu      sync.Mutex // guards the fields below: the worker updates, too
	fifth   func()
	updates int
	largest int
}

func (s *watchedIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	w := watchedTx{written: map[string]bool{}}
	err := s.Memory.Update(ctx, func(tx index.Tx) error {
		w.Tx = tx
		return fn(&w)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.largest = max(s.largest, len(w.written))
	if s.updates++; s.updates == 5 && s.fifth != nil {
		s.fifth()
	}
	return err
}

// watch begins to count at nothing, and returns the largest update so far.
func (s *watchedIndex) watch(fifth func()) (largest int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	largest, s.largest, s.updates, s.fifth = s.largest, 0, 0, fifth
	return largest
}

type watchedTx struct {
	index.Tx
	written map[string]bool
}

func (tx *watchedTx) Put(key, value []byte) error {
	tx.written[string(key)] = true
	return tx.Tx.Put(key, value)
}

func (tx *watchedTx) Delete(key []byte) error {
	tx.written[string(key)] = true
	return tx.Tx.Delete(key)
}

// TestDeleteObjectsInSteps deletes the longest list there is, of the longest keys, and stops it
// halfway. To repeat it deletes the rest.
func TestDeleteObjectsInSteps(t *testing.T) {
	idx := &watchedIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkStore(t, e)
		e.Close()
	})
	var keys []string
	for i := range engine.MaxDeleteKeys {
		keys = append(keys, fmt.Sprintf("%0*d", engine.OSS.MaxKeyLength(), i))
		mustObject(t, e, "bucket", keys[i], "")
	}
	ctx, cancel := context.WithCancel(context.Background())
	idx.watch(cancel)
	_, err = e.DeleteObjects(ctx, &engine.DeleteObjectsRequest{Bucket: "bucket", Keys: keys})
	if !errors.Is(err, engine.ErrRequestTimeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("DeleteObjects whose context ends: %v", err)
	}
	if left := stats(t, e).Objects; left == 0 || left == engine.MaxDeleteKeys {
		t.Errorf("%d objects are left of %d", left, engine.MaxDeleteKeys)
	}
	res := mustDeleteAll(t, e, &engine.DeleteObjectsRequest{Bucket: "bucket", Keys: keys})
	if !slices.Equal(res.Deleted, keys) || len(res.Errors) != 0 || stats(t, e).Objects != 0 {
		t.Errorf("%d are deleted, %v", len(res.Deleted), res.Errors)
	}
	// So that others do not wait long, and nothing comes near the limits of the index.
	if largest := idx.watch(nil); largest > 500 {
		t.Errorf("one transaction has written %d records", largest)
	}
}
