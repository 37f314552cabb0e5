package blob

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	// preallocateAhead is how far the value log's blocks are set aside before they are written.
	preallocateAhead = 8 << 20

	// sealSpace is how much of that is always left: what Badger needs when the volume is closed,
	// above all for the table of its keys. Sealing gives it free first, so that it works, and does
	// not kill the process, though somebody else has taken the last block of the disk.
	sealSpace = memTableSize
)

// A volume is one Badger database in a directory of its own. It begins active: one writer appends
// to it. Sealing ends that for good: the database is closed, its files are listed with checksums,
// and from then on it is opened read-only when somebody reads.
type volume struct {
	id    uint64
	dir   string
	alarm func(error)

	// Used by the volume's writer only, until it is sealed.
	ts        uint64        // commit timestamp of the last batch
	sizes     map[ID]uint32 // the frames appended
	records   int           // keys in the database
	offset    int64         // upper bound of the value log's end
	allocated int64         // end of the value log's preallocated blocks

	// mu is held for reading while the database is in use and for writing to open or close it.
	mu      sync.RWMutex
	db      *badger.DB // nil while nobody needs it
	damage  error      // why the volume cannot be opened
	removed bool

	flush  flushState
	pusher pusher
	sealed chan struct{} // closed when the volume takes no more writes

	infoMu sync.Mutex // guards info; taken last
	info   VolumeInfo
}

// createVolume makes a new volume in dir, durably. Before anything is appended to it, reserveKeys must
// be called.
func createVolume(dir string, id uint64, o *Options) (_ *volume, err error) {
	v := &volume{
		id: id, dir: dir, alarm: o.Alarm,
		sizes: make(map[ID]uint32), sealed: make(chan struct{}),
		info: VolumeInfo{ID: id, Active: true},
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.discard())
		}
	}()
	if v.db, err = openBadger(badgerOptions(dir, o.VolumeSize, o.Alarm)); err != nil {
		return nil, err
	}
	if err := v.flush.open(dir); err != nil {
		return nil, err
	}
	v.pusher.mapping = disk.FindMapping(v.flush.log)
	// The entries of the files just made must outlive a power loss as well as their content.
	return v, errors.Join(disk.SyncDir(dir), disk.SyncDir(filepath.Dir(dir)))
}

// reserveKeys sets aside the room for the volume's keys.
func (v *volume) reserveKeys() error { return disk.Preallocate(v.flush.wal, 0, memTableSize) }

// discard closes and deletes a volume that holds nothing.
func (v *volume) discard() error {
	err := v.flush.close()
	if v.db != nil {
		err = errors.Join(err, v.db.Close())
		v.db = nil
	}
	return errors.Join(err, os.RemoveAll(v.dir))
}

// fits reports whether a batch can still be appended.
func (v *volume) fits(l load, volumeSize int64) bool {
	return v.records+l.records <= maxVolumeKeys && v.offset+l.logBytes() <= volumeSize
}

// halfFull reports whether half of what the volume takes has been appended.
func (v *volume) halfFull(volumeSize int64) bool {
	return v.records >= maxVolumeKeys/2 || v.offset >= volumeSize/2
}

// append writes the frames of batch, whose load is l, and none of which the volume holds. After an
// error other than one that disk.IsNoSpace recognises, it is not known which of them were written.
func (v *volume) append(batch []*putRequest, l load, volumeSize int64) error {
	end := v.offset + l.logBytes()
	if end+sealSpace > v.allocated {
		// Badger writes through a memory map: a block that cannot be had then kills the process.
		// Here it is an error, and the frames have not been touched.
		upTo := min(end+preallocateAhead, max(end, volumeSize)+sealSpace)
		if err := disk.Preallocate(v.flush.log, v.allocated, upTo-v.allocated); err != nil {
			return err
		}
		v.allocated = upTo
	}
	v.ts++
	if err := appendBatch(v.db, v.ts, batch); err != nil {
		return err
	}
	v.offset = end
	v.records += l.records
	for _, r := range batch {
		v.sizes[r.id] = uint32(len(r.frame))
	}
	v.infoMu.Lock()
	v.info.Bytes += l.bytes
	v.info.Frames += int64(len(batch))
	v.infoMu.Unlock()
	v.flush.wrote()
	v.push(end, pieceKey(batch[0].id, 0))
	return nil
}

// describe returns a copy of the volume's info.
func (v *volume) describe() VolumeInfo {
	v.infoMu.Lock()
	defer v.infoMu.Unlock()
	return v.info
}

// sync makes what has been appended durable; see Store.Sync.
func (v *volume) sync(ctx context.Context) error {
	return v.flush.sync(ctx, func() error {
		// On Linux fsync covers pages written through a memory map; elsewhere Badger must push
		// them to the file first.
		if runtime.GOOS == "linux" {
			return nil
		}
		v.mu.RLock()
		defer v.mu.RUnlock()
		if v.db == nil {
			return nil
		}
		return v.db.Sync()
	})
}

// seal ends writing: everything is made durable, the database closed and its files listed. Reads
// wait meanwhile. A volume that could not be closed cleanly stays without its list and is recovered
// by the next OpenVolumes.
func (v *volume) seal() error {
	defer func() {
		v.infoMu.Lock()
		v.info.Active = false
		v.infoMu.Unlock()
		close(v.sealed)
	}()
	v.pusher.running.Wait()
	syncErr := v.sync(context.Background())

	v.mu.Lock()
	defer v.mu.Unlock()
	syncErr = errors.Join(syncErr, v.freeTail())
	closeErr := v.db.Close()
	v.db = nil
	v.sizes = nil
	if err := errors.Join(syncErr, closeErr, v.flush.close()); err != nil {
		return fmt.Errorf("blob: sealing volume %d: %w", v.id, err)
	}
	if err := writeSeal(v.dir, v.describe()); err != nil {
		return fmt.Errorf("blob: sealing volume %d: %w", v.id, err)
	}
	return nil
}

// freeTail gives back what was set aside behind the frames.
func (v *volume) freeTail() error {
	const block = 4 << 10
	from := (v.offset + block - 1) / block * block
	if from >= v.allocated {
		return nil
	}
	return disk.Deallocate(v.flush.log, from, v.allocated-from)
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
func (v *volume) read(ref Ref, buf []byte) (frame []byte, opened bool, err error) {
	for {
		v.mu.RLock()
		if v.db != nil {
			frame, err = frameOf(v.db, ref, buf)
			v.mu.RUnlock()
			return frame, opened, err
		}
		v.mu.RUnlock()
		if err := v.open(); err != nil {
			return nil, opened, err
		}
		opened = true
	}
}

// open opens a sealed volume for reading, after its files have been checked: Badger may crash on
// damaged ones.
func (v *volume) open() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.db != nil:
		return nil
	case v.removed:
		return &CorruptionError{Volume: v.id, Reason: "the volume has been removed"}
	case v.damage != nil:
		return &CorruptionError{Volume: v.id, Reason: "the volume cannot be opened", Err: v.damage}
	}
	v.db, v.damage = openSealed(v.dir, v.alarm)
	if v.damage != nil {
		if isTransient(v.damage) {
			err := v.damage
			v.damage = nil
			return fmt.Errorf("blob: opening volume %d: %w", v.id, err)
		}
		return &CorruptionError{Volume: v.id, Reason: "the volume cannot be opened", Err: v.damage}
	}
	return nil
}

// release closes the database of a sealed volume; the next read opens it again.
func (v *volume) release() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.releaseLocked()
}

func (v *volume) releaseLocked() error {
	if v.db == nil {
		return nil
	}
	err := v.db.Close()
	v.db = nil
	return err
}

// remove deletes a sealed volume once its readers are done.
func (v *volume) remove() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	// Under the same lock: a read in between would open the database again, for ever.
	if err := v.releaseLocked(); err != nil {
		return err
	}
	// A half-removed volume must not look like a damaged one after a crash: rename first.
	dead := filepath.Join(filepath.Dir(v.dir), deadPrefix+filepath.Base(v.dir))
	if err := os.Rename(v.dir, dead); err != nil {
		return err
	}
	v.removed = true
	return errors.Join(disk.SyncDir(filepath.Dir(v.dir)), os.RemoveAll(dead))
}
