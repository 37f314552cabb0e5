package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Preallocate makes the file system set aside the blocks of f from off to off+n, so that writing
// them later, also through a memory map, cannot run out of space. The file's size stays; see
// Extend.
func Preallocate(f *os.File, off, n int64) error {
	return fallocate(f, unix.FALLOC_FL_KEEP_SIZE, off, n)
}

// PunchHole gives back the blocks of f that lie from off to off+n, and zeros what it takes of
// others. The bytes read as zeros then; the file's size stays. Where the file system cannot do
// that, the error matches errors.ErrUnsupported and nothing has changed.
func PunchHole(f *os.File, off, n int64) error {
	return fallocateStrictly(f, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}

// CheckSpace fails if the file system does not give n bytes to a new file in d. It takes them and
// gives them back: what is free, as Space counts it, may not be to be had (a quota; Btrfs), and what was
// removed is to be had, but not counted yet. Where there are no files without a name, or nothing can
// be set aside, it says nothing.
func (d *Dir) CheckSpace(n int64) error {
	h, err := d.HoldSpace(n)
	if h == nil || err != nil {
		return err
	}
	return h.Release()
}

// Held is space that nobody else gets. A crash gives it back.
type Held struct {
	file *os.File
	size int64
}

// HoldSpace takes n bytes of the file system, in a file in d without a name. It is nil where there are
// no such files, or nothing can be set aside.
func (d *Dir) HoldSpace(n int64) (*Held, error) {
	fd, err := -1, error(unix.EINTR)
	for err == unix.EINTR {
		fd, err = unix.Openat(int(d.handle.Fd()), ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(FileMode))
	}
	if err == unix.EOPNOTSUPP || err == unix.EISDIR || err == unix.ENOENT { // as file systems and old kernels say it
		return nil, nil
	}
	if err != nil {
		return nil, d.named(".", &fs.PathError{Op: "open", Path: ".", Err: err})
	}
	h := &Held{os.NewFile(uintptr(fd), d.Path()), n}
	if err := fallocateStrictly(h.file, unix.FALLOC_FL_KEEP_SIZE, 0, n); err != nil {
		err = errors.Join(err, h.Release()) // some file systems keep what they had given so far
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, nil
		}
		return nil, err
	}
	return h, nil
}

// Release gives the space back.
func (h *Held) Release() error {
	// XFS gives back what a removed file has had when it likes, but what is punched at once.
	err := PunchHole(h.file, 0, h.size)
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, h.file.Close())
}

// SyncData makes the content of f durable, with what it takes to find it, but not its times: on a
// file whose blocks have been written before, that is no work for the journal.
func SyncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// StartWriteback asks the kernel to begin writing the pages of f from off to off+n to the disk, so
// that a later sync has less to wait for. It promises nothing: an error of the disk shows in that
// sync.
func StartWriteback(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// NotesUnwritten says whether the file system that has f is known to note which blocks were set
// aside and not written yet, so that to sync the first write of one takes more than that of a later
// one.
func NotesUnwritten(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return false
	}
	return st.Type == unix.EXT4_SUPER_MAGIC || st.Type == unix.XFS_SUPER_MAGIC
}

// noCopy is FS_NOCOW_FL of linux/fs.h.
const noCopy = 0x00800000

// WriteInPlace has files that are made in d from now on be written where they are, so that what is set
// aside of them can be written again on a full disk, too. That is what all file systems do but Btrfs,
// which has no checksums of its own for such a file. Where it cannot be had, nothing changes.
func (d *Dir) WriteInPlace() {
	var st unix.Statfs_t
	fd := int(d.handle.Fd())
	if err := unix.Fstatfs(fd, &st); err != nil || st.Type != unix.BTRFS_SUPER_MAGIC {
		return
	}
	if flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS); err == nil {
		_ = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags|noCopy)
	}
}

// fallocate is fallocateStrictly, but content where that is not supported: a file system without it
// (some network and overlay ones) leaves the reserve as the only guard, as on the platforms that
// lack the call.
func fallocate(f *os.File, mode uint32, off, n int64) error {
	err := fallocateStrictly(f, mode, off, n)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

func fallocateStrictly(f *os.File, mode uint32, off, n int64) error {
	for {
		if err := unix.Fallocate(int(f.Fd()), mode, off, n); err != unix.EINTR {
			return os.NewSyscallError("fallocate", err)
		}
	}
}
