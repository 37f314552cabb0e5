package intake

import (
	"context"
	"errors"
	"sync"

	"github.com/gabion-storage/gabion/crypto/md5lanes"
)

// A taking is one body on its way in.
type taking struct {
	intake *Intake
	body   *Body
	full   func(ctx context.Context, chunks []*Chunk) error
	taken  Taken
	cancel context.CancelCauseFunc // ends all stages

	page    *page          // that is being filled
	handing sync.WaitGroup // of the page before it to full
}

// A page is the chunks that become a page of the manifest.
type page struct {
	chunks []*Chunk
	stores sync.WaitGroup
}

// errAbandoned stops the stages of a body that is not taken in.
var errAbandoned = errors.New("intake: the body was abandoned")

// Take reads a body to its end and stores its chunks. Three stages run side by side: one goroutine
// reads into buffers, the caller's computes the MD5 in order, and one a chunk addresses, packs and
// stores it; where that is done in place it waits for the MD5. A small body that waits for nobody is
// taken in by the caller's goroutine alone. A page of chunks that is full, with more to come, is
// given to the function full while the next one is filled; when that returns, the chunks are not
// pinned any more. There is one call of it at a time.
//
// On success the caller must Release the body; on failure nothing is left pinned. An error is what
// full, the functions of the Config or the chunk store have failed with, a *ReadError, a *SizeError
// or a *MemoryError, or the cause of the context's end, as it is.
//
// A Read that does not return does not hold up the caller once its context has ended; it keeps its
// goroutine and one block of memory, but no buffer, until it does return.
func (in *Intake) Take(
	ctx context.Context, b *Body, full func(ctx context.Context, chunks []*Chunk) error,
) (*Taken, error) {
	if in.isSmall(b) {
		return in.takeSmall(ctx, b)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sum := in.md5.New()
	defer sum.Close()

	f := in.newFilling(b)
	var reading sync.WaitGroup
	reading.Go(func() { f.read(ctx) })

	t := &taking{intake: in, body: b, full: full, cancel: cancel, page: &page{}}
	whole := false
	defer func() {
		if !whole { // an error, or a panic of the caller's progress function
			cancel(errAbandoned)
			f.end()
			t.wait()
			if b.fromStore { // which may be closed when the call has ended
				reading.Wait()
			}
			in.unpin(t.page.chunks)
		}
	}()
	if err := t.spread(ctx, f.filled, sum); err != nil {
		cancel(err)
	}
	t.wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	t.taken.CombineCRC64(t.page.chunks)
	t.taken.MD5, t.taken.Page = sum.Sum(), t.page.chunks
	whole = true
	return &t.taken, nil
}

// spread receives the filled buffers in order, has each stored and computes the digests meanwhile.
func (t *taking) spread(ctx context.Context, filled <-chan filledBuffer, sum *md5lanes.Hash) error {
	b, taken := t.body, &t.taken
	for {
		var f filledBuffer
		select {
		case f = <-filled:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if f.buf == nil {
			if f.err != nil {
				return f.err
			}
			return CheckSize(taken.Size, b.size, b.limit)
		}
		taken.Size += int64(f.buf.n)
		if err := b.checkMost(taken.Size); err != nil {
			t.intake.budget.put(f.buf)
			return err
		}
		t.add(ctx, f)
		_, err := sum.Write(f.buf.chunk())
		for _, d := range b.digests {
			d.Write(f.buf.chunk()) // a hash never fails
		}
		f.buf.digested <- struct{}{} // in any case: store waits for it
		if err != nil {
			return err
		}
		if b.Progress != nil {
			b.Progress(taken.Size)
		}
	}
}

// add has a chunk stored beside all others. It may wait for the page before the last to be handed
// over.
func (t *taking) add(ctx context.Context, f filledBuffer) {
	if len(t.page.chunks) == t.intake.PageChunks {
		t.turnPage(ctx)
	}
	ch, inline := &Chunk{Size: f.buf.n}, 0
	if f.last && t.taken.Chunks == 0 {
		inline = t.body.Inline
	}
	t.taken.Chunks++
	t.page.chunks = append(t.page.chunks, ch)
	b := f.buf
	t.page.stores.Go(func() {
		if err := t.intake.store(ctx, b, t.body.Keys, ch, inline); err != nil {
			t.cancel(err)
		}
	})
}

// turnPage begins a new page. The full one is handed over beside it, when the one before that is.
func (t *taking) turnPage(ctx context.Context) {
	t.handing.Wait()
	turned := t.page
	t.page = &page{}
	t.handing.Go(func() {
		turned.stores.Wait()
		defer t.intake.unpin(turned.chunks)
		if ctx.Err() != nil {
			return
		}
		t.taken.CombineCRC64(turned.chunks)
		if err := t.full(ctx, turned.chunks); err != nil {
			t.cancel(err)
		}
	})
}

// wait waits until nothing is being stored or handed over.
func (t *taking) wait() {
	t.handing.Wait()
	t.page.stores.Wait()
}
