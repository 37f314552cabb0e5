package engine_test

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// stalledChunk is the size of the chunks of those who are stalled.
const stalledChunk = 64 << 10

// countedEngine has room for so many chunks that are read ahead, and one object of so many chunks.
func countedEngine(t *testing.T, budget, chunks int) (*engine.Engine, *countedBlobs, []byte) {
	t.Helper()
	blobs := &countedBlobs{Store: blob.NewMemory(1 << 30)}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{
		ChunkSize: stalledChunk, MemoryBudget: int64(budget * stalledChunk),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	whole := random(seed(t), chunks*stalledChunk)
	mustObject(t, e, "bucket", "key", "", whole)
	return e, blobs, whole
}

// A stalledWriter takes the first bytes, and goes on when it may.
type stalledWriter struct {
	bytes.Buffer
	stalls sync.Once
	is     *sync.WaitGroup // done when it stalls
	mayGo  chan struct{}
	err    error // it fails with
}

func (w *stalledWriter) Write(p []byte) (int, error) {
	w.stalls.Do(w.is.Done)
	<-w.mayGo
	if w.err != nil {
		return 0, w.err
	}
	return w.Buffer.Write(p)
}

// stall has so many readers stalled. goOn has them go on, or fail with an error, and returns when they
// have ended; of those who do not fail it checks what they have read.
func stall(t *testing.T, e *engine.Engine, readers int, whole []byte) (goOn func(error)) {
	t.Helper()
	var stalled, ended sync.WaitGroup
	writers := make([]*stalledWriter, readers)
	for i := range writers {
		w := &stalledWriter{is: &stalled, mayGo: make(chan struct{})}
		writers[i] = w
		obj := mustGet(t, e, "bucket", "key", "")
		stalled.Add(1)
		ended.Go(func() {
			_, err := obj.WriteTo(w)
			if obj.Close() != nil || !errors.Is(err, w.err) || w.err == nil && !bytes.Equal(w.Bytes(), whole) {
				t.Errorf("reader %d: %d bytes, %v, or not those that were stored", i, w.Len(), err)
			}
		})
	}
	stalled.Wait()
	return func(err error) {
		for _, w := range writers {
			w.err = err
			close(w.mayGo)
		}
		ended.Wait()
	}
}

// TestStalledReadersHoldLittle has many clients read a large object and take nothing of it: beside what
// each is given, all together have no more chunks read ahead than there is room for. Few are given up
// for that.
func TestStalledReadersHoldLittle(t *testing.T) {
	const readers, budget = 100, 8
	e, blobs, whole := countedEngine(t, budget, 4)
	fail := stall(t, e, readers, whole)
	engine.AwaitAhead(e)
	if held := engine.HeldAhead(e); held > budget*stalledChunk {
		t.Errorf("%d bytes are read ahead, there is room for %d", held, budget*stalledChunk)
	}
	fail(errFull)
	if got := blobs.gets.Load(); got > readers+budget+readers/8 {
		t.Errorf("%d readers, who have got one chunk each, had %d read", readers, got)
	}
	if held := engine.HeldAhead(e); held != 0 {
		t.Errorf("%d bytes are counted when all are closed", held)
	}
}

// TestStalledReadersGiveWay has one read while others are stalled who have all the room: it takes
// theirs. They read again what they have lost.
func TestStalledReadersGiveWay(t *testing.T) {
	const readers, budget, chunks = 20, 8, 400
	e, blobs, whole := countedEngine(t, budget, chunks)
	goOn := stall(t, e, readers, whole)
	engine.AwaitAhead(e)
	obj := mustGet(t, e, "bucket", "key", "")
	before := blobs.gets.Load()
	got := make([]byte, len(whole)/2)
	if _, err := io.ReadFull(obj, got); err != nil || !bytes.Equal(got, whole[:len(got)]) {
		t.Fatalf("%v, or not what was stored", err)
	}
	engine.AwaitAhead(e)
	if ahead := blobs.gets.Load() - before - chunks/2; ahead < 1 {
		t.Errorf("who has read %d chunks has %d more read ahead", chunks/2, ahead)
	}
	if held := engine.HeldAhead(e); held > budget*stalledChunk {
		t.Errorf("%d bytes are read ahead, there is room for %d", held, budget*stalledChunk)
	}
	goOn(nil)
}

// TestReaderHoldsOneChunk looks at the memory of readers whose chunks were decoded from other memory.
func TestReaderHoldsOneChunk(t *testing.T) {
	for _, sse := range []engine.EncryptionAlgorithm{"", engine.EncryptionAES256} {
		e := openTemp(t, &engine.Options{Keys: keys(t), ChunkSize: stalledChunk})
		giveBack := engine.TakeProcessors(e)
		defer giveBack()
		for name, body := range map[string][]byte{
			"noise": random(seed(t), 3*stalledChunk), "text": bytes.Repeat(random(1, 32<<10), 6),
		} {
			mustObject(t, e, "bucket", name, string(sse), body)
			obj := mustGet(t, e, "bucket", name, "")
			for at := range len(body) / stalledChunk {
				if _, err := io.ReadFull(obj, make([]byte, stalledChunk/2)); err != nil {
					t.Fatal(err)
				}
				if held := obj.Held(); held > stalledChunk+stalledChunk/4 {
					t.Errorf("%s %s: %d bytes are held for chunk %d", name, sse, held, at)
				}
				if _, err := obj.Seek(stalledChunk/2, io.SeekCurrent); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
