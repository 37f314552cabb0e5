package blob

import (
	"fmt"
	"sync"

	"github.com/gabion-storage/gabion/internal/disk"
)

// A batch is one Badger transaction. Larger ones save little; smaller ones wait less.
const (
	maxBatchBytes  = 8 << 20
	maxBatchFrames = 1 << 10
)

// createSpace is what a new volume takes before its first frame, and reserveInodes what is kept
// of the file system's inodes: a volume has about eight files.
const (
	createSpace   = 4 * memTableSize
	reserveInodes = 256
)

type putRequest struct {
	id    ID
	frame []byte
	ref   Ref
	err   error
	done  chan struct{} // closed when ref or err is set
}

func (r *putRequest) answer(ref Ref, err error) {
	r.ref, r.err = ref, err
	close(r.done)
}

// A writer appends to one volume at a time: taking turns in one goroutine is what makes the
// preallocation sound, since nobody else moves the end of the value log.
type writer struct {
	store *Volumes

	mu     sync.Mutex // held while the volume is written to or replaced
	volume *volume    // nil until the first put and after a seal
	next   *nextVolume
}

// run serves puts until the store is closed.
func (w *writer) run() {
	defer func() {
		w.retireVolume(w.volume)
		w.dropNext()
	}()
	var batch []*putRequest
	for {
		select {
		case r := <-w.store.puts:
			batch = w.collect(append(batch[:0], r))
			w.write(batch)
			clear(batch)
		case <-w.store.stop:
			return
		}
	}
}

// collect adds the puts that wait right now to the batch.
func (w *writer) collect(batch []*putRequest) []*putRequest {
	size := int64(len(batch[0].frame))
	limit := min(maxBatchBytes, w.store.opts.VolumeSize/2)
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

// write appends the batch, in as many pieces as volumes have room, and answers every put of it.
func (w *writer) write(batch []*putRequest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(batch) > 0 {
		if w.volume != nil && w.volume.flush.err() != nil {
			w.retire() // what a failed volume is given could never be made durable
		}
		n := w.takeable(batch)
		if n == 0 {
			w.retire()
			n = 1 // a new volume has room for any frame that Put let in
		}
		w.append(batch[:n])
		batch = batch[n:]
	}
}

// takeable returns how many puts at the front of batch the present volume has room for.
func (w *writer) takeable(batch []*putRequest) int {
	if w.volume == nil {
		return min(1, len(batch))
	}
	var l load
	for n, r := range batch {
		if l = l.plus(r.frame); !w.volume.fits(l, w.store.opts.VolumeSize) {
			return n
		}
	}
	return len(batch)
}

// append writes puts that fit into the present volume, making it first if there is none.
func (w *writer) append(batch []*putRequest) {
	fresh, l := w.unheld(batch)
	err := w.appendFresh(fresh, l)
	for _, r := range batch {
		if err != nil {
			r.answer(Ref{}, err)
			continue
		}
		r.answer(Ref{ID: r.id, Volume: w.volume.id, Size: w.volume.sizes[r.id]}, nil)
	}
}

// unheld returns the puts whose ID the present volume does not hold, each ID once.
func (w *writer) unheld(batch []*putRequest) (fresh []*putRequest, l load) {
	seen := make(map[ID]bool, len(batch))
	for _, r := range batch {
		if seen[r.id] {
			continue
		}
		if w.volume != nil {
			if _, held := w.volume.sizes[r.id]; held {
				continue
			}
		}
		seen[r.id] = true
		fresh = append(fresh, r)
		l = l.plus(r.frame)
	}
	return fresh, l
}

func (w *writer) appendFresh(fresh []*putRequest, l load) error {
	if len(fresh) == 0 {
		return nil
	}
	if err := w.checkSpace(l.bytes); err != nil {
		return err
	}
	if w.volume == nil {
		v, err := w.takeNext()
		if err != nil {
			return mapNoSpace(err)
		}
		w.volume = v
	}
	err := w.volume.append(fresh, l, w.store.opts.VolumeSize)
	if err != nil && !disk.IsNoSpace(err) {
		w.volume.flush.fail(err)
	}
	w.prepareNext()
	return mapNoSpace(err)
}

// checkSpace refuses a write that would eat into the reserve.
func (w *writer) checkSpace(size int64) error {
	space, err := disk.SpaceOf(w.store.dir)
	if err != nil {
		return err
	}
	need := size + w.store.opts.ReserveSpace
	if w.volume == nil {
		need += createSpace
	}
	if space.Bytes < need {
		return fmt.Errorf("%w: %d bytes are free, wanted are %d with the reserve", ErrNoSpace, space.Bytes, need)
	}
	if space.Inodes < reserveInodes {
		return fmt.Errorf("%w: %d inodes are free, the reserve is %d", ErrNoSpace, space.Inodes, reserveInodes)
	}
	return nil
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
