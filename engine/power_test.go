package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

var errPower = errors.New("the power is off")

// power counts the operations on a pair of stores and goes off at one of them.
type power struct {
	mu       sync.Mutex
	count    int
	cutAt    int
	once     bool // only the operation cutAt fails; the power stays
	off      bool
	restored bool // it was off; what had not been synced is gone
}

// use is called before each operation that changes something. The one that the power fails in is
// not done.
func (p *power) use() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if p.count == p.cutAt {
		if p.once {
			return errPower
		}
		p.off = true
	}
	return p.stateLocked()
}

func (p *power) stateLocked() error {
	if p.off {
		return errPower
	}
	return nil
}

// cut switches it off.
func (p *power) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
}

// restore switches it on again, for good.
func (p *power) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off, p.restored, p.cutAt = false, true, 0
}

// disarm lets it stay as it is.
func (p *power) disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count < p.cutAt {
		p.cutAt = 0
	}
}

// reached reports whether the operation that was to fail has come.
func (p *power) reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restored || p.off || p.cutAt > 0 && p.count >= p.cutAt
}

// used counts the operations so far.
func (p *power) used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *power) wasOff() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restored
}

func (p *power) state() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stateLocked()
}

// volatileBlobs is a chunk store whose unsynced frames do not survive a power cut.
type volatileBlobs struct {
	*blob.Memory
	power *power

	mu    sync.Mutex
	dirty map[uint64][]blob.Ref // by volume
}

func (s *volatileBlobs) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	if err := s.power.use(); err != nil {
		return blob.Ref{}, err
	}
	ref, err := s.Memory.Put(ctx, id, frame)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty[ref.Volume] = append(s.dirty[ref.Volume], ref)
	return ref, err
}

func (s *volatileBlobs) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	if err := s.power.state(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	dirty := slices.Contains(s.dirty[ref.Volume], ref)
	s.mu.Unlock()
	if dirty && s.power.wasOff() {
		return nil, &blob.CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "lost with the power"}
	}
	return s.Memory.Get(ctx, ref, buf)
}

func (s *volatileBlobs) Sync(ctx context.Context, volumes ...uint64) error {
	if err := s.power.use(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range volumes {
		delete(s.dirty, v)
	}
	return s.Memory.Sync(ctx, volumes...)
}

func (s *volatileBlobs) Close() error { return nil } // it outlives the engine

// durableIndex is an index whose updates are done, whole, or not when the power fails.
type durableIndex struct {
	*index.Memory
	power *power
}

func (s *volatileBlobs) Seal(ctx context.Context, volume uint64) error {
	if err := s.power.use(); err != nil {
		return err
	}
	return s.Memory.Seal(ctx, volume)
}

func (s *volatileBlobs) Remove(ctx context.Context, volume uint64) error {
	if err := s.power.use(); err != nil {
		return err
	}
	return s.Memory.Remove(ctx, volume)
}

func (s *volatileBlobs) Trim(ctx context.Context, volume uint64, live []blob.Ref) (int64, error) {
	if err := s.power.use(); err != nil {
		return 0, err
	}
	return s.Memory.Trim(ctx, volume, live)
}

func (s *durableIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	if err := s.power.use(); err != nil {
		return err
	}
	return s.Memory.Update(ctx, fn)
}

func (s *durableIndex) View(ctx context.Context, fn func(index.Reader) error) error {
	if err := s.power.state(); err != nil {
		return err
	}
	return s.Memory.View(ctx, fn)
}

func (s *durableIndex) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return index.GetByView(ctx, s.View, keys)
}

func (s *durableIndex) Close() error { return nil }

// fragileStores are a pair of stores with one power.
type fragileStores struct {
	power *power
	blobs *volatileBlobs
	index *durableIndex
}

// newFragileStores returns a pair of which a store was made: the first operation that counts is one
// of the test's.
func newFragileStores(volumeSize int64, o *engine.Options) *fragileStores {
	p := &power{}
	s := &fragileStores{
		power: p,
		blobs: &volatileBlobs{Memory: blob.NewMemory(volumeSize), power: p, dirty: map[uint64][]blob.Ref{}},
		index: &durableIndex{Memory: index.NewMemory(), power: p},
	}
	e, err := engine.OpenStores(context.Background(), s.index, s.blobs, o)
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		panic(err) // the power is on
	}
	p.count = 0
	return s
}

// open opens an engine on the stores; the test's cleanup checks and closes it, if it is still open.
func (s *fragileStores) open(t *testing.T, o *engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.OpenStores(t.Context(), s.index, s.blobs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkStore(t, e)
		if err := e.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return e
}

// TestPowerLoss cuts the power at the first, second, third ... operation on the stores, until the
// run gets through. After each cut what was acknowledged must be there and read back, and what was
// not must be absent or whole: a part that is listed can be read.
func TestPowerLoss(t *testing.T) {
	for cutAt := 1; ; cutAt++ {
		r := &powerRun{fragileStores: newFragileStores(1<<20, nil), parts: map[int][2][]byte{}}
		r.power.cutAt = cutAt
		through := r.upload(t)
		r.power.restore()
		r.check(t)
		if t.Failed() {
			t.Fatalf("the power was cut at operation %d", cutAt)
		}
		if through {
			if cutAt < 20 {
				t.Errorf("the run took only %d operations: the test has lost its grip", cutAt)
			}
			return
		}
	}
}

// A powerRun is one life of a pair of stores.
type powerRun struct {
	*fragileStores

	uploadID  string
	parts     map[int][2][]byte // acknowledged, and tried since
	completed bool              // acknowledged
}

const powerBucket, powerKey = "power", "object"

var powerOptions = engine.Options{ChunkSize: 16 << 10, MemoryBudget: 64 << 10}

// upload does one of everything and says whether the power lasted.
func (r *powerRun) upload(t *testing.T) bool {
	e := r.open(t, &powerOptions)
	defer e.Close()
	ctx := context.Background()
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: powerBucket}); err != nil {
		return r.failed(t, err)
	}
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: powerBucket, Key: powerKey})
	if err != nil {
		return r.failed(t, err)
	}
	r.uploadID = up.UploadID
	// Part 3 repeats chunks of part 1, part 2 is replaced.
	for i, part := range []struct {
		number int
		body   []byte
	}{
		{1, random(1, 110_000)}, {2, random(2, 110_000)}, {2, random(3, 120_000)}, {3, random(1, 110_000)},
	} {
		p := r.parts[part.number]
		p[1] = part.body
		r.parts[part.number] = p
		_, err := e.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: powerBucket, Key: powerKey, UploadID: r.uploadID, PartNumber: part.number, Body: bytes.NewReader(part.body),
		})
		if err != nil {
			return r.failed(t, fmt.Errorf("part %d: %w", i, err))
		}
		r.parts[part.number] = [2][]byte{part.body, nil}
	}
	_, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: powerBucket, Key: powerKey, UploadID: r.uploadID, All: true,
	})
	if err != nil {
		return r.failed(t, err)
	}
	r.completed = true
	return true
}

func (r *powerRun) failed(t *testing.T, err error) bool {
	t.Helper()
	if !errors.Is(err, errPower) {
		t.Errorf("the power failed, the error is another: %v", err)
	}
	return false
}

// check opens the stores again and compares.
func (r *powerRun) check(t *testing.T) {
	t.Helper()
	e := r.open(t, &powerOptions)
	defer e.Close()
	ctx := context.Background()
	if r.uploadID == "" {
		return
	}
	list, err := e.ListParts(ctx, &engine.ListPartsRequest{Bucket: powerBucket, Key: powerKey, UploadID: r.uploadID})
	if err == nil {
		if r.completed {
			t.Error("the upload is open, but Complete was acknowledged")
		}
		r.checkListed(t, list.Parts)
		if len(list.Parts) > 0 {
			mustComplete(t, e, powerBucket, powerKey, r.uploadID)
		} else {
			return
		}
	}
	var want [][]byte
	for n := 1; n <= 3; n++ {
		if p := r.parts[n]; p[0] != nil {
			want = append(want, p[0])
		}
	}
	obj := mustGet(t, e, powerBucket, powerKey, "")
	defer obj.Close()
	got, err := io.ReadAll(obj)
	if err != nil || !bytes.Equal(got, bytes.Join(want, nil)) {
		t.Errorf("the object reads back wrong: %d bytes, %v", len(got), err)
	}
}

// checkListed compares the parts and settles which of the bodies that may be there are.
func (r *powerRun) checkListed(t *testing.T, listed []engine.Part) {
	t.Helper()
	etags := map[int]string{}
	for _, p := range listed {
		etags[p.PartNumber] = p.ETag
	}
	for n, p := range r.parts {
		switch etag := etags[n]; {
		case p[0] != nil && etag == md5ETag(p[0]):
		case p[1] != nil && etag == md5ETag(p[1]):
			r.parts[n] = [2][]byte{p[1], nil}
		case p[0] == nil && etag == "":
			delete(r.parts, n)
		default:
			t.Errorf("part %d is listed with ETag %q, acknowledged: %t", n, etag, p[0] != nil)
		}
	}
}
