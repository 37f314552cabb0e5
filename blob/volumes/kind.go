package volumes

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A Kind says how a volume is kept in the directory of a store, which may hold volumes of several
// kinds.
type Kind string

const (
	// Badger is a volume in a Badger database of its own, written by Badger.
	Badger Kind = "badger"

	// BadgerFormat is the same on the disk, but Badger does not write the frames: they are written in
	// its format, without memory maps and copies. What it has written is of kind Badger.
	BadgerFormat Kind = "badger-format"

	// Log is a volume in a file of its own.
	Log Kind = "log"
)

// kinds are those that a store can hold.
func kinds() map[Kind]kind {
	return map[Kind]kind{Badger: badgerKind{}, BadgerFormat: badgerKind{}, Log: logKind{}}
}

// validate accepts the kinds of this package only.
func (k Kind) validate() error {
	if kinds()[k] == nil {
		return fmt.Errorf("blob: Kind %q is not known; use Badger, BadgerFormat or Log of package volumes", string(k))
	}
	return nil
}

// A kind is what volumes of one Kind have in common beside what all have.
//
// Each volume has a file of records, its log, from the beginning of which on a Ref counts.
type kind interface {
	figures() figures

	// prepare does for a put what can be done before its frame has a place.
	prepare(r *putRequest)

	// head is what lies before the frame of ref in its record.
	head(ref blob.Ref) head

	// recordSize is what a frame of so many bytes takes in the log.
	recordSize(frame int64) int64

	// parse says which frame the record at an offset of a log has, by the bytes that lie there:
	// maxHeadSize of them, fewer where the log ends.
	parse(b []byte, at int64) (ref blob.Ref, ok bool)

	// resume returns the next place, not before an offset, at which a record may begin; size is
	// that of the log, and returned if there is none.
	resume(log io.ReaderAt, from, size int64) (int64, error)

	// files are those of a volume in a directory, be they there or not.
	files(dir *disk.Dir, name string) files
}

// figures are what kinds differ in by number only.
type figures struct {
	suffix       string // of a volume's entry in the store's directory
	start        int64  // of the first record in the log
	footer       int64  // bytes behind the last record of a sealed log
	longest      int64  // a log that is longer was not written by a store
	minRecord    int64  // what a record has around its frame at least
	batchBytes   int64  // what a batch holds at most, but for one frame that is larger
	writesAtOnce int    // batches of one volume that may be under way
	mostFrames   int64  // of a volume
	createSpace  int64  // what a volume takes before its first frame
}

// files are those of one volume. They may be anything: see disk.Dir.
type files interface {
	// create makes those of a new volume, durably.
	create(o *Options, async *disk.Async) (active, error)

	// open opens the log for reading, openWritable for punching holes. An error that matches
	// errVacant says that the volume has none, nor ever had.
	open() (*os.File, error)
	openWritable() (*os.File, error)

	// footer returns what the volume's footer says, if it has one. size is that of the log.
	footer(log *os.File, size int64) (found contents, err error)

	// finish ends the log of a volume that nobody writes any more, and gives it a footer.
	finish(found contents) error

	// remove removes them. That they are missing is no error.
	remove() error

	// usage returns how long the log is, with what else the volume takes, and what all that
	// occupies. What an active volume has set aside beyond the end of its log counts for both.
	usage(active bool) (size, occupied int64, err error)
}

// An active is what a volume has while it takes frames.
type active interface {
	// synced is the file that a flush makes durable: the log.
	synced() *os.File

	// allocate sets aside what a volume of so many frames needs for its log to grow up to an offset,
	// and says where that will end. When it has to, it goes some bytes further ahead. After an error
	// the volume is as it was, but for what is set aside.
	allocate(upTo, frames, ahead int64) (end int64, err error)

	// write writes frames, which have their places, to them.
	write(out *appender, batch []*putRequest) error

	// finish ends the log, which is durable, at an offset and gives the volume a footer.
	finish(end int64, info blob.VolumeInfo) error

	// close releases what it holds, but the file of synced. It comes last, whatever has failed.
	close() error
}

// nameOf is the entry of a volume in the store's directory.
func nameOf(k kind, id uint64) string { return fmt.Sprintf("%016x%s", id, k.figures().suffix) }

// foreignNumber is the first that no volume has: there must be numbers behind each.
const foreignNumber = 2 * blob.MaxVolume

// parseName says which volume an entry of the store's directory is, if it is one.
func parseName(name string) (id uint64, k kind, ok bool) {
	for _, k := range kinds() {
		digits, found := strings.CutSuffix(name, k.figures().suffix)
		if !found {
			continue
		}
		id, err := strconv.ParseUint(digits, 16, 64)
		return id, k, err == nil && id < foreignNumber && name == nameOf(k, id)
	}
	return 0, nil, false
}
