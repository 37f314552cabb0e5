package badger

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// currentFile names the database in charge, in one line:
//
//	gabion index 1 <number of the database> <base> <CRC-32C of the line up to here, 8 hex digits>
//
// Replacing it is what puts a new database in charge. The base is the last commit that the database
// was built from.
const currentFile = "CURRENT"

// currentSize is more than such a line has.
const currentSize = 128

const currentFormat = "gabion index 1 %d %d"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A current is what currentFile says.
type current struct {
	number int
	base   uint64
}

// readCurrent fails with fs.ErrNotExist when there is no file.
func readCurrent(dir *disk.Dir) (c current, err error) {
	data, err := dir.ReadFile(currentFile, currentSize)
	if err != nil {
		return c, err
	}
	return parseCurrent(dir.Join(currentFile), data)
}

func parseCurrent(path string, data []byte) (c current, err error) {
	if _, err := fmt.Sscanf(string(data), currentFormat, &c.number, &c.base); err != nil ||
		string(data) != c.line() ||
		c.number < 1 {
		return c, &index.CorruptionError{
			Where: path, Reason: "the line or its checksum is wrong", Err: err,
		}
	}
	return c, nil
}

func (c current) write(dir *disk.Dir) error {
	return dir.WriteFile(currentFile, []byte(c.line()))
}

func (c current) line() string {
	line := fmt.Sprintf(currentFormat, c.number, c.base)
	return fmt.Sprintf("%s %08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

func (c current) name() string { return databaseName(c.number) }

// successor is the database that comes after this one.
func (c current) successor() current { return current{number: c.number + 1} }

func databaseName(number int) string { return fmt.Sprintf("%08d", number) }

// isDatabase reports whether an entry of the directory is a database.
func isDatabase(entry fs.DirEntry) bool {
	var number int
	_, err := fmt.Sscanf(entry.Name(), "%d", &number)
	return err == nil && entry.IsDir() && entry.Name() == databaseName(number)
}

// removeOthers removes every database but c, and what a crash while writing currentFile has left.
// None of it is in charge: it was never finished, or is the one before.
func removeOthers(dir *disk.Dir, c current) error {
	entries, err := dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		stale := isDatabase(entry) && entry.Name() != c.name() ||
			disk.IsTemp(entry.Name(), currentFile)
		if !stale {
			continue
		}
		if err := dir.RemoveAll(entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

// checkNew refuses to begin anew where records are, although currentFile is not. What a crash of
// the very first opening leaves is a database without records.
func checkNew(dir *disk.Dir) error {
	entries, err := dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		found := ""
		if holdsRecords(entry.Name()) {
			found = entry.Name()
		} else if isDatabase(entry) {
			if found, err = recordsIn(dir, entry.Name()); err != nil {
				return err
			}
		}
		if found != "" {
			return &index.CorruptionError{
				Where: dir.Join(currentFile),
				Reason: fmt.Sprintf(
					"the file is missing, but %s is there: restore it, or the whole directory, from a copy",
					found,
				),
				Err: fs.ErrNotExist,
			}
		}
	}
	return nil
}

// recordsIn returns the name of a file with records in a database, if it has one.
func recordsIn(dir *disk.Dir, database string) (found string, err error) {
	d, err := dir.OpenDir(database)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	entries, err := d.Entries()
	for _, entry := range entries {
		if holdsRecords(entry.Name()) {
			return database + "/" + entry.Name(), err
		}
	}
	return "", err
}

func holdsRecords(name string) bool { return isTable(name) || isLog(name) }

// findCurrent returns the database in charge. For a new index it makes an empty one.
func findCurrent(dir *disk.Dir) (current, error) {
	c, err := readCurrent(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	if err := checkNew(dir); err != nil {
		return c, err
	}
	if err := removeOthers(dir, c); err != nil {
		return c, err
	}
	c = c.successor()
	b, err := newBuilder(dir, c.name())
	if err != nil {
		return c, err
	}
	defer b.close()
	if err := b.finish(); err != nil {
		return c, err
	}
	return c, c.write(dir)
}
