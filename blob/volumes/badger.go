package volumes

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

// The files of a Badger volume that are named here: Badger's, by its names, and ours.
const (
	valueLogName  = "000001" + badgerfile.ValueLogSuffix
	keyLogName    = "00001" + badgerfile.LogSuffix
	volumeFile    = "VOLUME" // the footer
	maxVolumeFile = 4 << 10

	badgerSuffix = ".badger"
	deadSuffix   = ".dead" // of a volume whose removal has begun
)

const (
	// memTableSize is what Badger writes to its log of the keys before it begins another one.
	memTableSize = 4 << 20

	// mostVolumeKeys keeps the keys of a volume, each of 61 bytes in Badger's log of them, and of at
	// most 160 in a memtable that is made of that (a node of the highest tower, 96, the key and a
	// pointer), below memTableSize. So Badger never begins another log.
	mostVolumeKeys = 24 << 10

	// longestValueLog is more than a value log ever has: see valueLogSize. Badger makes it twice as
	// long as it may become, and cuts it when it is closed.
	longestValueLog = 2 * (MaxVolumeSize + valueLogSpare)
)

// badgerKind is the kind of volumes that are one Badger database each, with the frames in its value
// log.
type badgerKind struct{}

// figures implements kind.
func (badgerKind) figures() figures {
	return figures{
		suffix:    badgerSuffix,
		start:     valueLogStart,
		longest:   longestValueLog,
		minRecord: leastRecord,
		// Badger makes a buffer of the size of the largest record for each batch.
		batchBytes:   4 << 20,
		writesAtOnce: 1, // records follow each other in the order in which they are given
		mostFrames:   mostVolumeKeys,
		createSpace:  1 << 20,
	}
}

// prepare implements kind. Badger sums a record itself.
func (badgerKind) prepare(*putRequest) {}

// files implements kind.
func (badgerKind) files(dir *disk.Dir, name string) files { return badgerFiles{dir, name} }

// badgerFiles are those of a Badger volume, in a directory of their own. Badger itself sees only
// those that it has made since: what was found there is read by its own code, so that no file which
// lies can do more than a wrong record, and no memory map can fault.
type badgerFiles struct {
	dir  *disk.Dir
	name string
}

// create implements files.
func (b badgerFiles) create(o *Options, _ *disk.Async) (_ active, err error) {
	// Badger ends the process when it cannot create one of its files.
	if err := b.dir.CheckHandles(spareHandles); err != nil {
		return nil, err
	}
	// Nothing that is there is taken for ours.
	if _, err := b.dir.Lstat(b.name); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, fmt.Errorf("%s: %w", b.name, fs.ErrExist))
	}
	own, err := b.dir.MakeDir(b.name)
	if err != nil {
		return nil, err
	}
	a, err := newActive(own, o)
	if err != nil {
		return nil, errors.Join(err, own.Close(), b.dir.RemoveAll(b.name))
	}
	return a, nil
}

// newActive makes the files of a new volume in a directory, to be written as the options say.
func newActive(own *disk.Dir, o *Options) (active, error) {
	if o.Kind == BadgerFormat {
		return openFormat(own)
	}
	return openActive(own, o)
}

// open implements files.
func (b badgerFiles) open() (f *os.File, err error) {
	err = b.in(func(own *disk.Dir) error {
		f, err = own.Open(valueLogName)
		if errors.Is(err, fs.ErrNotExist) && vacant(own) {
			return errVacant
		}
		return err
	})
	return f, err
}

// openWritable implements files.
func (b badgerFiles) openWritable() (f *os.File, err error) {
	err = b.in(func(own *disk.Dir) error {
		f, err = own.OpenWritable(valueLogName)
		return err
	})
	return f, err
}

// in calls fn with the volume's directory.
func (b badgerFiles) in(fn func(own *disk.Dir) error) error {
	own, err := b.dir.OpenDir(b.name)
	if err != nil {
		return err
	}
	return errors.Join(fn(own), own.Close())
}

// vacant reports whether a directory without a value log holds nothing but what Badger makes before
// that.
func vacant(own *disk.Dir) bool {
	before := []string{
		badger.ManifestFilename, badgerfile.ManifestRewrite, badger.KeyRegistryFileName,
		badger.KeyRegistryRewriteFileName, keyLogName, badgerfile.Discard,
	}
	entries, err := own.Entries()
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !slices.Contains(before, e.Name())
	})
}

// footer implements files. What stands in the place of the footer and cannot be one is replaced.
func (b badgerFiles) footer(_ *os.File, size int64) (found contents, err error) {
	err = b.in(func(own *disk.Dir) error {
		line, err := own.ReadFile(volumeFile, maxVolumeFile)
		var entry *disk.EntryError
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, &entry) {
			return nil
		}
		if found = parseFooter(string(line), size-valueLogStart, leastRecord); found.footed {
			found.end = size
		}
		return err
	})
	return found, err
}

// finish implements files. The value log is cut where Badger would cut it, so that it can open it
// read-only; it would cut it at the first record that is damaged, whatever follows.
func (b badgerFiles) finish(found contents) error {
	return b.in(func(own *disk.Dir) error {
		if err := cut(own, found.end); err != nil {
			return err
		}
		if err := restoreTable(own, found.end); err != nil {
			return err
		}
		return sealFiles(own, found)
	})
}

// cut ends the value log at an offset, if it goes on there.
func cut(own *disk.Dir, end int64) (err error) {
	f, err := own.OpenWritable(valueLogName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil || info.Size() <= end {
		return err
	}
	return f.Truncate(end)
}

// replaced are the files that are written as a whole.
var replaced = []string{volumeFile, tableName, badger.ManifestFilename, keyLogName}

// sealFiles makes durable what is in a volume's directory, and then the footer that says so.
func sealFiles(own *disk.Dir, c contents) error {
	entries, err := own.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == badgerfile.Discard, slices.ContainsFunc(replaced, func(n string) bool { return disk.IsTemp(name, n) }):
			err = own.Remove(name)
		case entry.Type().IsRegular() && name != volumeFile:
			err = syncFile(own, name)
		}
		if err != nil {
			return err
		}
	}
	if err := own.Sync(); err != nil {
		return err
	}
	return own.WriteFile(volumeFile, []byte(c.line()))
}

func syncFile(own *disk.Dir, name string) error {
	if err := own.Own(name); err != nil {
		return err
	}
	f, err := own.OpenWritable(name) // Windows syncs only what could be written
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// remove implements files. A volume that is half removed must not look like a damaged one after a
// crash, so it is called dead first.
func (b badgerFiles) remove() error {
	dead := strings.TrimSuffix(b.name, badgerSuffix) + deadSuffix
	if err := b.dir.RemoveAll(dead); err != nil {
		return err
	}
	if err := b.dir.Rename(b.name, dead); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := b.dir.Sync(); err != nil {
		return err
	}
	return b.dir.RemoveAll(dead)
}

// isDead reports whether an entry is what is left of a volume that was being removed.
func isDead(name string) bool {
	number, dead := strings.CutSuffix(name, deadSuffix)
	_, _, is := parseName(number + badgerSuffix)
	return dead && is
}

// usage implements files. Badger makes files longer than what it puts there, so of all but the
// value log of a sealed volume, what is on the disk counts.
func (b badgerFiles) usage(active bool) (size, occupied int64, err error) {
	err = b.in(func(own *disk.Dir) error {
		entries, err := own.Entries()
		if err != nil {
			return err
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) { // Badger has removed it since
				continue
			}
			if err != nil {
				return err
			}
			on := disk.Allocated(info)
			occupied += on
			if !active && entry.Name() == valueLogName {
				on = info.Size()
			}
			size += on
		}
		return nil
	})
	return size, occupied, err
}

// valueLogSpare is what a value log may become longer than the largest volume, or than one frame
// that is larger.
const valueLogSpare = 1 << 20

// valueLogSize is more than the value log of a volume ever has, so that Badger never begins a
// second one.
func valueLogSize(volumeSize int64) int64 {
	return min(max(volumeSize, blob.MaxFrameSize)+valueLogSpare, math.MaxInt32)
}
