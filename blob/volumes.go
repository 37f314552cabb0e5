package blob

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/gabion-storage/gabion/internal/disk"
)

// deadPrefix starts the name of a volume directory whose removal has begun.
const deadPrefix = "dead-"

// Volumes is the Store on disk: a directory of volumes, each one a Badger database.
type Volumes struct {
	dir  string
	opts Options
	lock *disk.Lock

	puts    chan *putRequest // unbuffered: a put that a writer has taken is answered
	stop    chan struct{}    // closed by Close when no call is under way
	writers []*writer
	working sync.WaitGroup // the writers
	sealing sync.WaitGroup

	calls sync.WaitGroup

	mu      sync.Mutex // guards what follows, and that calls are added only while open; never held during I/O
	closed  bool
	byID    map[uint64]*volume
	nextID  uint64
	readers readerCache
}

var _ Store = (*Volumes)(nil)

// OpenVolumes opens the store in dir, which must exist, and recovers the volumes that an unclean
// stop left behind. A volume that cannot be recovered does not fail the open: Volumes reports its
// damage, and reading from it is a *CorruptionError. A second open of the same directory fails
// with an error matching disk.ErrLocked. nil options work.
func OpenVolumes(ctx context.Context, dir string, o *Options) (_ *Volumes, err error) {
	opts := o.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	lock, err := disk.LockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Volumes{
		dir: dir, opts: opts, lock: lock,
		puts: make(chan *putRequest),
		stop: make(chan struct{}),
		byID: make(map[uint64]*volume),
	}
	s.readers.limit = opts.OpenVolumes
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	for range opts.Writers {
		w := &writer{store: s}
		s.writers = append(s.writers, w)
		s.working.Go(w.run)
	}
	return s, nil
}

// load finds the volumes and recovers, side by side, those that were not sealed.
func (s *Volumes) load(ctx context.Context) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var recovering sync.WaitGroup
	defer recovering.Wait()
	slots := make(chan struct{}, s.opts.Writers)
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(s.dir, entry.Name())
		if strings.HasPrefix(entry.Name(), deadPrefix) {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			continue
		}
		id, ok := parseVolumeName(entry.Name())
		if !ok {
			continue
		}
		v := &volume{id: id, dir: path, alarm: s.opts.Alarm, info: VolumeInfo{ID: id}}
		s.byID[id] = v
		s.nextID = max(s.nextID, id)
		slots <- struct{}{}
		recovering.Go(func() {
			defer func() { <-slots }()
			v.load(&s.opts)
		})
	}
	recovering.Wait()
	return s.dropEmpty()
}

// load fills in what the volume holds, recovering it first if it was not sealed.
func (v *volume) load(o *Options) {
	sealed, err := isSealed(v.dir)
	switch {
	case err != nil:
	case sealed:
		v.info.Frames, v.info.Bytes, err = readSeal(v.dir)
	default:
		v.info, err = recoverVolume(v.dir, v.id, o)
	}
	if err != nil {
		v.damage = err
		v.info = VolumeInfo{ID: v.id, Damage: err}
	}
}

// dropEmpty removes volumes that never held anything: a crash came between their creation and the
// first batch.
func (s *Volumes) dropEmpty() error {
	for id, v := range s.byID {
		if v.damage == nil && v.info.Frames == 0 && neverWritten(v.dir) {
			if err := v.remove(); err != nil {
				return err
			}
			delete(s.byID, id)
		}
	}
	return nil
}

// neverWritten reports whether the value logs in dir have no records. A volume whose keys were lost
// is kept: somebody may want to rescue what its log still holds.
func neverWritten(dir string) bool {
	const logHeader = 20
	logs, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	if err != nil {
		return false
	}
	for _, log := range logs {
		if info, err := os.Stat(log); err != nil || info.Size() > logHeader {
			return false
		}
	}
	return true
}

func volumeName(id uint64) string { return fmt.Sprintf("%016x", id) }

func parseVolumeName(name string) (uint64, bool) {
	id, err := strconv.ParseUint(name, 16, 64)
	return id, err == nil && name == volumeName(id)
}

// enter begins a call; the caller must call s.calls.Done when it is done.
func (s *Volumes) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.calls.Add(1)
	return nil
}

// Put implements Store. The context is honoured until a writer takes the frame.
func (s *Volumes) Put(ctx context.Context, id ID, frame []byte) (Ref, error) {
	if len(frame) > MaxFrameSize || (load{}).plus(frame).logBytes() > s.opts.VolumeSize {
		return Ref{}, fmt.Errorf("%w: %d bytes, volumes take %d", ErrFrameSize, len(frame), s.opts.VolumeSize)
	}
	if err := s.enter(ctx); err != nil {
		return Ref{}, err
	}
	defer s.calls.Done()
	r := &putRequest{id: id, frame: frame, done: make(chan struct{})}
	select {
	case s.puts <- r:
	case <-ctx.Done():
		return Ref{}, ctx.Err()
	}
	<-r.done // the writer reads the frame until then
	return r.ref, r.err
}

// Get implements Store.
func (s *Volumes) Get(ctx context.Context, ref Ref, buf []byte) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	v := s.lookup(ref.Volume)
	if v == nil {
		return nil, &CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "the volume is missing"}
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

// Sync implements Store.
func (s *Volumes) Sync(ctx context.Context, volumes ...uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	errs := make([]error, len(volumes))
	var flushes sync.WaitGroup
	for i, id := range volumes {
		v := s.lookup(id)
		if v == nil {
			errs[i] = fmt.Errorf("%w: %d", ErrNoVolume, id)
			continue
		}
		flushes.Go(func() { errs[i] = v.sync(ctx) })
	}
	flushes.Wait()
	return mapNoSpace(errors.Join(errs...))
}

// Volumes implements Store.
func (s *Volumes) Volumes(ctx context.Context) ([]VolumeInfo, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := make([]VolumeInfo, 0, len(s.byID))
	for _, v := range s.byID {
		infos = append(infos, v.describe())
	}
	sortByID(infos)
	return infos, nil
}

// Seal implements Store.
func (s *Volumes) Seal(ctx context.Context, id uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	v := s.lookup(id)
	if v == nil {
		return fmt.Errorf("%w: %d", ErrNoVolume, id)
	}
	for _, w := range s.writers {
		w.retireVolume(v)
	}
	return v.awaitSeal(ctx)
}

// Remove implements Store.
func (s *Volumes) Remove(ctx context.Context, id uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	v := s.lookup(id)
	if v == nil {
		return fmt.Errorf("%w: %d", ErrNoVolume, id)
	}
	if v.describe().Active {
		return fmt.Errorf("%w: %d", ErrVolumeActive, id)
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

// Close implements Store. Every active volume is sealed.
func (s *Volumes) Close() error {
	if !s.shut() {
		return ErrClosed
	}
	s.calls.Wait()
	close(s.stop)
	s.working.Wait()
	s.sealing.Wait()
	var errs []error
	for _, v := range s.byID {
		errs = append(errs, v.release(), v.flush.err())
	}
	return errors.Join(append(errs, s.lock.Unlock())...)
}

// shut lets no more calls in. It is true the first time.
func (s *Volumes) shut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.closed
	s.closed = true
	return first
}

func (s *Volumes) lookup(id uint64) *volume {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// create makes a new volume, which is active but not yet one of the store.
func (s *Volumes) create() (*volume, error) {
	s.mu.Lock()
	s.nextID++
	id := s.nextID
	s.mu.Unlock()
	v, err := createVolume(filepath.Join(s.dir, volumeName(id)), id, &s.opts)
	if err != nil {
		return nil, fmt.Errorf("blob: creating volume %d: %w", id, err)
	}
	return v, nil
}

// adopt makes a volume one of the store.
func (s *Volumes) adopt(v *volume) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[v.id] = v
}

// mapNoSpace makes errors of a full disk match ErrNoSpace.
func mapNoSpace(err error) error {
	if err == nil || errors.Is(err, ErrNoSpace) || !disk.IsNoSpace(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNoSpace, err)
}
