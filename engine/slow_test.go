package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// Of the stores for slow bodies.
const (
	slowChunk   = 256 << 10
	slowBuffers = 8
)

// inBubble opens a store in memory with few buffers, in a bubble of its own. At the end nothing
// must be held, and every goroutine gone.
func inBubble(t *testing.T, test func(t *testing.T, e *engine.Engine)) {
	synctest.Test(t, func(t *testing.T) {
		e, err := engine.OpenStores(t.Context(), index.NewMemory(), blob.NewMemory(64<<20), &engine.Options{ChunkSize: slowChunk, MemoryBudget: slowBuffers * slowChunk})
		if err != nil {
			t.Fatal(err)
		}
		mustBucket(t, e, "bucket")
		test(t, e)
		synctest.Wait()
		checkLeftovers(t, e)
		checkStore(t, e)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

func putSlow(ctx context.Context, e *engine.Engine, key string, body io.Reader) error {
	_, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: key, Body: body})
	return err
}

// checkPuts puts objects of one byte and of many chunks, which must not take longer than given, in
// the bubble's time.
func checkPuts(t *testing.T, e *engine.Engine, most time.Duration) {
	t.Helper()
	for name, body := range map[string][]byte{"one byte": {1}, "many chunks": random(99, 3*slowBuffers*slowChunk)} {
		before := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		// Not a bytes.Reader, so that it takes the way of bodies that may be slow.
		err := putSlow(ctx, e, name, readerFunc(bytes.NewReader(body).Read))
		cancel()
		if took := time.Since(before); err != nil || took > most {
			t.Errorf("%s beside slow clients: %v after %v, must take at most %v", name, err, took, most)
			continue
		}
		if got := readAll(t, e, "bucket", name); !bytes.Equal(got, body) {
			t.Errorf("%s reads back wrong", name)
		}
	}
}

// TestSlowClients has several times as many clients as there are buffers send some bytes and then
// nothing more, or hardly anything. Others must not notice, whether the clients' calls are still
// under way or have ended while their Reads go on.
func TestSlowClients(t *testing.T) {
	for name, c := range map[string]struct {
		sends  int           // bytes before it slows down
		every  time.Duration // between two bytes from then on; 0 means that none comes
		others time.Duration // how long others may have to wait
	}{
		"silent after ten bytes":   {sends: 10},
		"silent amid a chunk":      {sends: slowChunk + slowChunk/2, others: time.Second},
		"silent before chunks end": {sends: slowChunk - 1, others: time.Second},
		"trickling amid a chunk":   {sends: slowChunk / 2, every: 5 * time.Millisecond, others: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *engine.Engine) {
				const clients = 4 * slowBuffers
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				let := make(chan struct{})
				errs := make(chan error)
				for i := range clients {
					body := io.MultiReader(bytes.NewReader(random(uint64(i), c.sends)), readerFunc(func(p []byte) (int, error) {
						if c.every == 0 {
							<-let
							return 0, io.EOF
						}
						select {
						case <-let:
							return 0, io.EOF
						case <-time.After(c.every):
							p[0] = byte(i)
							return 1, nil
						}
					}))
					go func() { errs <- putSlow(ctx, e, "slow", body) }()
				}
				synctest.Wait()
				time.Sleep(c.others) // those that wait for buffers of the others have got them
				checkPuts(t, e, c.others)
				cancel()
				for range clients {
					if err := <-errs; !errors.Is(err, engine.ErrRequestTimeout) {
						t.Errorf("a slow client's call: %v, want ErrRequestTimeout", err)
					}
				}
				synctest.Wait()
				checkPuts(t, e, 0) // though the Reads are still under way
				close(let)
			})
		})
	}
}

// TestCancelledStalls ends calls whose bodies have all buffers and wait for their clients. The
// buffers are free at once, though the Reads are still under way.
func TestCancelledStalls(t *testing.T) {
	inBubble(t, func(t *testing.T, e *engine.Engine) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		let, errs := make(chan struct{}), make(chan error)
		for i := range slowBuffers {
			body := io.MultiReader(bytes.NewReader(random(uint64(i), slowChunk/2)), readerFunc(func([]byte) (int, error) {
				<-let
				return 0, io.EOF
			}))
			go func() { errs <- putSlow(ctx, e, "slow", body) }()
		}
		synctest.Wait()
		if _, out := e.Leftovers(); out != 2*slowBuffers {
			t.Errorf("%d buffers and blocks are out, want one of each for %d bodies: the test has lost its grip", out, slowBuffers)
		}
		cancel()
		for range slowBuffers {
			<-errs
		}
		checkPuts(t, e, 0)
		close(let)
	})
}

// TestTeedStreams uploads each of several streams twice at once. A stream goes on only when both
// have taken what came last, and there are fewer buffers than bodies.
func TestTeedStreams(t *testing.T) {
	inBubble(t, func(t *testing.T, e *engine.Engine) {
		const streams, size = 2 * slowBuffers, 2*slowChunk + slowChunk/2
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // of the bubble's time
		defer cancel()
		errs := atOnce(streams, func(i int) error {
			one, toOne := io.Pipe()
			two, toTwo := io.Pipe()
			results := make(chan error, 2)
			for n, body := range []*io.PipeReader{one, two} {
				go func() {
					err := putSlow(ctx, e, string(rune('a'+2*i+n)), body)
					results <- errors.Join(err, body.CloseWithError(err)) // the stream ends with it
				}()
			}
			_, err := io.Copy(io.MultiWriter(toOne, toTwo), bytes.NewReader(random(uint64(i), size)))
			return errors.Join(err, toOne.Close(), toTwo.Close(), <-results, <-results)
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for i := range 2 * streams {
			if got := readAll(t, e, "bucket", string(rune('a'+i))); !bytes.Equal(got, random(uint64(i/2), size)) {
				t.Errorf("copy %d of stream %d reads back wrong", i%2, i/2)
			}
		}
	})
}

// TestReadsAfterCancel counts the Reads of a body after its call's context has ended: the one that
// was under way, and no other.
func TestReadsAfterCancel(t *testing.T) {
	for name, sent := range map[string]int{"without a buffer": 0, "with a buffer": slowChunk / 2} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *engine.Engine) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second+time.Microsecond)
				defer cancel()
				var late atomic.Int64
				trickle := readerFunc(func(p []byte) (int, error) {
					if ctx.Err() != nil {
						late.Add(1)
					}
					time.Sleep(5 * time.Millisecond)
					return copy(p, "x"), nil
				})
				err := putSlow(ctx, e, "key", io.MultiReader(bytes.NewReader(random(1, sent)), trickle))
				if !errors.Is(err, engine.ErrRequestTimeout) {
					t.Errorf("error is %v, want ErrRequestTimeout", err)
				}
				time.Sleep(time.Second)
				if n := late.Load(); n > 0 {
					t.Errorf("%d Reads began after the context had ended", n)
				}
			})
		})
	}
}

// TestChunksOfSlowBodies uploads the same content in Reads of all sizes. While there are enough
// buffers its chunks are the same, so they are found again.
func TestChunksOfSlowBodies(t *testing.T) {
	inBubble(t, func(t *testing.T, e *engine.Engine) {
		for _, size := range []int{1, 4<<10 - 1, 4 << 10, 64<<10 + 1, slowChunk - 1, slowChunk, slowChunk + 1, 3*slowChunk + 100<<10} {
			data := random(uint64(size), size)
			mustPut := func(body io.Reader) {
				t.Helper()
				if err := putSlow(context.Background(), e, "key", body); err != nil {
					t.Fatal(err)
				}
				if got := readAll(t, e, "bucket", "key"); !bytes.Equal(got, data) {
					t.Errorf("%d bytes read back wrong", size)
				}
			}
			mustPut(bytes.NewReader(data))
			wanted := stats(t, e)
			at, from := 0, bytes.NewReader(data)
			for name, body := range map[string]io.Reader{
				"halves":        iotest.HalfReader(bytes.NewReader(data)),
				"end with data": iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(data))),
				"growing Reads": oddReader(bytes.NewReader(data)),
				"now and then": readerFunc(func(p []byte) (int, error) {
					if at++; at%3 != 0 {
						return 0, nil
					}
					time.Sleep(time.Second) // slow, but nobody wants its buffer
					return from.Read(p)
				}),
			} {
				mustPut(body)
				if got := stats(t, e); got.Chunks != wanted.Chunks {
					t.Errorf("%d bytes, %s: there are %d chunks, were %d when they came at once", size, name, got.Chunks, wanted.Chunks)
				}
			}
			mustDelete(t, e, "bucket", "key")
			mustReclaim(t, e)
		}
	})
}

// oddReader returns a few bytes more with every Read.
func oddReader(from io.Reader) io.Reader {
	n := 0
	return readerFunc(func(p []byte) (int, error) {
		n += 1013
		return from.Read(p[:min(n, len(p))])
	})
}

// TestSizeWhileReading gives bodies without an end a Size: one byte more must be the last that is
// read.
func TestSizeWhileReading(t *testing.T) {
	inBubble(t, func(t *testing.T, e *engine.Engine) {
		id := mustInitiate(t, e, "bucket", "key", "")
		for name, call := range map[string]func(body io.Reader, size int64) error{
			"UploadPart": func(body io.Reader, size int64) error {
				_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
					Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body, Size: size,
				})
				return err
			},
			"Upload": func(body io.Reader, size int64) error {
				_, err := e.Upload(context.Background(), &engine.UploadRequest{Bucket: "bucket", Key: "uploaded", Body: body, Size: size})
				return err
			},
			"PutObject": func(body io.Reader, size int64) error {
				_, err := e.PutObject(context.Background(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: body, Size: size})
				return err
			},
		} {
			for _, size := range []int64{engine.EmptyBody, 1, slowChunk - 1, slowChunk, slowChunk + 1} {
				read := int64(0)
				err := call(readerFunc(func(p []byte) (int, error) {
					if read > 4*slowChunk {
						return 0, errors.New("it does not stop reading")
					}
					read += int64(len(p))
					return len(p), nil
				}), size)
				if most := max(size, 0) + 1; !errors.Is(err, engine.ErrInvalidArgument) || read > most {
					t.Errorf("%s: %v, %d bytes were read, want ErrInvalidArgument and at most %d", name, err, read, most)
				}
			}
			for _, body := range []io.Reader{nil, bytes.NewReader(nil), readerFunc(func([]byte) (int, error) { return 0, io.EOF })} {
				if err := call(body, engine.EmptyBody); err != nil {
					t.Errorf("%s of an empty body: %v", name, err)
				}
			}
			if err := call(nil, math.MinInt64+1); !errors.Is(err, engine.ErrInvalidArgument) {
				t.Errorf("%s of a negative size: %v, want ErrInvalidArgument", name, err)
			}
		}
	})
}
