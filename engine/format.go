package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"slices"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/disk"
)

// formatFile says what a directory is before anything in it is opened. It is one line:
//
//	gabion store <format> <store id, 32 hex digits> <CRC-32C of the line up to here>
//
// The index carries the same id in its header, so that an index that was lost, or put here from
// another store, is noticed instead of looking like an empty one. The file is written last when a
// store is made.
const formatFile = "FORMAT"

// formatVersion is the layout of the whole store that this version writes, and the newest it reads.
const formatVersion = 1

// formatSize is more than the file has, also of a newer version.
const formatSize = 4 << 10

type storeFormat struct {
	id [16]byte
}

// readFormat returns what the directory's format file says, or nil for a directory that has none
// and holds nothing that is not a store's.
func readFormat(dir *disk.Dir) (*storeFormat, error) {
	data, err := dir.ReadFile(formatFile, formatSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, checkForeign(dir)
	}
	if err != nil {
		return nil, err
	}
	return parseFormat(dir.Join(formatFile), string(data))
}

func parseFormat(path, data string) (*storeFormat, error) {
	var version int
	var id, sum string
	_, err := fmt.Sscanf(data, "gabion store %d %s %s\n", &version, &id, &sum)
	// A newer version may have changed everything behind its number.
	if err == nil && version > formatVersion || err != nil && version > formatVersion {
		return nil, &FormatError{Where: path, Version: version, Supported: formatVersion}
	}
	f := &storeFormat{}
	if n, decodeErr := hex.Decode(f.id[:], []byte(id[:min(len(id), 32)])); err != nil ||
		decodeErr != nil ||
		n != len(f.id) ||
		data != f.line() {
		return nil, &CorruptionError{
			What: "the store's format file", Where: path, Err: errors.New("its checksum is wrong"),
		}
	}
	return f, nil
}

func (f *storeFormat) line() string {
	line := fmt.Sprintf("gabion store %d %x", formatVersion, f.id)
	return fmt.Sprintf(
		"%s %08x\n", line, crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli)),
	)
}

// storeEntries are the names of what a store has in its directory.
var storeEntries = []string{formatFile, disk.LockFile, reserveFile, indexDir, volumeDir}

// systemEntries are what systems put into the root of a file system, or into any directory that is
// looked at, without being asked. Beside them a store can be made; it leaves them alone.
var systemEntries = []string{
	"lost+found", "aquota.user", "aquota.group", // file systems of Linux
	".snapshot", ".snapshots", ".zfs", // file servers, Btrfs tools, ZFS
	".Trash", ".Trash-*", // desktops
	".DS_Store", "._*", ".Spotlight-V100", ".Trashes", ".fseventsd", ".TemporaryItems", // macOS
	"System Volume Information", "$RECYCLE.BIN", "desktop.ini", "Thumbs.db", // Windows
	".nfs*", // files that were deleted while in use
}

// isSystems tells what is the system's from what is somebody's. A directory that this process may
// not read is not of its user, and neither can come to harm by the other.
func isSystems(dir *disk.Dir, entry fs.DirEntry) bool {
	for _, pattern := range systemEntries {
		if ok, err := path.Match(pattern, entry.Name()); ok && err == nil {
			return true
		}
	}
	if !entry.IsDir() {
		return false
	}
	d, err := dir.OpenDir(entry.Name())
	if err == nil {
		err = d.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}

// checkForeign refuses to make a store among somebody's files.
func checkForeign(dir *disk.Dir) error {
	entries, err := dir.Entries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		ours := slices.Contains(storeEntries, entry.Name()) || disk.IsTemp(entry.Name(), formatFile)
		if !ours && !isSystems(dir, entry) {
			return ErrInvalidArgument.saying(
				"%s is not a Gabion store and not empty: it holds %q.", dir.Path(), entry.Name(),
			)
		}
	}
	return nil
}

// makeDirs makes the directories of a new store; those of an old one must be there.
func makeDirs(dir *disk.Dir, format *storeFormat, names ...string) error {
	for _, name := range names {
		open := dir.MakeDir
		if format != nil {
			open = dir.OpenDir
		}
		d, err := open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return &CorruptionError{
				What: "a directory of the store", Where: dir.Join(name), Err: err,
			}
		}
		if err != nil {
			return err
		}
		if err := d.Close(); err != nil {
			return err
		}
	}
	return nil
}

// identify reads whose store it is, from the header of the index, and makes a store where there is
// none.
func (e *Engine) identify(ctx context.Context) error {
	header, err := e.readHeader(ctx)
	if errors.Is(err, index.ErrNotFound) {
		header, err = e.makeStore(ctx)
	}
	switch {
	case err != nil:
		return err
	case header.Format > formatVersion:
		return &FormatError{
			Where: e.indexPlace(), Version: int(header.Format), Supported: formatVersion,
		}
	}
	e.storeID = header.StoreID
	if err := e.adopt(ctx); err != nil {
		return err
	}
	if err := e.dir.claim(e.storeID); err != nil {
		return err
	}
	return e.openRecordsKey(ctx, &header)
}

func (e *Engine) readHeader(ctx context.Context) (index.Header, error) {
	return index.FetchOne(ctx, e.index, index.HeaderKey())
}

// makeStore makes a store, unless another engine does so first, which the index is shared with. It
// returns the header that is there then.
func (e *Engine) makeStore(ctx context.Context) (header index.Header, err error) {
	if mark, err := readMark(ctx, e.index); err != nil {
		return header, err
	} else if mark != nil {
		return header, ErrUnfinishedClone
	}
	if lost := e.checkEmpty(ctx); lost != nil {
		if header, err = e.readHeader(ctx); errors.Is(err, index.ErrNotFound) {
			err = lost
		}
		return header, err
	}
	fresh := index.Header{Format: formatVersion, Created: e.now()}
	if _, err := rand.Read(fresh.StoreID[:]); err != nil {
		return header, err
	}
	records, err := e.makeRecordsKey(ctx, &fresh)
	if err != nil {
		return header, err
	}
	err = e.index.Update(ctx, func(tx index.Tx) (err error) {
		if header, err = index.Get(tx, index.HeaderKey()); !errors.Is(err, index.ErrNotFound) {
			return err
		}
		header = fresh
		return index.Put(tx, index.HeaderKey(), &fresh)
	})
	if header.StoreID == fresh.StoreID {
		e.records = records
	}
	return header, err
}

// indexPlace says where the index is.
func (e *Engine) indexPlace() string {
	if e.dir == nil {
		return "the store"
	}
	return e.dir.Join(indexDir)
}

// checkEmpty refuses to make a store where one has been whose index is lost: every chunk would be
// garbage to it.
func (e *Engine) checkEmpty(ctx context.Context) error {
	lost := func(reason string) error {
		return &CorruptionError{What: "the index", Where: e.indexPlace(), Err: errors.New(reason)}
	}
	if e.dir != nil && e.dir.format != nil {
		return lost("it has lost its header")
	}
	err := e.index.View(ctx, func(r index.Reader) error {
		for _, err := range r.Scan(nil, nil) {
			if err == nil {
				err = lost("it has records and no header")
			}
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	chunks, err := e.blobs.Volumes(ctx)
	if err == nil && len(chunks) > 0 {
		err = lost(fmt.Sprintf("it is empty, and the chunk store has %d volumes", len(chunks)))
	}
	return err
}

// claim compares the store's id with what the directory is said to be. For a new store, or one
// whose maker crashed just before this last step, it writes that down.
func (d *storeDir) claim(id [16]byte) error {
	switch {
	case d == nil:
		return nil
	case d.format == nil:
		d.format = &storeFormat{id: id}
		return d.WriteFile(formatFile, []byte(d.format.line()))
	case d.format.id != id:
		return &CorruptionError{
			What: "the index", Where: d.Join(indexDir),
			Err: errors.New("it belongs to another store"),
		}
	}
	return nil
}
