package volumes

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"os"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

// By the table of its keys Badger finds the frames of a sealed volume. Badger would write it from the
// memtable when it is closed, through a memory map of a file that has no blocks yet: where one of them
// cannot be had, that kills the process. So the memtable stays empty (see activeBadger.write), and the
// table, of Badger's own making, is written here, where that is an error. Its blocks are those that
// were set aside for it, so nobody can take them between two steps, as with space that is given back
// first.
const (
	tableName  = "000001" + badgerfile.TableSuffix
	tableSpare = "KEYS" // has the blocks of the table while the volume takes frames, and becomes it

	// tableRecord is more than a key takes of the table, and tableHead more than it has beside.
	tableRecord = 128
	tableHead   = 4 << 10

	// tableAhead is for how many keys the blocks are set aside at a time.
	tableAhead = 1 << 10
)

// sealedManifest is Badger's list of tables with that of the keys, in level zero.
func sealedManifest() []byte { return badgerfile.Manifest(badgerfile.ListedTable{ID: 1}) }

// tableOf makes the table of the keys of these frames, and sorts them.
func tableOf(refs []blob.Ref) []byte {
	// By their IDs, and of several frames under one, the last first: as their keys are.
	slices.SortFunc(refs, func(a, b blob.Ref) int {
		return cmp.Or(bytes.Compare(a.ID[:], b.ID[:]), cmp.Compare(b.Offset, a.Offset))
	})
	builder := table.NewTableBuilder(badgerfile.TableOptions(regime("", 0, nil)))
	defer builder.Close()
	for _, ref := range refs {
		pointer := y.ValueStruct{Meta: badgerfile.MarkPointer, Value: appendPointer(nil, ref)}
		size := badgerKind{}.recordSize(int64(ref.Size))
		builder.Add(appendBadgerKey(nil, ref), pointer, uint32(min(size, math.MaxUint32)))
	}
	return builder.Finish()
}

// A spareTable has blocks for the table of the keys of a volume that takes frames. The zero value has
// none.
type spareTable struct {
	file *os.File
	size int64 // that is set aside
}

// allocate sets aside the blocks of a table of so many keys.
func (s *spareTable) allocate(own *disk.Dir, keys int64) (err error) {
	need := tableHead + keys*tableRecord
	if need <= s.size {
		return nil
	}
	if s.file == nil {
		if s.file, err = own.Create(tableSpare); err != nil {
			return err
		}
	}
	need += tableAhead * tableRecord
	if err := disk.Preallocate(s.file, s.size, need-s.size); err != nil {
		return err
	}
	s.size = need
	return nil
}

// become writes the table, and makes it the volume's.
func (s *spareTable) become(own *disk.Dir, data []byte) error {
	if _, err := s.file.WriteAt(data, 0); err != nil {
		return err
	}
	if err := s.file.Truncate(int64(len(data))); err != nil { // which gives back what is behind
		return err
	}
	err := s.file.Close()
	s.file = nil
	if err != nil {
		return err
	}
	if err := own.Rename(tableSpare, tableName); err != nil {
		return err
	}
	manifest, err := own.OpenWritable(badger.ManifestFilename)
	if err != nil {
		return err
	}
	empty := len(badgerfile.Manifest()) // which is there
	_, err = manifest.WriteAt(sealedManifest()[empty:], int64(empty))
	return errors.Join(err, manifest.Close())
}

// close releases what has not become the table.
func (s *spareTable) close(own *disk.Dir) error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return errors.Join(err, own.RemoveIfThere(tableSpare))
}

// restoreTable makes the table of the keys of a volume that was not sealed, by the heads of the records
// in its value log. What Badger had of them goes.
func restoreTable(own *disk.Dir, end int64) (err error) {
	log, err := own.Open(valueLogName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	var refs []blob.Ref
	for ref, err := range records(badgerKind{}, log, end) {
		if err != nil {
			return err
		}
		if refs = append(refs, ref); len(refs) == mostVolumeKeys {
			break
		}
	}
	// First, since the disk may be full: nothing in them is read, and what is set aside for the table
	// is more than it needs.
	err = errors.Join(own.RemoveIfThere(keyLogName), own.RemoveIfThere(tableSpare))
	if err != nil {
		return err
	}
	manifest := badgerfile.Manifest()
	if len(refs) > 0 {
		if err := own.WriteFile(tableName, tableOf(refs)); err != nil {
			return err
		}
		manifest = sealedManifest()
	}
	return own.WriteFile(badger.ManifestFilename, manifest)
}
