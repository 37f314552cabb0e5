package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"

	"github.com/gabion-storage/gabion/blob"
)

// A group is a volume that waits to be written, or is under way: its records in memory.
type group struct {
	id      uint64
	records []record // ascending; the first one is the magic
	size    int64    // of the object
	bytes   int64    // of the frames
	held    int64    // of the store's memory

	full    chan struct{} // closed when it takes no more frames
	started bool          // a goroutine sends it, or waits with it
	sent    chan struct{} // closed when it is stored, or has failed
	err     error         // why it has failed, once sent is closed
}

// record is a part of a group's object.
type record struct {
	offset int64
	bytes  []byte
}

func newGroup(id uint64) *group {
	return &group{
		id: id, records: []record{{0, []byte(magic)}}, size: int64(len(magic)),
		full: make(chan struct{}), sent: make(chan struct{}),
	}
}

// frames is how many frames it has.
func (g *group) frames() int64 { return int64(len(g.records) - 1) }

func (g *group) sealed() bool {
	select {
	case <-g.full:
		return true
	default:
		return false
	}
}

func (g *group) append(r []byte) (offset int64) {
	offset = g.size
	g.records = append(g.records, record{offset, r})
	g.size += int64(len(r))
	g.bytes += int64(len(r) - recordHeader)
	return offset
}

// at returns the index of the record that the offset lies in.
func (g *group) at(offset int64) int {
	return sort.Search(len(g.records), func(i int) bool { return g.records[i].offset > offset }) - 1
}

// find returns the frame of ref.
func (g *group) find(ref blob.Ref) ([]byte, error) {
	r := g.records[g.at(int64(ref.Offset))]
	if r.offset != int64(ref.Offset) || r.offset == 0 {
		return nil, corrupt(ref, "no frame is at this place", nil)
	}
	if err := checkHeader(r.bytes, ref); err != nil {
		return nil, err
	}
	return r.bytes[recordHeader:], nil
}

// ReadAt reads the object. The group must be sealed.
func (g *group) ReadAt(p []byte, offset int64) (n int, err error) {
	for i := g.at(offset); i < len(g.records) && n < len(p); i++ {
		r := g.records[i]
		n += copy(p[n:], r.bytes[min(offset+int64(n)-r.offset, int64(len(r.bytes))):])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// info describes the volume.
func (g *group) info() blob.VolumeInfo {
	return blob.VolumeInfo{
		ID: g.id, Bytes: g.bytes, Frames: g.frames(), Size: g.size, DiskBytes: g.size,
		Active: !g.sealed(),
	}
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	if err := s.enter(ctx); err != nil {
		return blob.Ref{}, err
	}
	defer s.gate.Leave()
	if len(frame) > blob.MaxFrameSize {
		return blob.Ref{}, blob.ErrFrameSize
	}
	if err := s.claim(ctx); err != nil {
		return blob.Ref{}, err
	}
	need := min(int64(recordHeader+len(frame)), s.options.Memory)
	if err := s.take(ctx, need); err != nil {
		return blob.Ref{}, err
	}
	r := append(appendHeader(make([]byte, 0, recordHeader+len(frame)), id, frame), frame...)

	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.openLocked(int64(len(frame)))
	offset := g.append(r)
	g.held += need
	if g.bytes >= s.options.VolumeSize {
		s.sealLocked(g)
	}
	return blob.Ref{ID: id, Volume: g.id, Offset: uint32(offset), Size: uint32(len(frame))}, nil
}

// take waits for memory. Where there is none the open group goes on its way, since only what is
// sent gives any back.
func (s *Store) take(ctx context.Context, need int64) error {
	if s.memory.TryAcquire(need) {
		return nil
	}
	s.mu.Lock()
	if s.open != nil {
		s.sealLocked(s.open)
	}
	s.mu.Unlock()
	return s.memory.Acquire(ctx, need)
}

// openLocked returns the group that takes a frame of so many bytes.
func (s *Store) openLocked(size int64) *group {
	if g := s.open; g != nil {
		if g.bytes+size <= s.options.VolumeSize {
			return g
		}
		s.sealLocked(g)
	}
	g := newGroup(s.opening<<volumeBits | s.next)
	s.next++
	s.open, s.groups[g.id] = g, g
	return g
}

// sealLocked has the group take no more frames, and sent.
func (s *Store) sealLocked(g *group) {
	if !g.sealed() {
		close(g.full)
	}
	if s.open == g {
		s.open = nil
	}
	s.startLocked(g)
}

// startLocked has the group sent.
func (s *Store) startLocked(g *group) {
	if !g.started {
		g.started = true
		s.sending.Go(func() { s.send(g) })
	}
}

// send writes the group when it is full, or its time has come and there is a turn. Until then it
// takes frames. What it does is not any call's, so no call's context ends it.
func (s *Store) send(g *group) {
	if delay := s.options.GroupDelay; delay > 0 {
		timer := time.NewTimer(delay)
		select {
		case <-g.full:
		case <-timer.C:
		}
		timer.Stop()
	}
	_ = s.uploads.Acquire(context.Background(), 1) // fails only with its context
	defer s.uploads.Release(1)

	s.mu.Lock()
	s.sealLocked(g)
	s.mu.Unlock()
	g.err = s.write(g)

	s.mu.Lock()
	if g.err == nil {
		s.knowLocked(&volume{info: g.info()})
	} else {
		s.failLocked(g)
	}
	delete(s.groups, g.id)
	s.mu.Unlock()
	close(g.sent)
	s.memory.Release(g.held)
}

// mostFailures is of how many groups that have failed the reason is known.
const mostFailures = 256

// failLocked remembers why a group has failed. Its frames were put by calls that sync it only now.
func (s *Store) failLocked(g *group) {
	s.failures = append(s.failures, failure{g.id, g.err})
	if len(s.failures) > mostFailures {
		s.failures = slices.Delete(s.failures, 0, 1)
	}
}

// failedLocked returns why the group of a volume has failed, or nil.
func (s *Store) failedLocked(volume uint64) error {
	for _, f := range s.failures {
		if f.volume == volume {
			return f.err
		}
	}
	return nil
}

// A failure is why a volume could not be written.
type failure struct {
	volume uint64
	err    error
}

// wait waits until the group is stored.
func (g *group) wait(ctx context.Context) error {
	if err := g.over(ctx); err != nil {
		return err
	}
	return g.err
}

// over waits until the group is stored or has failed.
func (g *group) over(ctx context.Context) error {
	select {
	case <-g.sent:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Sync implements blob.Store.
func (s *Store) Sync(ctx context.Context, volumes ...uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	var waits []*group
	var lost error
	s.mu.Lock()
	for _, id := range volumes {
		if g := s.groups[id]; g != nil {
			s.startLocked(g)
			waits = append(waits, g)
		} else if lost == nil {
			lost = s.failedLocked(id)
		}
	}
	s.mu.Unlock()
	if lost != nil {
		return lost
	}
	for _, id := range volumes {
		if slices.ContainsFunc(waits, func(g *group) bool { return g.id == id }) {
			continue
		}
		if _, err := s.find(ctx, id); err != nil {
			return err
		}
	}
	for _, g := range waits {
		if err := g.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Seal implements blob.Store. What has failed to be written is mostly not there: the error is a
// blob.ErrNoVolume then, and also why. Where only the answer was lost it is there, and sealed.
func (s *Store) Seal(ctx context.Context, volume uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	s.mu.Lock()
	g := s.groups[volume]
	if g != nil {
		s.sealLocked(g)
	}
	s.mu.Unlock()
	if g != nil {
		if err := g.over(ctx); err != nil {
			return err
		}
	}
	_, err := s.findOrWhy(ctx, volume)
	return err
}

// findOrWhy is find, and of a volume that is not there also says why it was not written, as long as
// that is known.
func (s *Store) findOrWhy(ctx context.Context, id uint64) (*volume, error) {
	v, err := s.find(ctx, id)
	if !errors.Is(err, blob.ErrNoVolume) {
		return v, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if failure := s.failedLocked(id); failure != nil {
		err = fmt.Errorf("%w, since it was not written: %w", err, failure)
	}
	return nil, err
}
