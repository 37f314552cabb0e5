package badger

import "github.com/gabion-storage/gabion/internal/disk"

// Blocks that are set aside and were never written are noted as such by the file system, and to sync
// the first write of each means to sync that note, too: with commits of some KiB that takes as long
// as the commit (ext4, Intel with AVX-512: 217 microseconds instead of 147). So as long as commits
// are small the log is written with zeros, which is what it holds anyway, a step ahead of them. One
// commit of ten pays for all. Of large commits it would be a second one, and gain nothing.

const (
	// aheadStep is how many bytes are written ahead at a time.
	aheadStep = 64 << 10

	// aheadCommit is what a commit takes of the log at most for something to be written ahead of it.
	aheadCommit = 16 << 10
)

// writeAhead writes zeros behind what Badger has written, if not enough of them are left for a
// commit. It comes before the sync. Badger writes nothing meanwhile. An error is not one of the
// commit: where the zeros are not, the sync takes longer.
func (w *wal) writeAhead() {
	if w.last > aheadCommit || w.used+aheadCommit <= w.zeros || !w.gains() {
		return
	}
	from := disk.RoundUp(int64(max(w.used, w.zeros)))
	if from+aheadStep > walSpace {
		return
	}
	// What is written is what was there: should it be more than zeros, nothing is lost.
	if w.step == nil {
		w.step = make([]byte, aheadStep)
	}
	_, err := w.file.ReadAt(w.step, from)
	if err == nil {
		_, err = w.file.WriteAt(w.step, from)
	}
	if w.zeros = int(from) + aheadStep; err != nil {
		w.zeros = walSpace // not in this log any more
	}
}

// gains says whether the file system is one where writing ahead saves anything.
func (w *wal) gains() bool {
	if !w.known {
		w.known, w.notes = true, disk.NotesUnwritten(w.file)
	}
	return w.notes && w.allocated
}
