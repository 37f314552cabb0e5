package blob

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
)

// Memory is a Store that keeps everything in memory and loses it at Close: the reference for the
// contract, and a store for tests.
type Memory struct {
	volumeSize int64

	mu      sync.RWMutex // guards everything below
	closed  bool
	active  uint64 // 0: none
	latest  uint64
	volumes map[uint64]*memoryVolume
}

type memoryVolume struct {
	frames map[ID]memoryFrame
	bytes  int64 // of all frames that were put
	count  int64 // and how many
	held   int64 // bytes of those in frames
}

type memoryFrame struct {
	offset uint32
	bytes  []byte
}

// defaultVolumeSize is of how many bytes the volumes of a Memory are, unless NewMemory is told
// otherwise.
const defaultVolumeSize = 256 << 20

// NewMemory returns an empty store whose volumes take about volumeSize bytes each, 256 MiB if it is
// 0.
func NewMemory(volumeSize int64) *Memory {
	if volumeSize <= 0 {
		volumeSize = defaultVolumeSize
	}
	return &Memory{volumeSize: volumeSize, volumes: make(map[uint64]*memoryVolume)}
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, id ID, frame []byte) (Ref, error) {
	if err := ctx.Err(); err != nil {
		return Ref{}, err
	}
	if len(frame) > MaxFrameSize {
		return Ref{}, fmt.Errorf("%w: %d bytes", ErrFrameSize, len(frame))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Ref{}, ErrClosed
	}
	v := m.volumes[m.active]
	if v == nil || v.bytes+int64(len(frame)) > m.volumeSize {
		m.latest++
		m.active = m.latest
		v = &memoryVolume{frames: make(map[ID]memoryFrame)}
		m.volumes[m.active] = v
	}
	held, ok := v.frames[id]
	if !ok {
		held = memoryFrame{uint32(v.bytes), slices.Clone(frame)}
		v.frames[id] = held
		v.bytes += int64(len(frame))
		v.held += int64(len(frame))
		v.count++
	}
	return Ref{ID: id, Volume: m.active, Offset: held.offset, Size: uint32(len(held.bytes))}, nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, ref Ref, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	frame, err := m.findLocked(ref)
	if err != nil {
		return nil, err
	}
	return append(buf[:0], frame...), nil
}

// Probe implements Store.
func (m *Memory) Probe(ctx context.Context, ref Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	_, err := m.findLocked(ref)
	return err
}

func (m *Memory) findLocked(ref Ref) ([]byte, error) {
	v := m.volumes[ref.Volume]
	if v == nil {
		return nil, &CorruptionError{
			Volume: ref.Volume, ID: ref.ID, Reason: "the volume is missing",
		}
	}
	frame, ok := v.frames[ref.ID]
	if !ok || frame.offset != ref.Offset {
		return nil, &CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: "the frame is missing"}
	}
	if len(frame.bytes) != int(ref.Size) {
		return nil, &CorruptionError{
			Volume: ref.Volume, ID: ref.ID,
			Reason: fmt.Sprintf("the frame does not have the %d bytes that are wanted", ref.Size),
		}
	}
	return frame.bytes, nil
}

// Sync implements Store; there is nothing to flush.
func (m *Memory) Sync(ctx context.Context, volumes ...uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	for _, id := range volumes {
		if m.volumes[id] == nil {
			return fmt.Errorf("%w: %d", ErrNoVolume, id)
		}
	}
	return nil
}

// Volumes implements Store.
func (m *Memory) Volumes(ctx context.Context) ([]VolumeInfo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	infos := make([]VolumeInfo, 0, len(m.volumes))
	for id, v := range m.volumes {
		infos = append(infos, VolumeInfo{
			ID: id, Bytes: v.bytes, Frames: v.count, Size: v.bytes, DiskBytes: v.held,
			Active: id == m.active,
		})
	}
	slices.SortFunc(infos, func(a, b VolumeInfo) int { return cmp.Compare(a.ID, b.ID) })
	return infos, nil
}

// Seal implements Store.
func (m *Memory) Seal(ctx context.Context, volume uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case m.volumes[volume] == nil:
		return fmt.Errorf("%w: %d", ErrNoVolume, volume)
	case volume == m.active:
		m.active = 0
	}
	return nil
}

// Trim implements Store.
func (m *Memory) Trim(ctx context.Context, volume uint64, live []Ref) (freed int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return 0, ErrClosed
	case m.volumes[volume] == nil:
		return 0, fmt.Errorf("%w: %d", ErrNoVolume, volume)
	case volume == m.active:
		return 0, fmt.Errorf("%w: %d", ErrVolumeActive, volume)
	}
	v := m.volumes[volume]
	before := v.held
	kept := make(map[ID]memoryFrame, len(live))
	v.held = 0
	for _, ref := range live {
		if frame, ok := v.frames[ref.ID]; ok && frame.offset == ref.Offset {
			kept[ref.ID] = frame
			v.held += int64(len(frame.bytes))
		}
	}
	v.frames = kept
	return before - v.held, nil
}

// Remove implements Store.
func (m *Memory) Remove(ctx context.Context, volume uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case m.volumes[volume] == nil:
		return fmt.Errorf("%w: %d", ErrNoVolume, volume)
	case volume == m.active:
		return fmt.Errorf("%w: %d", ErrVolumeActive, volume)
	}
	delete(m.volumes, volume)
	return nil
}

// Free implements Store. Nothing bounds a Memory.
func (m *Memory) Free() (int64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return 0, ErrClosed
	}
	return math.MaxInt64, nil
}

// NumberAfter implements Store.
func (m *Memory) NumberAfter(volume uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case volume > MaxVolume:
		return fmt.Errorf(
			"blob: volume %d has no number behind it, the greatest is %d", volume,
			uint64(MaxVolume),
		)
	}
	m.latest = max(m.latest, volume)
	return nil
}

// Close implements Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.closed, m.volumes = true, nil
	return nil
}
