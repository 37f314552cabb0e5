package index

import (
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/internal/disk"
)

const (
	tableSuffix    = ".sst"
	logSuffix      = ".mem"
	valueLogSuffix = ".vlog"
	discardFile    = "DISCARD"
)

// listed are the files that SUMS lists: what holds the records after a proper close. What somebody else has put beside them is not
// the index's to answer for.
func listed(name string) bool {
	return filepath.Ext(name) == tableSuffix || name == badger.ManifestFilename || name == badger.KeyRegistryFileName
}

// unlisted are the files that hold nothing after a proper close: logs, whose records are in tables then, the value log, which stays
// empty, and what Badger knows about it. SUMS does not list them, so that Badger may make and change them while it opens, and an
// opening that fails leaves SUMS, and what it lists, as they were.
func unlisted(name string) bool {
	return slices.Contains([]string{logSuffix, valueLogSuffix}, filepath.Ext(name)) || name == discardFile || name == disk.LockFile
}

// checkEntries makes sure that everything that Badger might open is a file, and one that nobody else shares: Badger goes by paths,
// so a symlink would lead it elsewhere and a FIFO would stop it for ever, and it truncates a log before it removes it. Who can write
// the directory can still exchange an entry afterwards; the directory is its owner's alone.
func (g *generation) checkEntries() error {
	entries, err := g.dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
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
