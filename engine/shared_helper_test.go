package engine_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// Of the nodes of tests, the one in the time of their bubble.
const (
	lease    = time.Second
	minChunk = 4 << 10
)

// inFleet runs a test in a bubble of its own, with two stores for several nodes. Those that the
// test has not closed are closed at its end. They must leave nothing behind, and a sound store.
func inFleet(t *testing.T, test func(f *fleet)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{
			T: t, index: index.NewMemory(), blobs: blob.NewMemory(1 << 20), keys: keys(t),
		}
		defer f.end()
		test(f)
	})
}

// end closes all nodes, and looks at what they have left.
func (f *fleet) end() {
	for _, n := range f.nodes {
		n.close()
	}
	// An engine that wants the stores for itself is refused if any node has left its lease.
	e, err := engine.OpenStores(f.Context(), f.index, f.blobs, &engine.Options{Keys: f.keys})
	if err != nil {
		f.Error(err, f.index.Close())
		return
	}
	checkData(f, e)
	if err := e.Close(); err != nil {
		f.Error(err)
	}
}

// A fleet is what several nodes share.
type fleet struct {
	*testing.T
	index *index.Memory
	blobs *blob.Memory
	keys  *crypto.Keyring

	mu    sync.Mutex // guards nodes while several are being opened
	nodes []*node    // that were opened
}

// A node is an engine of a fleet.
type node struct {
	*testing.T
	*engine.Engine
	name  string
	index *stoppableIndex
	blobs *hookedStore
	parts []*partUnderWay

	mu     sync.Mutex // guards alarms
	alarms []error
}

// open opens a node with chunks of minChunk.
func (f *fleet) open(name string) *node {
	f.Helper()
	n, err := f.tryOpen(name, &engine.Options{ChunkSize: minChunk})
	if err != nil {
		f.Fatalf("node %s: OpenStores: %v", name, err)
	}
	return n
}

func (f *fleet) tryOpen(name string, o *engine.Options) (*node, error) {
	n := &node{
		T: f.T, name: name, index: &stoppableIndex{Store: lastingIndex{f.index}},
		blobs: &hookedStore{lastingBlobs: lastingBlobs{f.blobs}},
	}
	o.Node, o.Lease, o.Keys = name, lease, f.keys
	o.Events = &engine.Events{Alarm: func(err error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.alarms = append(n.alarms, err)
	}}
	var err error
	n.Engine, err = engine.OpenStores(f.Context(), n.index, n.blobs, o)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.nodes = append(f.nodes, n)
	}
	return n, err
}

// close closes a node, unless that was done. What it was told must be no more than that its lease
// is lost.
func (n *node) close() {
	n.Helper()
	n.index.goOn()
	for _, p := range n.parts { // those that a test that has failed has not ended
		p.body.Close()
	}
	synctest.Wait()
	checkLeftovers(n, n.Engine)
	if err := n.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
		n.Errorf("node %s: Close: %v", n.name, err)
	}
	if held := n.Held(); held != 0 {
		n.Errorf("node %s: %d contents are still in use", n.name, held)
	}
	for _, err := range n.alarms {
		if !errors.Is(err, engine.ErrLeaseLost) {
			n.Errorf("node %s: alarm: %v", n.name, err)
		}
	}
}

// A stoppableIndex is an index of which a node can be cut off: as if its process were stopped, its
// transactions wait, those of its renewals, too.
type stoppableIndex struct {
	index.Store

	mu      sync.Mutex // guards stopped
	stopped chan struct{}
}

// hookedStore is a node's chunk store. It calls a function, if there is one, after each Sync, may
// have no space left, and may find that another node has just removed what it is to remove.
type hookedStore struct {
	lastingBlobs
	synced atomic.Pointer[func(volumes []uint64)]
	full   atomic.Bool
	late   atomic.Bool
	listed atomic.Int64 // how often volumes were
}

func (s *hookedStore) Volumes(ctx context.Context) ([]blob.VolumeInfo, error) {
	s.listed.Add(1)
	return s.lastingBlobs.Volumes(ctx)
}

func (s *hookedStore) Remove(ctx context.Context, volume uint64) error {
	if s.late.Load() {
		if err := s.lastingBlobs.Remove(ctx, volume); err != nil {
			return err
		}
	}
	return s.lastingBlobs.Remove(ctx, volume)
}

func (s *hookedStore) Free() (int64, error) {
	if s.full.Load() {
		return 0, nil
	}
	return s.lastingBlobs.Free()
}

func (s *hookedStore) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	if s.full.Load() {
		return blob.Ref{}, blob.ErrNoSpace
	}
	return s.lastingBlobs.Put(ctx, id, frame)
}

func (s *hookedStore) Sync(ctx context.Context, volumes ...uint64) error {
	err := s.lastingBlobs.Sync(ctx, volumes...)
	if synced := s.synced.Load(); synced != nil {
		(*synced)(volumes)
	}
	return err
}

func (s *stoppableIndex) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = make(chan struct{})
}

func (s *stoppableIndex) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped != nil
}

func (s *stoppableIndex) goOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil {
		close(s.stopped)
	}
	s.stopped = nil
}

func (s *stoppableIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
	return s.Store.Update(ctx, fn)
}

// forget takes out of what Events.Alarm was called with what a test expects.
func (n *node) forget(expected error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alarms = slices.DeleteFunc(n.alarms, func(err error) bool { return errors.Is(err, expected) })
}

// told is what Events.Alarm was called with.
func (n *node) told() []error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.alarms)
}

// A partUnderWay is an UploadPart whose body comes bit by bit.
type partUnderWay struct {
	body *io.PipeWriter
	done chan error
}

// part begins to upload part 1 of an upload.
func (n *node) part(key, id string) *partUnderWay {
	r, w := io.Pipe()
	p := &partUnderWay{w, make(chan error, 1)}
	n.parts = append(n.parts, p)
	go func() {
		_, err := n.UploadPart(context.Background(), &engine.UploadPartRequest{
			Bucket: "bucket", Key: key, UploadID: id, PartNumber: 1, Body: r,
		})
		p.done <- err
	}()
	return p
}

// send sends some of the body, and returns when the node has done with it what it can.
func (p *partUnderWay) send(data []byte) {
	_, _ = p.body.Write(data)
	synctest.Wait()
}

func (p *partUnderWay) end() error {
	p.body.Close()
	return <-p.done
}

// fail ends the body with an error.
func (p *partUnderWay) fail() error {
	p.body.CloseWithError(errors.New("the client is gone"))
	return <-p.done
}

// mustGetPut stores an object and opens it.
func mustGetPut(t testing.TB, e *engine.Engine, bucket, key string, body []byte) *engine.Object {
	t.Helper()
	mustObject(t, e, bucket, key, "", body)
	return mustGet(t, e, bucket, key, "")
}

// has says whether a volume is there.
func (f *fleet) has(volume uint64) bool {
	f.Helper()
	volumes, err := f.blobs.Volumes(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return slices.ContainsFunc(volumes, func(v blob.VolumeInfo) bool { return v.ID == volume })
}

func (f *fleet) condemned(volume uint64) bool {
	f.Helper()
	err := f.index.View(f.Context(), func(r index.Reader) error {
		_, err := index.Get(r, index.CondemnedKey(volume))
		return err
	})
	if err != nil && !errors.Is(err, index.ErrNotFound) {
		f.Fatal(err)
	}
	return err == nil
}

// waitFor waits until the background has done something.
func (f *fleet) waitFor(what string, cond func() bool) {
	f.Helper()
	for range 100 {
		if cond() {
			return
		}
		time.Sleep(lease / 8)
	}
	f.Fatalf("it does not come about that %s", what)
}

// waitSwept waits until the background has swept the trash.
func (f *fleet) waitSwept(n *node) {
	f.Helper()
	f.waitFor("the trash is swept", func() bool { return stats(f, n.Engine).TrashParts == 0 })
}

// checkEmpty reclaims, and looks whether all of the space has come back: but for buckets nothing is
// in the stores.
func (f *fleet) checkEmpty(n *node) {
	f.Helper()
	if got := tallyOf(f, n.Engine); got != (tally{}) {
		f.Errorf("the store holds %+v", got)
	}
	if s := stats(f, n.Engine); len(s.Volumes) != 0 || s.TrashBytes != 0 {
		f.Errorf("the store has %d volumes, and %d bytes in the trash", len(s.Volumes), s.TrashBytes)
	}
	err := f.index.View(f.Context(), func(r index.Reader) error {
		for range index.Scan(r, index.AllCondemned()) {
			f.Error("a condemned volume is not forgotten")
		}
		for range index.Scan(r, index.AllWaiting()) {
			f.Error("something provisional is left")
		}
		return nil
	})
	if err != nil {
		f.Error(err)
	}
}
