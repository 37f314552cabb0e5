package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/gabion-storage/gabion/index"
)

// Badger's MANIFEST lists the tables of a database. It is a header and records, each of which is a
// change as a whole:
//
//	"Bdgr" 0000 0008
//	{ length(be32) CRC-32C(be32) ManifestChangeSet }...
//
// ManifestChangeSet and ManifestChange are messages of Protocol Buffers: see badgerpb4.proto.
//
// A list of manifestSize bytes would be of a million tables, or of as many flushes since the
// database was built.
const manifestSize = 32 << 20

var manifestHeader = []byte{'B', 'd', 'g', 'r', 0, 0, 0, 8}

// A manifestChange adds a table, or removes it.
type manifestChange struct {
	table  uint64
	level  byte // of one that is added
	remove bool
}

// appendManifest appends one record.
func appendManifest(manifest []byte, changes ...manifestChange) []byte {
	var set []byte
	for _, c := range changes {
		message := binary.AppendUvarint([]byte{1 << 3}, c.table)
		if c.remove {
			message = append(message, 2<<3, 1)
		} else {
			message = append(message, 3<<3, c.level)
		}
		set = append(set, 1<<3|2, byte(len(message)))
		set = append(set, message...)
	}
	manifest = binary.BigEndian.AppendUint32(manifest, uint32(len(set)))
	manifest = binary.BigEndian.AppendUint32(manifest, crc32.Checksum(set, castagnoli))
	return append(manifest, set...)
}

// repairManifest takes tables out of the list that are not there, in a database that was not closed
// properly.
//
// Badger leaves such a line when the sync of MANIFEST fails: it removes the table and flushes the
// memtable once more, under another name. So what was in the table is in that one or still in the
// log, which was kept (see holdLogs). If somebody else has removed the table, its commits are
// missing, and the survey of the opened database finds the gap. A table that the database was built
// with was there and listed, durably, before the database was in charge; no failure of ours takes
// it away.
//
// It returns what is listed then. After a proper close nothing may be missing.
func (g *generation) repairManifest(clean bool) (*badger.Manifest, error) {
	listed, size, err := g.replayManifest()
	if err != nil {
		return nil, err
	}
	var missing []manifestChange
	for id, t := range listed.Tables {
		name := table.IDToFilename(id)
		_, err := g.dir.Lstat(name)
		switch {
		case err == nil:
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		case t.Level > 0 || clean:
			return nil, &index.CorruptionError{
				Where:  g.dir.Join(name),
				Reason: "the table is missing: restore it, or the whole directory, from a copy",
				Err:    err,
			}
		default:
			missing = append(missing, manifestChange{table: id, remove: true})
		}
	}
	if len(missing) == 0 {
		return &listed, nil
	}
	data, err := g.dir.ReadFile(badger.ManifestFilename, manifestSize)
	if err != nil {
		return nil, err
	}
	for _, m := range missing {
		delete(listed.Tables, m.table)
	}
	return &listed, g.dir.WriteFile(
		badger.ManifestFilename, appendManifest(data[:size], missing...),
	)
}

// replayManifest returns what MANIFEST lists, and the size of its whole records.
func (g *generation) replayManifest() (listed badger.Manifest, size int64, err error) {
	f, err := g.dir.Open(badger.ManifestFilename)
	if err != nil {
		return listed, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return listed, 0, err
	}
	if info.Size() > manifestSize { // also of nothing: zeros are empty records
		return listed, 0, &index.CorruptionError{
			Where: f.Name(), Reason: fmt.Sprintf("the list of tables has %d bytes", info.Size()),
		}
	}
	listed, size, err = badger.ReplayManifestFile(f, 0, badger.Options{})
	if err != nil {
		var system *fs.PathError
		if errors.As(err, &system) {
			return listed, 0, err
		}
		err = &index.CorruptionError{
			Where: g.dir.Join(badger.ManifestFilename),
			Reason: fmt.Sprintf(
				"the list of tables is damaged: restore %s from a copy", g.dir.Path(),
			),
			Err: err,
		}
	}
	return listed, size, err
}
