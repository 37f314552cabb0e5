package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/badgerfile"
)

// manifestSize bounds Badger's list of tables: so many bytes would be of a million, or of as many
// flushes since the database was built.
const manifestSize = 32 << 20

// repairManifest takes tables out of the list that are not there, in a database that was not closed
// properly.
//
// Badger leaves such a line when the sync of MANIFEST fails: it removes the table and flushes the
// memtable once more, under another name. So what was in the table is in that one or still in the
// log, which was kept (see keepLogs). If somebody else has removed the table, its commits are
// missing, and the survey of the opened database finds the gap. A table that the database was built
// with was there and listed, durably, before the database was in charge; no failure of ours takes
// it away.
//
// It returns what is listed then. After a proper close nothing may be missing.
func (g *generation) repairManifest(clean bool) (*badger.Manifest, error) {
	listed, err := g.replayManifest()
	if err != nil {
		return nil, err
	}
	var missing []uint64
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
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return &listed, nil
	}
	for _, m := range missing {
		delete(listed.Tables, m)
	}
	return &listed, g.writeManifest(&listed)
}

// writeManifest writes the list anew.
func (g *generation) writeManifest(listed *badger.Manifest) error {
	var tables []badgerfile.ListedTable
	for _, id := range slices.Sorted(maps.Keys(listed.Tables)) {
		tables = append(tables, badgerfile.ListedTable{ID: id, Level: listed.Tables[id].Level})
	}
	return g.dir.WriteFile(badger.ManifestFilename, badgerfile.Manifest(tables...))
}

// replayManifest returns what MANIFEST lists.
func (g *generation) replayManifest() (listed badger.Manifest, err error) {
	f, err := g.dir.Open(badger.ManifestFilename)
	if err != nil {
		return listed, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return listed, err
	}
	if info.Size() > manifestSize { // also of nothing: zeros are empty records
		return listed, &index.CorruptionError{
			Where: f.Name(), Reason: fmt.Sprintf("the list of tables has %d bytes", info.Size()),
		}
	}
	listed, _, err = badger.ReplayManifestFile(f, 0, badger.Options{})
	var system *fs.PathError
	if err != nil && !errors.As(err, &system) {
		err = &index.CorruptionError{
			Where: g.dir.Join(badger.ManifestFilename),
			Reason: fmt.Sprintf(
				"the list of tables is damaged: restore %s from a copy", g.dir.Path(),
			),
			Err: err,
		}
	}
	if err != nil {
		return listed, err
	}
	return listed, g.checkListed(&listed)
}

// checkListed refuses tables that the index has not made.
func (g *generation) checkListed(listed *badger.Manifest) error {
	for id, t := range listed.Tables {
		if id >= 1<<31 || int(t.Level) >= regime("", nil).MaxLevels || t.KeyID != 0 ||
			t.Compression != options.None {
			return &index.CorruptionError{
				Where: g.dir.Join(table.IDToFilename(id)),
				Reason: fmt.Sprintf(
					"it is listed as one that is not the index's: level %d, key %d, compression %d",
					t.Level, t.KeyID, t.Compression,
				),
			}
		}
	}
	return nil
}
