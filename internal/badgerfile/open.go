package badgerfile

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/internal/disk"
)

// MakeKeyRegistry makes Badger's list of the keys that it encrypts by, without any, if there is
// none. Badger would make it and then open it by its path, which the umask may forbid. For a full
// disk the error matches [disk.IsNoSpace]; then something of the name KEYREGISTRY-REWRITE may be
// left.
func MakeKeyRegistry(dir *disk.Dir) (err error) {
	if _, err := dir.Lstat(badger.KeyRegistryFileName); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer Recovered("badgerfile", &err)
	err = badger.WriteKeyRegistry(&badger.KeyRegistry{}, badger.KeyRegistryOptions{Dir: dir.Path()})
	if err != nil {
		return disk.WrapNoSpace(err)
	}
	return dir.Own(badger.KeyRegistryFileName)
}

// Open opens a database in managed mode. A panic, which damaged files can cause, is an error, and
// so is a full disk: Badger begins its logs through memory maps, and somebody may have taken the
// space since it was looked for. The error matches [disk.IsNoSpace] where Badger says that this is
// it; in a map it is a fault, which says nothing of the kind. What Badger has begun stays in memory
// then.
func Open(opts badger.Options) (db *badger.DB, err error) {
	defer Recovered("badgerfile", &err)
	err = disk.CatchFaults(func() error {
		opened, err := badger.OpenManaged(opts)
		if err == nil { // else Badger returns what it had of a database, too
			db = opened
		}
		return err
	})
	return db, disk.WrapNoSpace(err)
}

// Recovered is deferred by what calls Badger. It turns a panic of Badger's into an error, which
// begins with who defers it.
func Recovered(who string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: badger panicked: %v", who, p)
	}
}
