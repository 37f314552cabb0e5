package badger

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A builder writes the files of a Badger database for records that come in ascending order of their
// keys: tables of the last level, and a MANIFEST that lists them. Badger has means of its own for
// that, but they write through memory maps, where a full disk kills the process, and end it by a
// panic when a table cannot be written; here every error comes back.
type builder struct {
	dir    *disk.Dir
	opts   table.Options
	level  byte
	table  *table.Builder // nil when nothing waits
	listed []badgerfile.ListedTable
}

// baseVersion is what all records get, so that whoever looks for later ones can pass the tables
// by. Badger finds no version 0.
const baseVersion = 1

// newBuilder makes a directory in dir for the files. The caller must call close.
func newBuilder(dir *disk.Dir, name string) (*builder, error) {
	own, err := dir.MakeDir(name)
	if err != nil {
		return nil, err
	}
	last := regime(own.Path(), nil).MaxLevels - 1
	return &builder{dir: own, level: byte(last), opts: tableOptions()}, nil
}

// tableOptions are those of all tables.
func tableOptions() table.Options { return badgerfile.TableOptions(regime("", nil)) }

// full reports whether the next record begins a table, which is when disk space is needed.
func (b *builder) full() bool { return b.table == nil || b.table.ReachedCapacity() }

func (b *builder) add(key, value []byte) error {
	if b.table != nil && b.table.ReachedCapacity() {
		if err := b.flush(); err != nil {
			return err
		}
	}
	if b.table == nil {
		b.table = table.NewTableBuilder(b.opts)
	}
	// A record without any mark and without a value is none to Badger.
	stored := y.ValueStruct{Value: value, Meta: badgerfile.MarkTxn}
	b.table.Add(y.KeyWithTs(key, baseVersion), stored, 0)
	return nil
}

// flush writes the table that waits, durably.
func (b *builder) flush() error {
	if b.table == nil {
		return nil
	}
	data := b.table.Finish()
	b.drop()
	id := uint64(len(b.listed) + 1)
	b.listed = append(b.listed, badgerfile.ListedTable{ID: id, Level: b.level})
	return create(b.dir, table.IDToFilename(id), data)
}

// drop frees the memory of the table that waits.
func (b *builder) drop() {
	if b.table != nil {
		b.table.Close()
		b.table = nil
	}
}

// close releases everything.
func (b *builder) close() {
	b.drop()
	_ = b.dir.Close() // nothing was written through this handle
}

// finish makes the database durable.
func (b *builder) finish() error {
	if err := b.flush(); err != nil {
		return err
	}
	manifest := badgerfile.Manifest(b.listed...)
	if err := create(b.dir, badger.ManifestFilename, manifest); err != nil {
		return err
	}
	return b.dir.Sync()
}

// create writes a file that nobody looks at before its directory is synced.
func create(dir *disk.Dir, name string, data []byte) error {
	f, err := dir.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
