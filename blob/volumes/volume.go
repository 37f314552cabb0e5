package volumes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A volume is a log of records, with what its kind keeps beside it. It begins active: one writer
// appends to it. Sealing ends that for good, and from then on the log is opened when somebody
// reads.
type volume struct {
	id    uint64
	dir   *disk.Dir
	kind  kind
	files files

	// Used by the volume's writer only, under its lock, until it is sealed.
	active active
	end    int64 // of the log: what comes next is written there
	frames int64 // that have a place

	writes sync.WaitGroup // under way, or about to be

	// trimMu is held to trim, however long that takes, and to remove; taken before mu. A trim does
	// not hold mu: who opens or closes the reader would wait for it, and whoever reads for them.
	trimMu sync.Mutex

	// mu is held for reading while the reader is in use and for writing to open or close it.
	mu      sync.RWMutex
	reader  *os.File // nil while nobody needs it
	removed bool     // written under both, so either will do to read it

	flush  flushState
	sealed chan struct{} // closed when the volume takes no more writes; nil if it never took any

	infoMu   sync.Mutex      // guards what follows; taken last
	info     blob.VolumeInfo // Size and DiskBytes of a sealed volume only
	measured time.Time       // when these were last found out; zero if never
	changed  time.Time       // when they were last changed by this process
	footed   bool            // it has its footer
}

// settling is how long a file system may take to tell what a file occupies after it has changed: ZFS
// does once it has written that, which it does all few seconds.
const settling = time.Minute

// createVolume makes a new volume, durably.
func createVolume(
	dir *disk.Dir, id uint64, o *Options, async *disk.Async,
) (_ *volume, err error) {
	k := kinds()[o.Kind]
	v := &volume{
		id: id, dir: dir, kind: k, files: k.files(dir, nameOf(k, id)), end: k.figures().start,
		sealed: make(chan struct{}), info: blob.VolumeInfo{ID: id, Active: true},
	}
	if v.active, err = v.files.create(o, async); err != nil {
		return nil, err
	}
	v.flush.disk, v.flush.file = async, v.active.synced()
	if v.reader, err = v.files.open(); err != nil {
		return nil, errors.Join(err, v.discard())
	}
	// Reading ahead in a log that is being written would find what is not there yet.
	disk.AdviseRandom(v.reader)
	return v, nil
}

// discard closes and deletes a volume that holds nothing.
func (v *volume) discard() error {
	return errors.Join(v.active.close(), v.flush.close(), v.release(), v.files.remove())
}

// fits reports whether so many frames, whose records have so many bytes, can still be appended.
func (v *volume) fits(frames int, size, volumeSize int64) bool {
	return v.end+size <= volumeSize && v.frames+int64(frames) <= v.kind.figures().mostFrames
}

// halfFull reports whether half of what the volume takes has been appended.
func (v *volume) halfFull(volumeSize int64) bool {
	return v.end >= volumeSize/2 || v.frames >= v.kind.figures().mostFrames/2
}

// reserve gives the frames of a batch, whose records have so many bytes, their places, and sets
// blocks aside, some bytes ahead. write must follow. After an error no frame has a place.
func (v *volume) reserve(batch []*putRequest, size, ahead int64) error {
	frames := v.frames + int64(len(batch))
	end, err := v.active.allocate(v.end+size, frames, ahead)
	if err != nil {
		return err
	}
	at := v.end
	for _, r := range batch {
		r.ref = blob.Ref{ID: r.id, Volume: v.id, Offset: uint32(at), Size: uint32(len(r.frame))}
		at += v.kind.recordSize(int64(len(r.frame)))
	}
	v.end, v.frames = end, frames
	return nil
}

// write writes the frames of a batch to their places. After an error it is not known which of them
// are there.
func (v *volume) write(out *appender, batch []*putRequest) error {
	if err := v.active.write(out, batch); err != nil {
		return err
	}
	v.flush.wrote()
	v.infoMu.Lock()
	defer v.infoMu.Unlock()
	v.info.Bytes += sizeOf(batch)
	v.info.Frames += int64(len(batch))
	return nil
}

// describe returns a copy of the volume's info.
func (v *volume) describe() blob.VolumeInfo {
	v.infoMu.Lock()
	info := v.info
	// What a sealed one occupies changes only when it is trimmed.
	due := v.measured.IsZero() || v.measured.Before(v.changed.Add(settling))
	v.infoMu.Unlock()
	switch {
	case info.Active: // it grows
		info.Size, info.DiskBytes, _ = v.files.usage(true)
	case due:
		if size, occupied, err := v.measure(); err == nil {
			info.Size, info.DiskBytes = size, occupied
		}
	}
	return info
}

// measure finds out what a volume that is not active occupies, and notes it.
func (v *volume) measure() (size, occupied int64, err error) {
	begun := time.Now() // what is changed meanwhile is not in it
	if size, occupied, err = v.files.usage(false); err != nil {
		return 0, 0, err
	}
	v.infoMu.Lock()
	defer v.infoMu.Unlock()
	v.info.Size, v.info.DiskBytes, v.measured = size, occupied, begun
	return size, occupied, nil
}

// change notes that what the volume occupies has changed.
func (v *volume) change() {
	v.infoMu.Lock()
	defer v.infoMu.Unlock()
	v.changed = time.Now()
}

// damage says why the volume's frames cannot be read, or nil.
func (v *volume) damage() error {
	v.infoMu.Lock()
	defer v.infoMu.Unlock()
	return v.info.Damage
}

// isActive reports whether the volume takes writes.
func (v *volume) isActive() bool {
	v.infoMu.Lock()
	defer v.infoMu.Unlock()
	return v.info.Active
}

// seal ends writing: everything is made durable and the volume gets its footer. One where that
// failed is recovered by the next Open.
func (v *volume) seal() error {
	footed := false
	defer func() {
		v.change()
		_, _, _ = v.measure() // describe tries again
		v.infoMu.Lock()
		v.info.Active, v.footed = false, footed
		v.infoMu.Unlock()
		close(v.sealed)
	}()
	v.writes.Wait()
	err := v.flush.sync(context.Background())
	if err == nil {
		v.infoMu.Lock()
		info := v.info
		v.infoMu.Unlock()
		err = v.active.finish(v.end, info)
		footed = err == nil && info.Frames > 0
	}
	// The reader goes, too: the next one may read ahead.
	if err := errors.Join(err, v.active.close(), v.flush.close(), v.release()); err != nil {
		return fmt.Errorf("blob: sealing volume %d: %w", v.id, err)
	}
	return nil
}

// awaitSeal returns when the volume, which has been retired or never was active, is sealed.
func (v *volume) awaitSeal(ctx context.Context) error {
	if v.sealed == nil { // it was found so
		return nil
	}
	select {
	case <-v.sealed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read returns the frame of ref in the storage of buf. It opens a sealed volume if need be and
// then says so.
func (v *volume) read(ref blob.Ref, buf []byte) (frame []byte, opened bool, err error) {
	opened, err = v.use(func(log *os.File) (err error) {
		frame, err = readFrame(v.kind, log, ref, buf)
		return err
	})
	return frame, opened, err
}

// probe looks for the head of ref's record. Like read, it says whether it opened the volume.
func (v *volume) probe(ref blob.Ref) (opened bool, err error) {
	if err := v.damage(); err != nil {
		return false, &blob.CorruptionError{
			Volume: ref.Volume, ID: ref.ID, Reason: "the volume is damaged", Err: err,
		}
	}
	return v.use(func(log *os.File) error { return probeFrame(v.kind, log, ref) })
}

// use calls fn with the volume's file, which stays open meanwhile. It opens a sealed volume if need
// be and then says so.
func (v *volume) use(fn func(log *os.File) error) (opened bool, err error) {
	for {
		v.mu.RLock()
		if v.reader != nil {
			err = fn(v.reader)
			v.mu.RUnlock()
			return opened, err
		}
		v.mu.RUnlock()
		if err := v.open(); err != nil {
			return opened, err
		}
		opened = true
	}
}

// probeFrame compares the head of a record, and the length of its log, with what ref promises.
func probeFrame(k kind, log *os.File, ref blob.Ref) error {
	if ref.Size > blob.MaxFrameSize {
		return corrupt(ref, "no frame has the %d bytes that are wanted", ref.Size)
	}
	h := k.head(ref)
	is := make([]byte, h.size)
	if _, err := log.ReadAt(is, int64(ref.Offset)); err != nil {
		return unreadable(ref, "the head of its record cannot be read", err)
	}
	if !bytes.Equal(is, h.bytes()) {
		return corrupt(ref, "no record of its %d bytes begins at %d", ref.Size, ref.Offset)
	}
	info, err := log.Stat()
	if err != nil {
		return unreadable(ref, "its log cannot be looked at", err)
	}
	if end := int64(ref.Offset) + k.recordSize(int64(ref.Size)); info.Size() < end {
		return corrupt(ref, "the log has %d bytes and the record ends at %d", info.Size(), end)
	}
	return nil
}

// readFrame reads a frame and the sum behind it, and compares that with what ref promises.
func readFrame(k kind, log io.ReaderAt, ref blob.Ref, buf []byte) ([]byte, error) {
	if ref.Size > blob.MaxFrameSize {
		return nil, corrupt(ref, "no frame has the %d bytes that are wanted", ref.Size)
	}
	n, h := int(ref.Size), k.head(ref)
	buf = slices.Grow(buf[:0], n+sumSize)[:n+sumSize]
	if _, err := log.ReadAt(buf, int64(ref.Offset)+int64(h.size)); err != nil {
		return nil, unreadable(ref, "the frame cannot be read", err)
	}
	frame := buf[:n]
	if h.trailer(frame) != trailer(buf[n:]) {
		return nil, corrupt(
			ref, "the checksum of its %d bytes at %d is wrong", ref.Size, ref.Offset,
		)
	}
	return frame, nil
}

// open opens a sealed volume for reading.
func (v *volume) open() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.reader != nil:
		return nil
	case v.removed:
		return &blob.CorruptionError{Volume: v.id, Reason: "the volume has been removed"}
	}
	f, err := v.files.open()
	if err != nil {
		return unreadable(blob.Ref{Volume: v.id}, "the volume cannot be opened", err)
	}
	v.reader = f
	return nil
}

// corrupt says what is wrong with a frame.
func corrupt(ref blob.Ref, format string, args ...any) error {
	return &blob.CorruptionError{
		Volume: ref.Volume, ID: ref.ID, Reason: fmt.Sprintf(format, args...),
	}
}

// unreadable says why a frame cannot be read. What is wrong with the process that reads, as that it
// has no file handles left, says nothing of the frame and is no corruption.
func unreadable(ref blob.Ref, reason string, err error) error {
	for _, passing := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EINTR, syscall.EAGAIN, fs.ErrClosed} {
		if errors.Is(err, passing) {
			return fmt.Errorf("blob: reading volume %d: %s: %w", ref.Volume, reason, err)
		}
	}
	return &blob.CorruptionError{Volume: ref.Volume, ID: ref.ID, Reason: reason, Err: err}
}

// release closes the reader; the next read opens it again.
func (v *volume) release() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.releaseLocked()
}

func (v *volume) releaseLocked() error {
	if v.reader == nil {
		return nil
	}
	err := v.reader.Close()
	v.reader = nil
	return err
}

// remove deletes a sealed volume once its readers are done.
func (v *volume) remove() error {
	v.trimMu.Lock()
	defer v.trimMu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	// Under the same lock: a read in between would open the file again, for ever.
	if err := v.releaseLocked(); err != nil {
		return err
	}
	if err := v.files.remove(); err != nil {
		return err
	}
	v.removed = true
	return v.dir.Sync()
}
