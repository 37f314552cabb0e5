package s3blob

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/blob"
)

// volumeBits is how many bits of a volume's number count the volumes of an opening.
const volumeBits = 32

const (
	volumesDir  = "volumes/"
	openingsDir = "openings/"
)

// volumeName is the name of a volume of so many frames.
func (s *Store) volumeName(id uint64, frames int64) string {
	return s.volumeStem(id) + strconv.FormatInt(frames, 10)
}

// volumeStem is what the name of a volume begins with, and of no other.
func (s *Store) volumeStem(id uint64) string {
	return fmt.Sprintf("%s%s%016x-", s.options.Prefix, volumesDir, id)
}

// parseVolume returns what the object of a volume says by its name and size. ok is false for what
// is no volume.
func (s *Store) parseVolume(name string, size int64) (info blob.VolumeInfo, ok bool) {
	number, count, ok := strings.Cut(strings.TrimPrefix(name, s.options.Prefix+volumesDir), "-")
	id, err := strconv.ParseUint(number, 16, 64)
	frames, err2 := strconv.ParseInt(count, 10, 32)
	if !ok || err != nil || err2 != nil || id == 0 || frames < 1 || s.volumeName(id, frames) != name {
		return info, false
	}
	info = blob.VolumeInfo{
		ID: id, Frames: frames, Bytes: size - int64(len(magic)) - frames*int64(recordHeader),
		Size: size, DiskBytes: size,
	}
	if info.Bytes < 0 {
		info.Damage = &blob.CorruptionError{
			Volume: id, Reason: fmt.Sprintf("its %d bytes are too few for %d frames", size, frames),
		}
		info.Bytes, info.Frames = 0, 0
	}
	return info, true
}

// openingName is the name of the object by which the number of an opening is taken. Greater numbers
// have smaller names.
func (s *Store) openingName(opening uint64) string {
	return fmt.Sprintf("%s%s%08x", s.options.Prefix, openingsDir, MaxOpenings-opening)
}

// parseOpening returns the number that such an object takes.
func (s *Store) parseOpening(name string) (opening uint64, ok bool) {
	number := strings.TrimPrefix(name, s.options.Prefix+openingsDir)
	below, err := strconv.ParseUint(number, 16, 64)
	opening = MaxOpenings - below
	return opening, err == nil && s.openingName(opening) == name
}
