package blob

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/internal/disk"
)

// A sealed volume has two files of ours beside Badger's:
//
//	VOLUME   one line: what the volume holds, for the accounting
//	SUMS     size and checksum of every file but the value log (see internal/disk)
//
// SUMS is written last: a volume without it was not sealed and must be recovered. The value log is
// left out because each of its records has a checksum of its own, verified at every read.
const volumeFile = "VOLUME"

// Format 1 of VOLUME; the last field is the CRC-32C of the line up to there.
const volumeLine = "gabion volume 1 frames %d bytes %d"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func writeSeal(dir string, info VolumeInfo) error {
	line := fmt.Sprintf(volumeLine, info.Frames, info.Bytes)
	line = fmt.Sprintf("%s %08x\n", line, crc32.Checksum([]byte(line), castagnoli))
	if err := disk.WriteFile(filepath.Join(dir, volumeFile), []byte(line), 0o644); err != nil {
		return err
	}
	return disk.WriteSums(dir, func(name string) bool { return !strings.HasSuffix(name, ".vlog") })
}

// isSealed reports whether the volume in dir was sealed.
func isSealed(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, disk.SumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// readSeal returns what VOLUME says of a sealed volume.
func readSeal(dir string) (frames, bytes int64, err error) {
	path := filepath.Join(dir, volumeFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	line, sum := splitLast(strings.TrimSuffix(string(data), "\n"))
	if sum != fmt.Sprintf("%08x", crc32.Checksum([]byte(line), castagnoli)) {
		return 0, 0, fmt.Errorf("%s is damaged", path)
	}
	if _, err := fmt.Sscanf(line, volumeLine, &frames, &bytes); err != nil {
		return 0, 0, fmt.Errorf("%s: format is not known: %w", path, err)
	}
	return frames, bytes, nil
}

func splitLast(s string) (before, last string) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

// openSealed checks the files of a sealed volume and opens it read-only.
func openSealed(dir string, alarm func(error)) (*badger.DB, error) {
	if err := disk.VerifySums(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	opts := badgerOptions(dir, maxVolumeSize, alarm).WithReadOnly(canReadOnly)
	return openBadger(opts)
}

// recoverVolume brings a volume that was not sealed, because the process or the machine stopped,
// to the sealed state: Badger replays its logs up to the first incomplete record. Everything that
// was synced is before that.
func recoverVolume(dir string, id uint64, o *Options) (VolumeInfo, error) {
	info := VolumeInfo{ID: id}
	db, err := openBadger(badgerOptions(dir, o.VolumeSize, o.Alarm))
	if err != nil {
		return info, err
	}
	sizes, err := frameSizes(db)
	if err := errors.Join(err, db.Close()); err != nil {
		return info, err
	}
	for _, size := range sizes {
		info.Frames++
		info.Bytes += int64(size)
	}
	return info, writeSeal(dir, info)
}

// isTransient reports whether an error of opening a volume says nothing about its files.
func isTransient(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}
