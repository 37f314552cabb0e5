package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// Bounds of what is kept in memory about places.
const (
	badPlaces    = 1 << 14 // known to be damaged, about 100 bytes each; more are known by their records alone
	provenPlaces = 1 << 16 // known to be there, 16 bytes each
	markBatch    = 512     // records marked in one transaction
)

// damage is what is known about places of chunks: which are bad, and which have proved to be there.
// A place is a blob.Ref, so a chunk that was moved or stored anew starts afresh.
//
// What is bad never counts as found: its bytes are stored anew, and the chunk's record is pointed
// at the new place, which heals every object that shares it. The knowledge is here and, so that it
// survives, in the chunk's record. That a whole volume is missing or cannot be read is found out at
// each start and kept in memory alone: it may come back, with a disk that was not mounted.
//
// Before a part leans on a chunk that this process has neither read nor written, the chunk's place
// is proved by blob.Store's Probe: that the volume is there, and the head of the record. That is
// one read of a few bytes, once, of those among the last 65536 places or so.
type damage struct {
	blobs blob.Store
	index index.Store
	alarm func(error)

	some atomic.Bool // anything is bad; saves the lock while nothing is

	mu       sync.Mutex // guards what follows; taken last
	bad      map[blob.Ref]error
	unmarked int              // bad places that mark is still to be done with
	volumes  map[uint64]error // missing ones, and those that cannot be read
	stuck    map[uint64]int64 // live bytes of volumes where only damaged chunks live
	proven   []place          // by address: one may drive out another
}

// A place is where a frame begins. tag is of the address, so that the zero place is none.
type place struct {
	volume      uint64
	offset, tag uint32
}

func newDamage(blobs blob.Store, idx index.Store, alarm func(error)) *damage {
	return &damage{
		blobs: blobs, index: idx, alarm: alarm,
		bad: make(map[blob.Ref]error), volumes: make(map[uint64]error),
		stuck: make(map[uint64]int64), proven: make([]place, provenPlaces),
	}
}

// isDamage reports whether a failed read says something about what was read, and not about the
// process that reads: one that is out of file handles has no damaged chunks.
func isDamage(err error) bool {
	for _, passing := range []error{context.Canceled, context.DeadlineExceeded, blob.ErrClosed} {
		if errors.Is(err, passing) {
			return false
		}
	}
	var stored *blob.CorruptionError
	var content *CorruptionError
	return errors.As(err, &stored) || errors.As(err, &content)
}

// Known returns why a place is known to be bad, or nil. What only the chunk's record knows, the
// caller sees there.
func (d *damage) Known(ref blob.Ref) error {
	if !d.some.Load() {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.volumes[ref.Volume]; err != nil {
		return err
	}
	return d.bad[ref]
}

// KnownIn returns why the chunk with this record is known to be bad, or nil.
func (d *damage) KnownIn(id index.ChunkID, rec *index.Chunk) error {
	reason := d.Known(ledger.RefOf(id, *rec))
	if reason == nil && rec.Damaged {
		reason = errors.New("reading it has failed before")
	}
	if reason == nil {
		return nil
	}
	if content := (*CorruptionError)(nil); errors.As(reason, &content) {
		return reason
	}
	return &CorruptionError{
		What: "chunk " + id.String(), Where: fmt.Sprintf("volume %d", rec.Volume), Err: reason,
	}
}

// suspects reports whether anything that lives is known to be bad. Places that nothing refers to any
// more, since what was there was stored anew, do not count.
func (d *damage) suspects(r index.Reader) (bool, error) {
	t, err := ledger.Totals(r)
	if err != nil || t.Damaged != 0 {
		return true, err
	}
	if !d.some.Load() {
		return false, nil
	}
	d.mu.Lock()
	unmarked, volumes := d.unmarked, slices.Collect(maps.Keys(d.volumes))
	d.mu.Unlock()
	if unmarked > 0 {
		return true, nil
	}
	for _, id := range volumes {
		switch _, err := index.Get(r, index.VolumeKey(id)); {
		case errors.Is(err, index.ErrNotFound): // nothing lives in it
		case err != nil && !index.IsUnreadable(err):
			return false, err
		default:
			return true, nil
		}
	}
	return false, nil
}

// good notes that a frame was read or written there.
func (d *damage) good(ref blob.Ref) {
	p, slot := placeOf(ref)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.proven[slot] = p
}

func placeOf(ref blob.Ref) (p place, slot int) {
	return place{
		ref.Volume,
		ref.Offset,
		binary.BigEndian.Uint32(ref.ID[:]) | 1,
	}, int(binary.BigEndian.Uint64(ref.ID[4:]) % provenPlaces)
}

// prove returns nil when there is reason to believe that the frame is there.
func (d *damage) prove(ctx context.Context, ref blob.Ref) error {
	if err := d.Known(ref); err != nil {
		return err
	}
	p, slot := placeOf(ref)
	d.mu.Lock()
	proven := d.proven[slot] == p
	d.mu.Unlock()
	if proven {
		return nil
	}
	if err := d.blobs.Probe(ctx, ref); err != nil {
		if !isDamage(err) {
			return err
		}
		// The head of a record may be damaged, and what it is the head of not: reading has the say.
		if _, err := d.blobs.Get(ctx, ref, nil); err != nil {
			return err
		}
	}
	d.good(ref)
	return nil
}

// note takes in that reading the frames at these places has failed, which the index still points
// at. Errors that are no damage are ignored. The context's end does not keep the knowledge from
// being stored. It must not be called in a transaction.
func (d *damage) note(ctx context.Context, failed map[blob.Ref]error) {
	var fresh []blob.Ref
	doubtful := make(map[uint64]bool)
	d.mu.Lock()
	for ref, err := range failed {
		if d.bad[ref] != nil || d.volumes[ref.Volume] != nil || !isDamage(err) {
			continue
		}
		for old := range d.bad {
			if len(d.bad) < badPlaces {
				break
			}
			delete(d.bad, old)
		}
		d.bad[ref] = err
		doubtful[ref.Volume] = true
		d.some.Store(true)
		fresh = append(fresh, ref)
	}
	d.unmarked += len(fresh)
	d.doubtLocked(doubtful)
	d.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if err := errors.Join(d.learnVolumes(ctx, fresh), d.mark(ctx, fresh)); err != nil {
		// They are known until Close all the same.
		d.alarm(fmt.Errorf("noting damaged chunks: %w", err))
	}
}

// noteOne is note of one place.
func (d *damage) noteOne(ctx context.Context, ref blob.Ref, err error) {
	d.note(ctx, map[blob.Ref]error{ref: err})
}

// doubtLocked forgets what was proven in volumes that something is wrong with. It looks through all
// that is proven, while everybody who reads or writes waits: so it is for many at once.
func (d *damage) doubtLocked(volumes map[uint64]bool) {
	if len(volumes) == 0 {
		return
	}
	for i := range d.proven {
		if volumes[d.proven[i].volume] {
			d.proven[i] = place{}
		}
	}
}

// learnVolumes finds out which of the volumes of these places are missing or cannot be read.
func (d *damage) learnVolumes(ctx context.Context, places []blob.Ref) error {
	volumes, err := d.blobs.Volumes(ctx)
	if err != nil {
		return err
	}
	there := make(map[uint64]error, len(volumes))
	for _, v := range volumes {
		there[v.ID] = v.Damage
	}
	doubtful := make(map[uint64]bool)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ref := range places {
		damage, ok := there[ref.Volume]
		if !ok {
			damage = errors.New("the volume is missing")
		}
		if damage != nil && d.volumes[ref.Volume] == nil {
			d.volumes[ref.Volume] = damage
			doubtful[ref.Volume] = true
			d.some.Store(true)
		}
	}
	d.doubtLocked(doubtful)
	return nil
}

// load finds out which volumes are missing or cannot be read of those in which anything lives.
func (d *damage) load(ctx context.Context) error {
	volumes, err := ledger.LiveVolumes(ctx, d.index)
	if err != nil || len(volumes) == 0 {
		return err
	}
	places := make([]blob.Ref, len(volumes))
	for i, id := range volumes {
		places[i].Volume = id
	}
	return d.learnVolumes(ctx, places)
}

// lastVolume returns the greatest number of a volume that the index knows of.
func (e *Engine) lastVolume(ctx context.Context) (uint64, error) {
	ids, err := ledger.LiveVolumes(ctx, e.index)
	if len(ids) == 0 {
		return 0, err
	}
	return ids[len(ids)-1], err
}

// mark stores the knowledge in the records of the chunks, where they still point there. Chunks of a
// volume that is bad as a whole are left out. The caller has counted the places as unmarked.
func (d *damage) mark(ctx context.Context, places []blob.Ref) error {
	err := d.change(ctx, places, func(ref blob.Ref) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.volumes[ref.Volume] == nil
	}, true)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unmarked -= len(places)
	return nil
}

// clear takes the knowledge back, of places that could be read after all. That says something about
// their volumes, too: one that is there and can be read is not bad as a whole, and what lives in it
// may be moved.
func (d *damage) clear(ctx context.Context, places []blob.Ref) error {
	if len(places) == 0 {
		return nil
	}
	volumes, err := d.blobs.Volumes(ctx)
	if err != nil {
		return err
	}
	readable := make(map[uint64]bool, len(volumes))
	for _, v := range volumes {
		readable[v.ID] = v.Damage == nil
	}
	back := make(map[uint64]bool)
	d.mu.Lock()
	for _, ref := range places {
		delete(d.bad, ref)
		delete(d.stuck, ref.Volume)
		if readable[ref.Volume] && d.volumes[ref.Volume] != nil {
			delete(d.volumes, ref.Volume)
			back[ref.Volume] = true
		}
	}
	var marked []blob.Ref // which mark has left out, while their volume was bad as a whole
	for ref := range d.bad {
		if back[ref.Volume] {
			marked = append(marked, ref)
		}
	}
	d.unmarked += len(marked)
	d.some.Store(len(d.bad) > 0 || len(d.volumes) > 0)
	d.mu.Unlock()
	return errors.Join(
		d.change(ctx, places, func(blob.Ref) bool { return true }, false), d.mark(ctx, marked),
	)
}

// change makes the records of chunks say whether they are damaged, where they still point there.
func (d *damage) change(
	ctx context.Context, places []blob.Ref, which func(blob.Ref) bool, damaged bool,
) error {
	for len(places) > 0 {
		batch := places[:min(len(places), markBatch)]
		places = places[len(batch):]
		err := d.index.Update(ctx, func(tx index.Tx) error {
			var delta ledger.Delta
			for _, ref := range batch {
				if !which(ref) {
					continue
				}
				if err := delta.Mark(tx, ref, damaged); err != nil {
					return err
				}
			}
			return delta.Apply(tx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// setStuck notes that of what lives in a volume nothing can be moved, as long as it has so many
// live bytes.
func (d *damage) setStuck(volume uint64, live int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck[volume] = live
}

// isStuck reports whether trying to move what lives in a volume would be in vain once more.
func (d *damage) isStuck(volume uint64, live int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	stuck, ok := d.stuck[volume]
	return ok && stuck == live
}
