package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/gabion-storage/gabion/crypto/md5lanes"
	"github.com/gabion-storage/gabion/index"
)

// A taking is one body on its way in.
type taking struct {
	pipeline *pipeline
	in       *intake
	draft    *draft
	body     takenBody
	cancel   context.CancelCauseFunc // ends all stages

	page       *page          // that is being filled
	committing sync.WaitGroup // of the page before it
}

// A page is the chunks that become a page of the manifest.
type page struct {
	chunks []*chunk
	stores sync.WaitGroup
}

// errAbandoned stops the stages of a body that is not taken in.
var errAbandoned = errors.New("engine: the body was abandoned")

// take reads a body to its end and stores its chunks. Three stages run side by side: one goroutine
// reads into buffers, the caller's computes the MD5 in order, and one a chunk addresses, packs and
// stores it; where that is done in place it waits for the MD5. A page of chunks is committed while
// the next one is filled. On success the caller must release the last page of the body; on failure
// nothing is left pinned, and the draft is to be ended.
//
// A Read that does not return does not hold up the caller once its context has ended; it keeps its
// goroutine and one block of memory, but no buffer, until it does return.
func (p *pipeline) take(caller context.Context, in *intake, d *draft) (*takenBody, error) {
	ctx, cancel := context.WithCancelCause(caller)
	defer cancel(nil)
	sum := p.md5.New()
	defer sum.Close()

	f := p.newFilling(in)
	var reading sync.WaitGroup
	reading.Go(func() { f.read(ctx) })

	t := &taking{pipeline: p, in: in, draft: d, cancel: cancel, page: &page{}}
	whole := false
	defer func() {
		if !whole { // an error, or a panic of the caller's progress function
			cancel(errAbandoned)
			f.end()
			t.wait()
			if in.own { // Close waits for the call, but not for what the call leaves behind
				reading.Wait()
			}
			p.release(t.page.chunks)
		}
	}()
	if err := t.spread(ctx, f.filled, sum); err != nil {
		cancel(err)
	}
	t.wait()
	if err := context.Cause(ctx); err != nil {
		return nil, ended(caller, err)
	}
	t.body.sum(t.page.chunks)
	t.body.md5, t.body.page = sum.Sum(), t.page.chunks
	whole = true
	return &t.body, nil
}

// spread receives the filled buffers in order, has each stored and computes the digests meanwhile.
func (t *taking) spread(ctx context.Context, filled <-chan filledBuffer, sum *md5lanes.Hash) error {
	in, body := t.in, &t.body
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
			return checkSize(in, body.size)
		}
		body.size += int64(f.buf.n)
		if err := in.checkMost(body.size); err != nil {
			t.pipeline.budget.put(f.buf)
			return err
		}
		t.store(ctx, f)
		_, err := sum.Write(f.buf.chunk())
		for _, d := range in.digests {
			d.Write(f.buf.chunk()) // a hash never fails
		}
		f.buf.digested <- struct{}{} // in any case: store waits for it
		if err != nil {
			return err
		}
		if in.progress != nil {
			in.progress(body.size)
		}
	}
}

// store has a chunk stored beside all others. It may wait for the page before the last to be
// committed.
func (t *taking) store(ctx context.Context, f filledBuffer) {
	if len(t.page.chunks) == index.MaxPageChunks {
		t.turn(ctx)
	}
	ch, inline := &chunk{size: f.buf.n}, 0
	if f.last && t.body.chunks == 0 {
		inline = t.in.inline
	}
	t.body.chunks++
	t.page.chunks = append(t.page.chunks, ch)
	b := f.buf
	t.page.stores.Go(func() {
		if err := t.pipeline.store(ctx, b, t.in.keys, ch, inline); err != nil {
			t.cancel(err)
		}
	})
}

// turn begins a new page. The full one is committed beside it, when the one before that is.
func (t *taking) turn(ctx context.Context) {
	t.committing.Wait()
	full := t.page
	t.page = &page{}
	t.committing.Go(func() {
		full.stores.Wait()
		defer t.pipeline.release(full.chunks)
		if ctx.Err() != nil {
			return
		}
		t.body.sum(full.chunks)
		if err := t.draft.add(ctx, full.chunks); err != nil {
			t.cancel(err)
		}
	})
}

// wait waits until nothing is being stored or committed.
func (t *taking) wait() {
	t.committing.Wait()
	t.page.stores.Wait()
}
