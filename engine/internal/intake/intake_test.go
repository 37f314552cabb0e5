package intake_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/frame"
	"github.com/gabion-storage/gabion/engine/internal/intake"
)

const (
	chunkSize  = 4 << 10
	pageChunks = 3
)

// A world is an intake and what it works with.
type world struct {
	*intake.Intake
	blobs *syncs
	pins  *intake.Pins
	index map[blob.ID]blob.Ref // what Find knows
	room  error
	pages [][]blob.Ref // that were full
	whole []byte       // their plaintext
}

// syncs remembers what was synced, and can have it fail.
type syncs struct {
	*blob.Memory
	volumes []uint64
	failure error
}

func (s *syncs) Sync(ctx context.Context, volumes ...uint64) error {
	s.volumes = append(s.volumes, volumes...)
	if s.failure != nil {
		return s.failure
	}
	return s.Memory.Sync(ctx, volumes...)
}

// newWorld makes an intake whose leftovers are counted when the test ends.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		blobs: &syncs{Memory: blob.NewMemory(0)},
		pins:  intake.NewPins(func(blob.Ref) bool { return false }),
		index: map[blob.ID]blob.Ref{},
	}
	w.Intake = intake.New(intake.Config{
		Blobs: w.blobs, Pins: w.pins,
		Find: func(_ context.Context, id blob.ID) (blob.Ref, bool, error) {
			ref, ok := w.index[id]
			return ref, ok, nil
		},
		Stored: func(blob.Ref) {}, Room: func() error { return w.room },
		Pace:      func(ctx context.Context, _ int) error { return ctx.Err() },
		ChunkSize: chunkSize, Budget: 8 * chunkSize, PageChunks: pageChunks, Processors: 2,
	})
	t.Cleanup(func() {
		// Who read for a call that has failed gives back what it has when it notices.
		for range 1000 {
			if w.Out() == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if pins, out := w.pins.Count(), w.Out(); pins != 0 || out != 0 {
			t.Errorf("%d chunks are pinned, %d buffers and blocks are out", pins, out)
		}
		if err := w.blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// full takes in a page, which must be readable, and pinned as long.
func (w *world) full(t *testing.T) func(context.Context, []*intake.Chunk) error {
	return func(ctx context.Context, chunks []*intake.Chunk) error {
		if len(chunks) != pageChunks || w.pins.Count() == 0 {
			t.Errorf("a full page has %d chunks, %d are pinned", len(chunks), w.pins.Count())
		}
		w.read(t, chunks)
		return w.Sync(ctx, chunks)
	}
}

// read reads chunks from where they are said to be.
func (w *world) read(t *testing.T, chunks []*intake.Chunk) {
	t.Helper()
	var refs []blob.Ref
	for _, ch := range chunks {
		stored, err := w.blobs.Get(t.Context(), ch.Ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		var room []byte
		want := frame.Chunk{Address: ch.ID, Size: ch.Size, CRC64: ch.CRC64}
		plain, err := frame.Decode(stored, want, frame.Keys{}, &room)
		if err != nil {
			t.Fatal(err)
		}
		if crypto.CRC64(0, plain) != ch.CRC64 {
			t.Error("a chunk has another CRC-64 than it says")
		}
		if err := frame.VerifyAddress(plain, ch.ID, frame.Keys{}); err != nil {
			t.Error(err)
		}
		w.whole = append(w.whole, plain...)
		refs = append(refs, ch.Ref)
	}
	w.pages = append(w.pages, refs)
}

func noise(n int) []byte {
	rng, b := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestTake takes in bodies whose ends lie around those of chunks and pages, from readers that wait
// for nobody and from others.
func TestTake(t *testing.T) {
	const page = pageChunks * chunkSize
	for _, n := range []int{
		0, 1, chunkSize - 1, chunkSize, chunkSize + 1, page - 1, page, page + 1, 3 * page,
	} {
		content := noise(n)
		for name, reader := range map[string]io.Reader{
			"in memory": bytes.NewReader(content), "a reader": onlyReader{bytes.NewReader(content)},
			"one byte at a time": iotest.OneByteReader(bytes.NewReader(content)),
			"EOF with data":      iotest.DataErrReader(bytes.NewReader(content)),
		} {
			t.Run(name, func(t *testing.T) {
				w, told := newWorld(t), int64(0)
				b := intake.FromReader(reader, int64(n), 1<<30)
				digest := md5.New()
				b.AddDigest(digest)
				b.AddDigest(nil)
				b.Progress = func(done int64) { told = done }
				taken, err := w.Take(t.Context(), b, w.full(t))
				if err != nil {
					t.Fatal(err)
				}
				if len(w.pages) != max(0, (n-1)/page) {
					t.Errorf("%d pages of a body of %d bytes were full", len(w.pages), n)
				}
				w.read(t, taken.Page)
				if !bytes.Equal(w.whole, content) {
					t.Errorf("%d bytes are stored, others than those of the body", len(w.whole))
				}
				chunks := (n + chunkSize - 1) / chunkSize
				sum := md5.Sum(content)
				if taken.MD5 != sum || taken.CRC64 != crypto.CRC64(0, content) ||
					taken.Size != int64(n) || taken.Chunks != chunks || told != int64(n) ||
					!bytes.Equal(digest.Sum(nil), sum[:]) {
					t.Errorf("of %d bytes: %+v, told were %d", n, taken, told)
				}
				w.Release(taken)
			})
		}
	}
}

// An onlyReader hides that it lies in memory.
type onlyReader struct{ io.Reader }

// TestFound takes in what Find knows, and what one body has twice: neither is put again, and what
// was found needs no sync.
func TestFound(t *testing.T) {
	w := newWorld(t)
	content := noise(chunkSize)
	known, err := w.blobs.Put(t.Context(), blob.ID(crypto.AddressOf(content)), []byte("frame"))
	if err != nil {
		t.Fatal(err)
	}
	w.index[known.ID] = known
	other := bytes.Repeat([]byte{1}, chunkSize)
	body := bytes.NewReader(slices.Concat(content, other, other))
	taken, err := w.Take(t.Context(), intake.FromReader(body, intake.AnySize, 1<<30), w.full(t))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Release(taken)
	if err := w.Sync(t.Context(), taken.Page[:1]); err != nil || len(w.blobs.volumes) != 0 {
		t.Errorf("for what was found, %v was synced, %v", w.blobs.volumes, err)
	}
	err = w.Sync(t.Context(), taken.Page)
	if want := []uint64{taken.Page[1].Ref.Volume}; err != nil || !slices.Equal(w.blobs.volumes, want) {
		t.Errorf("for what was put, %v was synced, %v; want %v", w.blobs.volumes, err, want)
	}
	if p := taken.Page; p[0].Ref != known || p[1].Ref != p[2].Ref || p[1].Ref == known {
		t.Errorf("the chunks are at %v, %v and %v", p[0].Ref, p[1].Ref, p[2].Ref)
	}
	if pinned := w.pins.Condemn(known.Volume); len(pinned) != 2 {
		t.Errorf("%d places are pinned, want that which was found and the new one", len(pinned))
	}
	volumes, err := w.blobs.Volumes(t.Context())
	if err != nil || len(volumes) != 1 || volumes[0].Frames != 2 {
		t.Errorf("%+v, %v: want a volume of two frames", volumes, err)
	}
}

// TestFailedSync takes a body in that has a chunk together with one whose sync has failed, and that
// goes on. It must not count on what that one has put; where that is stays pinned all the same.
func TestFailedSync(t *testing.T) {
	w := newWorld(t)
	take := func() *intake.Taken {
		t.Helper()
		b := intake.FromReader(bytes.NewReader(noise(chunkSize)), intake.AnySize, 1<<30)
		taken, err := w.Take(t.Context(), b, w.full(t))
		if err != nil {
			t.Fatal(err)
		}
		return taken
	}
	slow := take()
	w.blobs.failure = errors.New("failure")
	if err := w.Sync(t.Context(), slow.Page); !errors.Is(err, w.blobs.failure) {
		t.Fatalf("Sync: %v", err)
	}
	w.blobs.failure = nil
	lost := slow.Page[0].Ref
	if err := w.blobs.Seal(t.Context(), lost.Volume); err != nil {
		t.Fatal(err)
	}
	late := take()
	again := late.Page[0].Ref
	if again.Volume == lost.Volume {
		t.Error("who comes later counts on a volume whose sync has failed")
	}
	if other := take(); other.Page[0].Ref != again {
		t.Error("the chunk is stored once more, though it is there")
	} else {
		w.Release(other)
	}
	for _, volume := range []uint64{lost.Volume, again.Volume} {
		if pinned := w.pins.Condemn(volume); len(pinned) != 1 {
			t.Errorf("in volume %d %v are pinned", volume, pinned)
		}
		w.pins.Spare(volume)
	}
	if bytes := w.pins.BytesIn(); len(bytes) != 2 {
		t.Errorf("the pinned bytes are %v", bytes)
	}
	w.Release(slow)
	w.Release(late)
}

// TestSyncGivenUp has a body be left alone in its sync: its chunks are as good as before.
func TestSyncGivenUp(t *testing.T) {
	w := newWorld(t)
	b := func() *intake.Body {
		return intake.FromReader(bytes.NewReader(noise(chunkSize)), intake.AnySize, 1<<30)
	}
	first, err := w.Take(t.Context(), b(), w.full(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Sync(ctx, first.Page); !errors.Is(err, context.Canceled) {
		t.Errorf("Sync: %v", err)
	}
	second, err := w.Take(t.Context(), b(), w.full(t))
	if err != nil {
		t.Fatal(err)
	}
	if first.Page[0].Ref != second.Page[0].Ref {
		t.Error("the chunk is stored twice")
	}
	w.Release(first)
	w.Release(second)
}

// TestInline keeps the frame of a small body, and of nothing else.
func TestInline(t *testing.T) {
	for _, test := range []struct{ size, inline, kept int }{
		{100, 108, 108}, {100, 107, 0}, {chunkSize + 1, 1 << 20, 0}, {0, 100, 0},
	} {
		w := newWorld(t)
		b := intake.FromReader(bytes.NewReader(noise(test.size)), intake.AnySize, 1<<30)
		b.Inline = test.inline
		taken, err := w.Take(t.Context(), b, w.full(t))
		if err != nil {
			t.Fatal(err)
		}
		kept := 0
		if ch := taken.Inline(); ch != nil {
			kept = len(ch.Frame)
		}
		if kept != test.kept || (w.pins.Count() == 0) != (test.kept > 0 || test.size == 0) {
			t.Errorf("%+v: %d bytes are kept, %d chunks pinned", test, kept, w.pins.Count())
		}
		w.Release(taken)
	}
}

// TestSizes refuses what is too long and what is too short.
func TestSizes(t *testing.T) {
	for _, test := range []struct {
		got, size, limit int64
		ok               bool
	}{
		{10, intake.AnySize, 10, true}, {11, intake.AnySize, 10, false},
		{10, 10, 20, true}, {9, 10, 20, false}, {11, 10, 20, false},
		{0, 0, 20, true}, {1, 0, 20, false},
	} {
		content := func() io.Reader { return bytes.NewReader(noise(int(test.got))) }
		for name, b := range map[string]*intake.Body{
			"reader": intake.FromReader(onlyReader{content()}, test.size, test.limit),
			"memory": intake.FromReader(content(), test.size, test.limit),
			"store":  intake.FromStore(content().Read, test.size, test.limit),
		} {
			w := newWorld(t)
			taken, err := w.Take(t.Context(), b, w.full(t))
			var size *intake.SizeError
			if test.ok != (err == nil) || !test.ok && !errors.As(err, &size) {
				t.Errorf("%s, %+v: %v", name, test, err)
			}
			want := intake.SizeError{Got: test.got, Size: test.size, Limit: test.limit}
			if size != nil && *size != want {
				t.Errorf("%s, %+v: the error says %+v", name, test, *size)
			}
			if taken != nil {
				w.Release(taken)
			}
		}
	}
}

// TestBrokenReaders takes in bodies that fail, or break the rules of readers.
func TestBrokenReaders(t *testing.T) {
	failure := errors.New("failure")
	for name, test := range map[string]struct {
		read func([]byte) (int, error)
		want string
	}{
		"fails":        {func([]byte) (int, error) { return 0, failure }, "failure"},
		"panics":       {func([]byte) (int, error) { panic("oh") }, "panicked: oh"},
		"exits":        {func([]byte) (int, error) { runtime.Goexit(); return 0, nil }, "Goexit"},
		"negative":     {func([]byte) (int, error) { return -1, nil }, "returned -1"},
		"too much":     {func(p []byte) (int, error) { return len(p) + 1, nil }, "for a buffer of"},
		"never reads":  {func([]byte) (int, error) { return 0, nil }, io.ErrNoProgress.Error()},
		"is cut short": {func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			start := bytes.NewReader(noise(2*pageChunks*chunkSize + 10))
			body := io.MultiReader(start, readerFunc(test.read))
			_, err := w.Take(t.Context(), intake.FromReader(body, intake.AnySize, 1<<30), w.full(t))
			var read *intake.ReadError
			if !errors.As(err, &read) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("it failed with %v", err)
			}
			alone := intake.FromReader(readerFunc(test.read), intake.AnySize, 1<<30)
			if _, _, err := w.MD5(t.Context(), alone); !errors.As(err, &read) {
				t.Errorf("its MD5 failed with %v", err)
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestNilReaders takes in pointers to readers that are nil.
func TestNilReaders(t *testing.T) {
	for _, nothing := range []io.Reader{
		(*bytes.Reader)(nil), (*bytes.Buffer)(nil), (*strings.Reader)(nil), (*io.LimitedReader)(nil),
		(*io.SectionReader)(nil), &io.LimitedReader{R: (*bytes.Reader)(nil), N: 1},
	} {
		w := newWorld(t)
		b := intake.FromReader(nothing, intake.AnySize, 1<<30)
		_, err := w.Take(t.Context(), b, w.full(t))
		if read := new(intake.ReadError); !errors.As(err, &read) {
			t.Errorf("%T: it failed with %v", nothing, err)
		}
	}
}

// TestGrowing takes in a small body that gets longer while its buffer is waited for.
func TestGrowing(t *testing.T) {
	for _, more := range []int{2, chunkSize} {
		w := newWorld(t)
		body := bytes.NewBuffer(noise(chunkSize - 1))
		w.Pace = func(context.Context, int) error {
			body.Write(noise(more))
			return nil
		}
		b := intake.FromReader(body, intake.AnySize, 1<<30)
		_, err := w.Take(t.Context(), b, w.full(t))
		if read := new(intake.ReadError); !errors.As(err, &read) {
			t.Errorf("by %d bytes: it failed with %v", more, err)
		}
	}
}

// TestFailures has everything fail that Take calls. The error comes out as it is, and nothing is
// left.
func TestFailures(t *testing.T) {
	for _, size := range []int{10, 4 * pageChunks * chunkSize} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) { testFailures(t, size) })
	}
}

func testFailures(t *testing.T, size int) {
	failure := errors.New("failure")
	body := func() *intake.Body {
		return intake.FromReader(bytes.NewReader(noise(size)), intake.AnySize, 1<<30)
	}
	t.Run("room", func(t *testing.T) {
		w := newWorld(t)
		w.room = failure
		if _, err := w.Take(t.Context(), body(), w.full(t)); err != failure {
			t.Errorf("it failed with %v", err)
		}
	})
	t.Run("pace", func(t *testing.T) {
		w := newWorld(t)
		w.Pace = func(context.Context, int) error { return failure }
		if _, err := w.Take(t.Context(), body(), w.full(t)); err != failure {
			t.Errorf("it failed with %v", err)
		}
	})
	t.Run("full", func(t *testing.T) {
		if size < pageChunks*chunkSize {
			t.Skip("no page is full")
		}
		w := newWorld(t)
		full := func(context.Context, []*intake.Chunk) error { return failure }
		if _, err := w.Take(t.Context(), body(), full); err != failure {
			t.Errorf("it failed with %v", err)
		}
	})
	t.Run("store", func(t *testing.T) {
		w := newWorld(t)
		next := func([]byte) (int, error) { return 0, failure }
		if _, err := w.Take(t.Context(), intake.FromStore(next, 10, 10), w.full(t)); err != failure {
			t.Errorf("it failed with %v", err)
		}
	})
	t.Run("context", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		b := body()
		b.Progress = func(int64) { cancel(failure) }
		if _, err := w.Take(ctx, b, w.full(t)); err != failure {
			t.Errorf("it failed with %v", err)
		}
	})
	t.Run("progress", func(t *testing.T) {
		w := newWorld(t)
		defer func() {
			if p := recover(); p != failure {
				t.Errorf("the panic was %v", p)
			}
		}()
		b := body()
		b.Progress = func(int64) { panic(failure) }
		_, _ = w.Take(t.Context(), b, w.full(t))
	})
}

// TestTakeWaitsForTheStore ends the context of a call that reads from the store. It must not return
// before the store has: that may be closed next.
func TestTakeWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		returned := false
		next := func([]byte) (int, error) {
			cancel()
			time.Sleep(time.Second) // of the bubble's time: until all others wait
			returned = true
			return 0, io.EOF
		}
		if _, err := w.Take(ctx, intake.FromStore(next, 0, 10), w.full(t)); err != context.Canceled {
			t.Errorf("it failed with %v", err)
		}
		if !returned {
			t.Error("Take has returned while the store was being read")
		}
	})
}

// TestMD5 compares digest and size, and stores nothing.
func TestMD5(t *testing.T) {
	w := newWorld(t)
	content := noise(3*chunkSize + 7)
	b := intake.FromReader(onlyReader{bytes.NewReader(content)}, intake.AnySize, 1<<20)
	sum, n, err := w.MD5(t.Context(), b)
	if err != nil || n != int64(len(content)) || sum != md5.Sum(content) {
		t.Errorf("%x of %d bytes, %v", sum, n, err)
	}
	if volumes, err := w.blobs.Volumes(t.Context()); err != nil || len(volumes) != 0 {
		t.Errorf("%+v, %v: something is stored", volumes, err)
	}
}
