package index

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gabion-storage/gabion/internal/disk"
)

// currentFile names the database in charge, in one line:
//
//	gabion index 1 <number of the database> <base> <CRC-32C of the line up to here, 8 hex digits>
//
// Replacing it is what puts a new database in charge. The base is the last commit that the database was built from.
const currentFile = "CURRENT"

const currentFormat = "gabion index 1 %d %d"

// A current is what currentFile says.
type current struct {
	number int
	base   uint64
}

// readCurrent fails with fs.ErrNotExist when there is no file.
func readCurrent(dir string) (c current, err error) {
	path := filepath.Join(dir, currentFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if _, err := fmt.Sscanf(string(data), currentFormat, &c.number, &c.base); err != nil || string(data) != c.line() {
		return c, &CorruptionError{Where: path, Reason: "the line or its checksum is wrong", Err: err}
	}
	return c, nil
}

func (c current) write(dir string) error {
	return disk.WriteFile(filepath.Join(dir, currentFile), []byte(c.line()), disk.FileMode)
}

func (c current) line() string {
	line := fmt.Sprintf(currentFormat, c.number, c.base)
	return fmt.Sprintf("%s %08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

func (c current) path(dir string) string { return filepath.Join(dir, databaseName(c.number)) }

// successor is the database that comes after this one.
func (c current) successor() current { return current{number: c.number + 1} }

func databaseName(number int) string { return fmt.Sprintf("%08d", number) }

// isDatabase reports whether an entry of the directory is a database.
func isDatabase(entry fs.DirEntry) bool {
	var number int
	_, err := fmt.Sscanf(entry.Name(), "%d", &number)
	return err == nil && entry.IsDir() && entry.Name() == databaseName(number)
}

// removeOthers removes every database but c, and what a crash while writing currentFile has left. None of it is in charge: it was
// never finished, or is the one before.
func removeOthers(dir string, c current) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		stale := isDatabase(entry) && entry.Name() != databaseName(c.number) || strings.HasPrefix(entry.Name(), "."+currentFile+".tmp-")
		if !stale {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// checkNew refuses to begin anew where records are, although currentFile is not. What a crash of the very first opening leaves is
// a database without records.
func checkNew(dir string) error {
	for _, pattern := range []string{"*.sst", "*.mem", "*/*.sst", "*/*.mem"} {
		found, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return &CorruptionError{
				Where:  filepath.Join(dir, currentFile),
				Reason: fmt.Sprintf("the file is missing, but %s is there: restore it, or the whole directory, from a copy", found[0]),
				Err:    fs.ErrNotExist,
			}
		}
	}
	return nil
}

// findCurrent returns the database in charge. For a new index it makes an empty one.
func findCurrent(dir string) (current, error) {
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
	if err := newBuilder(c.path(dir)).finish(); err != nil {
		return c, err
	}
	return c, errors.Join(disk.SyncDir(dir), c.write(dir))
}
