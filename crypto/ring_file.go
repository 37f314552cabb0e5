package crypto

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gabion-storage/gabion/internal/disk"
)

// ringFile is where the file of a key ring lies. Beside it lie, for a moment, its next version, and
// for good the lock that everybody takes who makes or removes one:
//
//	<name>                       the ring
//	.<name>.tmp-<32 hex digits>  the next version; a leftover, if nobody holds the lock
//	.<name>.lock                 the lock; empty
type ringFile struct {
	path string // as it was given, for people
	dir  *disk.Dir
	name string // of the file at the end of all symlinks
}

// ringInFile is a ring, and its file as it was read or written.
type ringInFile struct {
	ring
	info fs.FileInfo
}

// tempDigits is how many hex digits, of random bits, the name of a temporary file ends in.
const tempDigits = 32

// findRing follows path to the file of a ring, which must be there. The caller must call close.
func findRing(path string) (*ringFile, error) {
	way, err := disk.Follow(path)
	if err != nil {
		return nil, err
	}
	return openRingFile(path, way.Open, filepath.Dir(way.Real), filepath.Base(way.Real))
}

// newRing is findRing for a file that is not there yet. What there may be instead is not looked at.
func newRing(path string) (*ringFile, error) {
	way, err := disk.Follow(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return openRingFile(path, way.Open, way.Real, filepath.Base(path))
}

// openRingFile refuses a ring in whose place others can put one of their own, since they can change
// what open names. They would know the keys of all that is encrypted from then on.
func openRingFile(path, open, dir, name string) (*ringFile, error) {
	if open != "" {
		return nil, &KeyringError{
			Path: path, Err: ErrKeyringWritable,
			Reason: fmt.Sprintf("others can exchange it, since they can change %s", open),
		}
	}
	d, err := disk.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	return &ringFile{path: path, dir: d, name: name}, nil
}

func (f *ringFile) close() error { return f.dir.Close() }

// read reads the ring. It is durable then: who put the file there may have been killed before its
// entry was, and no key may be wrapped under a ring that a power loss could take away.
//
// Damage comes with the description of the damaged file.
func (f *ringFile) read() (r ringInFile, err error) {
	file, err := f.dir.Open(f.name)
	var other *disk.EntryError
	if errors.As(err, &other) {
		return r, &KeyringError{Path: f.path, Reason: other.Reason}
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return r, err
	}
	if disk.OthersWrite(info) {
		return r, &KeyringError{
			Path: f.path, Reason: "others can write it", Err: ErrKeyringWritable,
		}
	}
	r.info = info
	// One byte over the limit is enough to see that there is too much.
	text, err := io.ReadAll(io.LimitReader(file, keyringLimit+1))
	if err != nil {
		return r, err
	}
	r.ring, err = decodeRing(text)
	var damage *KeyringError
	if errors.As(err, &damage) {
		damage.Path = f.path
	}
	if err != nil {
		return r, err
	}
	// Where this process could not have put it there, there is nothing to do.
	if err := f.dir.Sync(); !disk.Forbidden(err) {
		return r, err
	}
	return r, nil
}

// replace puts a ring in the place of the file. The lock must be held.
func (f *ringFile) replace(r ring) (ringInFile, error) {
	temp, info, err := f.write(r)
	if err != nil {
		return ringInFile{}, err
	}
	if err := f.dir.Rename(temp, f.name); err != nil {
		return ringInFile{}, errors.Join(err, f.dir.Remove(temp))
	}
	// Without this the rename itself may be undone by a power loss.
	return ringInFile{r, info}, f.dir.Sync()
}

// begin makes a ring of one generation.
func (f *ringFile) begin() (r ringInFile, err error) {
	g, err := newGeneration()
	if err != nil {
		return r, err
	}
	unlock, err := f.lock()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return f.create(ring{g})
}

// create makes the file, which must not be there. The lock must be held.
func (f *ringFile) create(r ring) (ringInFile, error) {
	temp, info, err := f.write(r)
	if err != nil {
		return ringInFile{}, err
	}
	// The file must come into being complete, and must not replace another, under which keys may
	// have been wrapped already. Renaming would replace it; a hard link does not.
	err = f.dir.Link(temp, f.name)
	return ringInFile{r, info}, errors.Join(err, f.dir.Remove(temp), f.dir.Sync())
}

// write writes a ring into a temporary file, durably.
func (f *ringFile) write(r ring) (temp string, info fs.FileInfo, err error) {
	file, temp, err := f.newTemp()
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			err = errors.Join(err, f.dir.Remove(temp))
		}
	}()
	if _, err := file.Write(encodeRing(r)); err != nil {
		return "", nil, err
	}
	if err := file.Sync(); err != nil {
		return "", nil, err
	}
	info, err = file.Stat()
	return temp, info, err
}

// newTemp makes a temporary file. Others can read it at no moment.
func (f *ringFile) newTemp() (_ *os.File, name string, err error) {
	var random [tempDigits / 2]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, "", err
	}
	name = f.tempPrefix() + hex.EncodeToString(random[:])
	file, err := f.dir.Create(name)
	return file, name, err
}

func (f *ringFile) tempPrefix() string { return "." + f.name + ".tmp-" }

// lock waits until nobody else changes the ring, and removes what others have left who were killed.
func (f *ringFile) lock() (unlock func() error, err error) {
	lock, err := f.dir.WaitLock("." + f.name + ".lock")
	if err != nil {
		return nil, err
	}
	left, err := f.leftovers()
	for _, name := range left {
		err = errors.Join(err, f.dir.Remove(name))
	}
	if err == nil && len(left) > 0 {
		err = f.dir.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock.Close, nil
}

// tidy removes what is left of changes of the ring whose process was killed: it holds keys. Where
// this process may not remove anything, who may will do it.
func (f *ringFile) tidy() error {
	left, err := f.leftovers()
	if err != nil || len(left) == 0 {
		return err
	}
	unlock, err := f.lock()
	if disk.Forbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return unlock()
}

// leftovers are the temporary files that are there. Without the lock they may be in use.
func (f *ringFile) leftovers() (names []string, err error) {
	entries, err := f.dir.Entries()
	if disk.Forbidden(err) { // to look up one name is allowed in more directories than to list them
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		digits, ok := strings.CutPrefix(entry.Name(), f.tempPrefix())
		if !ok || !entry.Type().IsRegular() || len(digits) != tempDigits ||
			strings.Trim(digits, "0123456789abcdef") != "" {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // its maker was faster
		}
		if err != nil {
			return nil, err
		}
		if !disk.OthersWrite(info) { // else it is not of our making
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
