package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Open opens a file of d for reading.
func (d *Dir) Open(name string) (*os.File, error) { return d.open(name, os.O_RDONLY) }

// OpenWritable opens a file of d for reading and writing. One that has another name elsewhere, a
// hard link, is an *EntryError: what is there may be somebody's copy, and would change with it.
func (d *Dir) OpenWritable(name string) (*os.File, error) {
	f, err := d.open(name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && links(info) > 1 {
		err = d.linked(name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Create creates a file in d, which must not be there, for reading and writing, with FileMode.
func (d *Dir) Create(name string) (*os.File, error) {
	return d.openOwn(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// openOwn opens a file; one that it makes gets FileMode, one that was there keeps its own.
func (d *Dir) openOwn(name string, flag int) (*os.File, error) {
	f, err := d.root.OpenFile(name, flag|os.O_CREATE|os.O_EXCL, FileMode)
	if errors.Is(err, fs.ErrExist) && flag&os.O_EXCL == 0 {
		return d.open(name, flag&^os.O_CREATE)
	}
	if err != nil {
		return nil, d.named(name, err)
	}
	if err := f.Chmod(FileMode); err != nil {
		return nil, errors.Join(err, f.Close(), d.Remove(name))
	}
	return f, nil
}

// exchanges is how often a file may be replaced by another one while it is opened.
const exchanges = 8

// open opens a file that is there.
func (d *Dir) open(name string, flag int) (*os.File, error) {
	for range exchanges {
		f, err := d.tryOpen(name, flag)
		if f != nil || err != nil {
			return f, err
		}
	}
	return nil, &EntryError{Path: d.Join(name), Reason: "it is exchanged while it is opened"}
}

// tryOpen returns nothing if the entry was exchanged meanwhile, which a new version of it does,
// too.
func (d *Dir) tryOpen(name string, flag int) (*os.File, error) {
	// Before it is opened, because to open a device can be enough to make it do something.
	info, err := d.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notA("regular file", d.Join(name), info)
	}
	f, err := d.root.OpenFile(name, flag|atOnce, 0)
	if err != nil {
		return nil, d.named(name, err)
	}
	opened, err := f.Stat()
	if err == nil && os.SameFile(info, opened) {
		if err = patient(f); err == nil {
			return f, nil
		}
	}
	return nil, errors.Join(err, f.Close())
}

// ReadFile returns the content of a file of d. One of more than limit bytes is an *EntryError, and
// is not read.
func (d *Dir) ReadFile(name string, limit int64) (data []byte, err error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, &EntryError{
			Path:   f.Name(),
			Reason: fmt.Sprintf("it has %d bytes, at most %d are expected", info.Size(), limit),
		}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// WriteFile puts data into a file of d, atomically and durably: a reader, also one after a power
// loss, finds the old content or the new, never a mixture. The file gets FileMode, whatever the
// umask; whatever was under its name, a directory excepted, is replaced.
func (d *Dir) WriteFile(name string, data []byte) error {
	temp := tempPrefix(name) + rand.Text()
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.named(name, d.root.Rename(temp, name))
	}
	if err != nil {
		return errors.Join(err, d.Remove(temp))
	}
	// Without this the rename itself may be undone by a power loss.
	return d.Sync()
}

func tempPrefix(name string) string { return "." + name + ".tmp-" }

// IsTemp reports whether an entry is what a crash in WriteFile of this name leaves behind.
func IsTemp(entry, name string) bool { return strings.HasPrefix(entry, tempPrefix(name)) }

// Rename gives an entry another name in d, and removes what has that name. It is durable after
// Sync.
func (d *Dir) Rename(name, next string) error { return d.named(next, d.root.Rename(name, next)) }

// Link gives a file a second name in d, under which nothing may be: else the error matches
// fs.ErrExist. It is durable after Sync.
func (d *Dir) Link(name, second string) error { return d.named(second, d.root.Link(name, second)) }

// Own gives FileMode to a file that a library has made by its path, as the umask was. A file of
// another user's keeps its mode.
func (d *Dir) Own(name string) error {
	info, err := d.Lstat(name)
	if err != nil || !info.Mode().IsRegular() ||
		!OthersRead(info) && !OthersWrite(info) && info.Mode()&FileMode == FileMode {
		return err
	}
	if err := d.named(name, d.root.Chmod(name, FileMode)); !Forbidden(err) {
		return err
	}
	return nil
}

// Remove removes an entry: a file, an empty directory, or a symlink itself.
func (d *Dir) Remove(name string) error { return d.named(name, d.root.Remove(name)) }

// RemoveIfThere is Remove, but that nothing of the name is there is no error.
func (d *Dir) RemoveIfThere(name string) error {
	if err := d.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RemoveAll removes an entry and what is below it. A missing one is no error.
func (d *Dir) RemoveAll(name string) error { return d.named(name, d.root.RemoveAll(name)) }

// RemoveEmpty removes the files that are empty and whose names end in one of the suffixes.
func (d *Dir) RemoveEmpty(suffixes ...string) error {
	entries, err := d.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !slices.ContainsFunc(
			suffixes, func(s string) bool { return strings.HasSuffix(entry.Name(), s) },
		) {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && info.Size() == 0 {
			if err := d.Remove(entry.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckFile fails with an *EntryError unless the entry is a regular file: so a library that opens
// it by its path opens nothing else.
func (d *Dir) CheckFile(name string) error {
	info, err := d.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = notA("regular file", d.Join(name), info)
	}
	return err
}

// CheckPlain is CheckFile, and fails for a file that has another name elsewhere, too: so a library
// that changes it changes nothing else.
func (d *Dir) CheckPlain(name string) error {
	if err := d.CheckFile(name); err != nil {
		return err
	}
	info, err := d.Lstat(name)
	if err == nil && links(info) > 1 {
		err = d.linked(name)
	}
	return err
}

// Separate makes of a file that has another name elsewhere, a hard link, one of its own, durably.
// It fails if the file has more than limit bytes.
func (d *Dir) Separate(name string, limit int64) error {
	info, err := d.Lstat(name)
	if err != nil || links(info) < 2 {
		return err
	}
	data, err := d.ReadFile(name, limit)
	if err != nil {
		return err
	}
	return d.WriteFile(name, data)
}

func (d *Dir) linked(name string) error {
	return &EntryError{
		Path:   d.Join(name),
		Reason: "it is a hard link, and its other names would change with it: replace it by a copy",
	}
}
