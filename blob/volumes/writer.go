package volumes

import (
	"fmt"
	"sync"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// maxBatchFrames is how many frames a batch holds at most.
	maxBatchFrames = 1 << 10

	// smallBatch is what is not worth a write of its own as long as another such one is under way:
	// what comes meanwhile goes with it, in fewer blocks.
	smallBatch = 64 << 10
)

const (
	// allocateAhead is how far blocks are set aside at most: see aheadOf.
	allocateAhead = 8 << 20

	// reserveInodes is what is kept of the file system's inodes.
	reserveInodes = 256
)

// A putRequest is a frame on its way to a volume.
type putRequest struct {
	id      blob.ID
	frame   []byte
	head    head    // of a kind whose heads do not depend on the place
	trailer trailer // likewise
	ref     blob.Ref
	err     error
	done    chan struct{} // gets one token when ref or err is set
}

// result waits until the frame is written, or could not be.
func (r *putRequest) result() (blob.Ref, error) {
	<-r.done
	r.frame = nil
	if r.err != nil {
		return blob.Ref{}, r.err
	}
	return r.ref, nil
}

func answer(batch []*putRequest, err error) {
	for _, r := range batch {
		r.err = err
		r.done <- struct{}{}
	}
}

// A writer appends to one volume at a time. Several goroutines run it: each gives a batch its place
// and writes it there, beside the others.
type writer struct {
	store *Store
	small sync.Mutex // held while a small batch is written

	mu     sync.Mutex // guards the fields below; held while places are given
	volume *volume    // nil until the first put and after a seal
	next   *nextVolume
}

// run serves puts until the store is closed.
func (w *writer) run() {
	out := new(appender)
	var batch []*putRequest
	for {
		select {
		case r := <-w.store.puts:
			batch = w.collect(append(batch[:0], r))
			if sizeOf(batch) < smallBatch {
				batch = w.writeSmall(out, batch)
			} else {
				w.write(out, batch)
			}
			clear(batch)
		case <-w.store.stop:
			return
		}
	}
}

// close seals the present volume.
func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retire()
	w.dropNext()
}

// sizeOf returns how many bytes the frames of a batch have.
func sizeOf(batch []*putRequest) (size int64) {
	for _, r := range batch {
		size += int64(len(r.frame))
	}
	return size
}

// collect adds the puts that wait right now to the batch.
func (w *writer) collect(batch []*putRequest) []*putRequest {
	size := sizeOf(batch)
	limit := min(w.store.kind.figures().batchBytes, w.store.opts.VolumeSize/2)
	for len(batch) < maxBatchFrames && size < limit {
		select {
		case r := <-w.store.puts:
			batch = append(batch, r)
			size += int64(len(r.frame))
		default:
			return batch
		}
	}
	return batch
}

// writeSmall waits until no other small batch is under way, and writes this one with what has come
// meanwhile. It returns the larger batch.
func (w *writer) writeSmall(out *appender, batch []*putRequest) []*putRequest {
	w.small.Lock()
	defer w.small.Unlock()
	batch = w.collect(batch)
	w.write(out, batch)
	return batch
}

// write appends the batch, in as many pieces as volumes have room, and answers every put of it.
func (w *writer) write(out *appender, batch []*putRequest) {
	for len(batch) > 0 {
		v, n, err := w.reserve(batch)
		if err == nil {
			if err = v.write(out, batch[:n]); err != nil && !disk.IsNoSpace(err) {
				v.flush.fail(err)
			}
			v.writes.Done()
		}
		answer(batch[:n], mapNoSpace(err))
		batch = batch[n:]
	}
}

// reserve gives the first n puts of batch, at least one, their places in a volume. The caller must
// write them and then take one from v.writes. An error is for those n.
func (w *writer) reserve(batch []*putRequest) (v *volume, n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.volume != nil && w.volume.flush.err() != nil {
		w.retire() // what a failed volume is given could never be made durable
	}
	n, size := w.fitting(batch)
	if n == 0 {
		w.retire()
		// A new volume takes any frame, and if it is longer, then that one alone.
		n, size = 1, w.store.kind.recordSize(int64(len(batch[0].frame)))
	}
	free, err := w.room(size)
	if err != nil {
		return nil, n, err
	}
	if w.volume == nil {
		if w.volume, err = w.takeNext(); err != nil {
			return nil, n, err
		}
	}
	v = w.volume
	volumeSize := w.store.opts.VolumeSize
	ahead := min(aheadOf(free, volumeSize), max(0, volumeSize-v.end-size))
	if err := v.reserve(batch[:n], size, ahead); err != nil {
		return nil, n, err
	}
	v.writes.Add(1)
	w.prepareNext()
	return v, n, nil
}

// fitting returns how many puts at the front of batch the present volume has room for, and what
// they take of it.
func (w *writer) fitting(batch []*putRequest) (n int, size int64) {
	for ; w.volume != nil && n < len(batch); n++ {
		more := w.store.kind.recordSize(int64(len(batch[n].frame)))
		if !w.volume.fits(n+1, size+more, w.store.opts.VolumeSize) {
			break
		}
		size += more
	}
	return n, size
}

// aheadOf is how far the blocks of an active volume are set aside before they are written, of so
// many bytes that are free. It is a small part of them, since what volumes have set aside and not
// used is lost to a disk that fills up; a volume gives it back when it is sealed. And it is a small
// part of a volume.
func aheadOf(free, volumeSize int64) int64 { return min(allocateAhead, free/64, volumeSize/16) }

// room says how much is free, and refuses a write that would eat into the reserve.
func (w *writer) room(size int64) (free int64, err error) {
	space, err := w.store.spaceOf()
	if err != nil {
		return 0, err
	}
	need := size + w.store.opts.ReserveSpace
	if w.volume == nil {
		need += w.store.kind.figures().createSpace
	}
	if space.Bytes < need {
		return 0, fmt.Errorf(
			"%w: %d bytes are free, wanted are %d with the reserve", blob.ErrNoSpace, space.Bytes,
			need,
		)
	}
	if space.Inodes < reserveInodes {
		return 0, fmt.Errorf(
			"%w: %d inodes are free, the reserve is %d", blob.ErrNoSpace, space.Inodes,
			reserveInodes,
		)
	}
	return space.Bytes, nil
}

// retireVolume retires v if it is the writer's present volume.
func (w *writer) retireVolume(v *volume) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.volume == v {
		w.retire()
	}
}

// retire seals the present volume in the background; the next put makes a new one.
func (w *writer) retire() {
	v := w.volume
	if v == nil {
		return
	}
	w.volume = nil
	w.store.sealing.Go(func() {
		if err := v.seal(); err != nil {
			w.store.opts.Alarm(err)
		}
	})
}
