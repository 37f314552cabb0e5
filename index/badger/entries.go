package badger

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

func isLog(name string) bool   { return filepath.Ext(name) == badgerfile.LogSuffix }
func isTable(name string) bool { return filepath.Ext(name) == badgerfile.TableSuffix }

// listed are the files that SUMS lists: what holds the records after a proper close. What somebody
// else has put beside them is not the index's to answer for.
func listed(name string) bool {
	return isTable(name) ||
		slices.Contains([]string{badger.ManifestFilename, badger.KeyRegistryFileName, copiedFile}, name)
}

// unlisted are the files that hold nothing after a proper close: logs, whose records are in tables
// then, the value log, which stays empty, and what Badger knows about it. SUMS does not list them,
// so that Badger may make and change them while it opens, and an opening that fails leaves SUMS,
// and what it lists, as they were.
func unlisted(name string) bool {
	return isLog(name) || scratch(name) && name != badger.KeyRegistryFileName
}

// scratch are the files that never hold anything: the value log stays empty, the key registry has no
// keys, and what a crash has left of a file that was to replace another is not it. Badger makes its own
// anew, and does not survive all damage to them.
func scratch(name string) bool {
	return filepath.Ext(name) == badgerfile.ValueLogSuffix ||
		disk.IsTemp(name, badger.ManifestFilename) || disk.IsTemp(name, disk.SumsFile) || disk.IsTemp(name, copiedFile) ||
		slices.Contains(
			[]string{
				badgerfile.Discard, disk.LockFile, badgerfile.ManifestRewrite,
				badger.KeyRegistryFileName, badger.KeyRegistryRewriteFileName,
			},
			name,
		)
}

// isTableName reports whether a table can have this name. Badger ends the process when it is one of
// a negative number.
func isTableName(name string) bool {
	id, ok := table.ParseFileID(strings.TrimLeft(name, "-"))
	return ok && name == table.IDToFilename(id)
}

// checkEntries makes sure that everything that Badger might open is a file, and one that nobody
// else shares: Badger goes by paths, so a symlink would lead it elsewhere and a FIFO would stop it
// for ever, and it truncates a log before it removes it. Who can write the directory can still
// exchange an entry afterwards; the directory is its owner's alone.
func (g *generation) checkEntries() error {
	entries, err := g.dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case isTable(name) && !isTableName(name):
			err = &index.CorruptionError{
				Where: g.dir.Join(name), Reason: "no table has such a name",
			}
		case listed(name):
			err = g.dir.CheckFile(name)
		case unlisted(name):
			err = g.dir.CheckPlain(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
