package volumes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/gate"
)

// Store is the blob.Store on disk: a directory of volumes.
type Store struct {
	dir  *disk.Dir
	opts Options
	kind kind // of new volumes
	lock *disk.Lock
	disk disk.Async

	spaceOf   func() (disk.Space, error) // of dir
	punchHole func(f *os.File, from, size int64) error

	puts     chan *putRequest // unbuffered: a put that a writer has taken is answered
	requests sync.Pool        // of *putRequest
	stop     chan struct{}    // closed by Close when no call is under way
	writers  []*writer
	working  sync.WaitGroup // the goroutines of the writers
	sealing  sync.WaitGroup

	gate gate.Gate

	mu      sync.Mutex // guards what follows; never held during I/O
	byID    map[uint64]*volume
	nextID  uint64
	readers readerCache
}

var _ blob.Store = (*Store)(nil)

// Open opens the store in dir, which must exist, and recovers the volumes that an unclean
// stop left behind. A volume that cannot be recovered does not fail the open: Volumes reports its
// damage, and reading from it is a *blob.CorruptionError. A second open of the same directory fails
// with blob.ErrInUse. Symlinks may lead to dir; in it none is followed: a volume that
// is not a regular file is a damaged one. nil options work.
func Open(ctx context.Context, dir string, o *Options) (*Store, error) {
	opts := o.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("blob: options: %w", err)
	}
	d, err := disk.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	lock, err := d.Lock()
	if errors.Is(err, disk.ErrLocked) {
		err = fmt.Errorf("%w: %s", blob.ErrInUse, d.Path())
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	s := &Store{
		dir: d, opts: opts, kind: kinds()[opts.Kind], lock: lock, spaceOf: d.Space,
		punchHole: disk.PunchHole,
		puts:      make(chan *putRequest),
		requests:  sync.Pool{New: func() any { return &putRequest{done: make(chan struct{}, 1)} }},
		stop:      make(chan struct{}),
		byID:      make(map[uint64]*volume),
	}
	s.readers.limit = opts.OpenVolumes
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, lock.Unlock(), d.Close())
	}
	for range opts.Writers {
		w := &writer{store: s}
		s.writers = append(s.writers, w)
		for range s.kind.figures().writesAtOnce {
			s.working.Go(w.run)
		}
	}
	return s, nil
}

// load finds the volumes, recovers those that were not sealed, and drops those that hold nothing.
func (s *Store) load(ctx context.Context) error {
	entries, err := s.dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if isDead(entry.Name()) {
			if err := s.dir.RemoveAll(entry.Name()); err != nil {
				s.opts.Alarm(err)
			}
		}
		id, k, ok := parseName(entry.Name())
		if !ok {
			continue
		}
		if other := s.byID[id]; other != nil {
			s.opts.Alarm(fmt.Errorf("blob: %s has volume %d twice", s.dir.Path(), id))
			continue
		}
		v := &volume{id: id, dir: s.dir, kind: k, files: k.files(s.dir, entry.Name())}
		s.nextID = max(s.nextID, id)
		if v.load(s.opts.Alarm) {
			err := v.remove()
			if err == nil {
				continue
			}
			s.opts.Alarm(err) // nothing is in it: that must not keep anybody from what is in the others
		}
		s.byID[id] = v
	}
	return nil
}

// enter begins a call; the caller must call s.gate.Leave when it is done.
func (s *Store) enter(ctx context.Context) error { return s.gate.Enter(ctx, blob.ErrClosed) }

// Put implements blob.Store. The context is honoured until a writer takes the frame.
func (s *Store) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	if len(frame) > blob.MaxFrameSize {
		return blob.Ref{}, fmt.Errorf("%w: %d bytes", blob.ErrFrameSize, len(frame))
	}
	if err := s.enter(ctx); err != nil {
		return blob.Ref{}, err
	}
	defer s.gate.Leave()
	r := s.requests.Get().(*putRequest)
	defer s.requests.Put(r)
	r.id, r.frame = id, frame
	s.kind.prepare(r)
	select {
	case s.puts <- r:
		return r.result() // the writer reads the frame until then
	case <-ctx.Done():
		return blob.Ref{}, ctx.Err()
	}
}

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.Leave()
	v := s.lookup(ref.Volume)
	if v == nil {
		return nil, &blob.CorruptionError{
			Volume: ref.Volume, ID: ref.ID, Reason: "the volume is missing",
		}
	}
	frame, opened, err := v.read(ref, buf)
	if opened {
		err = errors.Join(err, s.readers.opened(v))
	}
	if err != nil {
		return nil, err
	}
	return frame, nil
}

// Probe implements blob.Store. It costs one read of the 40 to 50 bytes before the frame, and a look
// at the file's size.
func (s *Store) Probe(ctx context.Context, ref blob.Ref) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	v := s.lookup(ref.Volume)
	if v == nil {
		return &blob.CorruptionError{
			Volume: ref.Volume, ID: ref.ID, Reason: "the volume is missing",
		}
	}
	opened, err := v.probe(ref)
	if opened {
		err = errors.Join(err, s.readers.opened(v))
	}
	return err
}

// Sync implements blob.Store.
func (s *Store) Sync(ctx context.Context, volumes ...uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	errs := make([]error, len(volumes))
	var flushes sync.WaitGroup
	for i, id := range volumes {
		v := s.lookup(id)
		if v == nil {
			errs[i] = fmt.Errorf("%w: %d", blob.ErrNoVolume, id)
			continue
		}
		flushes.Go(func() { errs[i] = v.flush.sync(ctx) })
	}
	flushes.Wait()
	return mapNoSpace(errors.Join(errs...))
}

// Volumes implements blob.Store.
func (s *Store) Volumes(ctx context.Context) ([]blob.VolumeInfo, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.Leave()
	infos := make([]blob.VolumeInfo, 0, 16)
	for _, v := range s.all() {
		info := v.describe()
		info.Outdated = v.kind != s.kind
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b blob.VolumeInfo) int { return cmp.Compare(a.ID, b.ID) })
	return infos, nil
}

// all returns the volumes of the store.
func (s *Store) all() []*volume {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.byID))
}

// Seal implements blob.Store.
func (s *Store) Seal(ctx context.Context, id uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	v := s.lookup(id)
	if v == nil {
		return fmt.Errorf("%w: %d", blob.ErrNoVolume, id)
	}
	for _, w := range s.writers {
		w.retireVolume(v)
	}
	return v.awaitSeal(ctx)
}

// Trim implements blob.Store: it punches holes. Where the platform or the file system has none, the
// error matches errors.ErrUnsupported.
func (s *Store) Trim(ctx context.Context, id uint64, live []blob.Ref) (freed int64, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.Leave()
	v, err := s.lookupSealed(id)
	if err != nil {
		return 0, err
	}
	if freed, err = v.trim(ctx, live, s.punchHole); err != nil {
		err = fmt.Errorf("blob: trimming volume %d: %w", id, err)
	}
	return freed, mapNoSpace(err)
}

// Remove implements blob.Store.
func (s *Store) Remove(ctx context.Context, id uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	v, err := s.lookupSealed(id)
	if err != nil {
		return err
	}
	if err := v.remove(); err != nil {
		return fmt.Errorf("blob: removing volume %d: %w", id, err)
	}
	s.readers.forget(v)
	s.mu.Lock()
	delete(s.byID, id)
	s.mu.Unlock()
	return nil
}

// Free implements blob.Store. It is what the file system has free, of which the last
// Options.ReserveSpace bytes are not for frames.
func (s *Store) Free() (int64, error) {
	if err := s.enter(context.Background()); err != nil {
		return 0, err
	}
	defer s.gate.Leave()
	space, err := s.spaceOf()
	return space.Bytes, err
}

// NumberAfter implements blob.Store.
func (s *Store) NumberAfter(volume uint64) error {
	if err := s.enter(context.Background()); err != nil {
		return err
	}
	defer s.gate.Leave()
	if volume > blob.MaxVolume {
		return fmt.Errorf(
			"blob: volume %d has no number behind it, the greatest is %d", volume,
			uint64(blob.MaxVolume),
		)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID = max(s.nextID, volume)
	return nil
}

// Close implements blob.Store. Every active volume is sealed.
func (s *Store) Close() error {
	if !s.gate.Shut() {
		return blob.ErrClosed
	}
	s.gate.Wait()
	close(s.stop)
	s.working.Wait()
	for _, w := range s.writers {
		w.close()
	}
	s.sealing.Wait()
	var errs []error
	for _, v := range s.byID {
		errs = append(errs, v.release(), v.flush.err())
	}
	return errors.Join(append(errs, s.disk.Close(), s.lock.Unlock(), s.dir.Close())...)
}

func (s *Store) lookup(id uint64) *volume {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// lookupSealed returns a volume that takes no writes.
func (s *Store) lookupSealed(id uint64) (*volume, error) {
	v := s.lookup(id)
	switch {
	case v == nil:
		return nil, fmt.Errorf("%w: %d", blob.ErrNoVolume, id)
	case v.isActive():
		return nil, fmt.Errorf("%w: %d", blob.ErrVolumeActive, id)
	}
	return v, nil
}

// create makes a new volume, which is active but not yet one of the store.
func (s *Store) create() (*volume, error) {
	s.mu.Lock()
	s.nextID++
	id := s.nextID
	s.mu.Unlock()
	v, err := createVolume(s.dir, id, &s.opts, &s.disk)
	if err != nil {
		return nil, fmt.Errorf("blob: creating volume %d: %w", id, err)
	}
	return v, nil
}

// adopt makes a volume one of the store.
func (s *Store) adopt(v *volume) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[v.id] = v
}

// mapNoSpace makes errors of a full disk match ErrNoSpace.
func mapNoSpace(err error) error {
	if err == nil || errors.Is(err, blob.ErrNoSpace) || !disk.IsNoSpace(err) {
		return err
	}
	return fmt.Errorf("%w: %w", blob.ErrNoSpace, err)
}
