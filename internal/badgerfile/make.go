package badgerfile

import (
	"errors"
	"io/fs"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/gabion-storage/gabion/internal/disk"
)

// MakeDiscard makes Badger's notes of garbage in a directory without them, a block of nothing.
// Badger would write the first block of a megabyte, through its map.
func MakeDiscard(dir *disk.Dir) error {
	f, err := dir.Create(Discard)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, disk.BlockSize))
	return errors.Join(err, f.Close())
}

// Own makes files of Badger's, those of the names of which ours says so, their owner's alone.
// Badger makes them as the umask says: for everybody, or so that not even the next opening may
// write them. What it makes while it is open keeps that for so long, in a directory that is the
// owner's alone.
func Own(dir *disk.Dir, ours func(name string) bool) error {
	entries, err := dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); ours(name) {
			// Badger removes logs when it likes.
			if err := dir.Own(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// TableOptions are those by which a database of these options makes its tables (options.go,
// buildTableOptions), of what makes a difference to who makes or reads one beside it: without
// caches, and not encrypted.
func TableOptions(o badger.Options) table.Options {
	return table.Options{
		TableSize:          uint64(o.BaseTableSize),
		BlockSize:          o.BlockSize,
		BloomFalsePositive: o.BloomFalsePositive,
		ChkMode:            o.ChecksumVerificationMode,
		Compression:        o.Compression,
	}
}
