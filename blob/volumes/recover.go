package volumes

import (
	"errors"
	"fmt"
	"io"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// largestLog is more than a log ever has: of the largest volume, or of one frame that is larger
// than its volume, with what is around it.
const largestLog = MaxVolumeSize + 2*disk.BlockSize + footerSize

// load fills in what a volume found on disk holds, recovering it first if it was not sealed. It
// reports whether the volume never held anything: a crash came before its first batch.
func (v *volume) load(alarm func(error)) (empty bool) {
	found, err := v.inspect(alarm)
	if err != nil {
		v.info = blob.VolumeInfo{ID: v.id, Damage: err}
		v.info.Size, v.info.DiskBytes, _ = v.onDisk()
		return false
	}
	size, occupied, err := v.onDisk()
	if err != nil {
		alarm(err)
	}
	v.info = blob.VolumeInfo{
		ID: v.id, Frames: found.frames, Bytes: found.bytes, Size: size, DiskBytes: occupied,
	}
	v.footed = found.footed
	return found.end == 0
}

func (v *volume) inspect(alarm func(error)) (found contents, err error) {
	f, err := v.dir.Open(v.name)
	if err != nil {
		return contents{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return contents{}, err
	}
	if info.Size() > largestLog {
		// Looking through a terabyte of nothing would take hours.
		return contents{}, fmt.Errorf(
			"the log has %d bytes, a volume has at most %d", info.Size(), int64(largestLog),
		)
	}
	frames, bytes, sealed, err := readFooter(f, info.Size())
	if err != nil || sealed {
		return contents{frames: frames, bytes: bytes, end: info.Size(), footed: true}, err
	}
	if found, err = survey(f, info.Size()); err != nil || found.end == 0 {
		return found, err
	}
	if err := v.finish(found); err != nil {
		alarm(err) // on a full disk, say; the frames can be read all the same
		return found, nil
	}
	found.footed = true
	return found, nil
}

// finish seals a volume that the process or the machine stopped to write.
func (v *volume) finish(found contents) error {
	f, err := v.dir.OpenWritable(v.name)
	if err != nil {
		return err
	}
	err = writeFooter(
		f, disk.RoundUp(found.end), blob.VolumeInfo{Frames: found.frames, Bytes: found.bytes},
	)
	return errors.Join(err, f.Close())
}

// contents are what a log holds.
type contents struct {
	frames, bytes int64
	end           int64 // behind it lie only zeros that mean nothing
	footed        bool  // there is a footer that says so
}

// survey finds the records of a log of so many bytes by their headers. A batch begins with a block,
// and any one may be missing: those after it may have been written, and synced, before it.
func survey(log io.ReaderAt, size int64) (found contents, err error) {
	for at := int64(0); at+recordOverhead <= size; {
		var h recordHeader
		if _, err := log.ReadAt(h[:], at); err != nil {
			return contents{}, err
		}
		n, ok := h.parse()
		next := at + recordOverhead + int64(n)
		if !ok || next > size {
			at = disk.RoundUp(at + 1)
			continue
		}
		found.frames++
		found.bytes += int64(n)
		found.end = next
		at = next
	}
	found.end, err = lastData(log, found.end, size)
	return found, err
}

// lastData returns where the last data between from and size ends, or from: behind the last record
// that was found there may be one whose header is damaged. Its checksum may end in zeros, so what
// it could take behind the last byte that is not zero counts, too.
func lastData(log io.ReaderAt, from, size int64) (int64, error) {
	block := make([]byte, 256<<10)
	for end := size; end > from; {
		n := min(end-from, int64(len(block)))
		if _, err := log.ReadAt(block[:n], end-n); err != nil {
			return 0, err
		}
		for i := n; i > 0; i-- {
			if block[i-1] != 0 {
				return end - n + i + sumSize, nil
			}
		}
		end -= n
	}
	return from, nil
}
