package volumes

import (
	"os"
	"sync"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// sealSpace is how much of what is set aside behind the frames is always left: what sealing takes
// beside the table of the keys, and others meanwhile. It is given back just before.
const sealSpace = 512 << 10

// A valueLog is what a Badger volume has while it takes frames, whoever writes their records: the log,
// and what the table of the keys will be made of.
type valueLog struct {
	own       *disk.Dir
	log       *os.File
	end       int64      // of its records
	allocated int64      // up to where its blocks are set aside
	refs      []blob.Ref // of the frames that are in it
	table     spareTable
	pusher    pusher
	pushing   sync.WaitGroup
}

// synced implements active. It is not the log of the keys: the next Open makes that again from the
// value log, if the volume is not sealed before.
func (l *valueLog) synced() *os.File { return l.log }

// allocate implements active. Where Badger writes through a memory map, a block that cannot be had
// kills the process. Here it is an error.
func (l *valueLog) allocate(upTo, frames, ahead int64) (end int64, err error) {
	if err := l.table.allocate(l.own, frames); err != nil {
		return 0, err
	}
	if need := upTo + sealSpace; need > l.allocated {
		if err := l.grow(need + ahead); err != nil {
			return 0, err
		}
		l.allocated = need + ahead
	}
	return upTo, nil
}

// grow makes the file of the value log longer, if it is shorter.
func (l *valueLog) grow(size int64) error {
	if err := disk.Extend(l.log, l.allocated, size); err != nil {
		return err
	}
	// A file system that sets nothing aside leaves the file as it was.
	info, err := l.log.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	return l.log.Truncate(size)
}

// wrote counts the frames of a batch, which are in the file, and starts them on their way to the disk
// while more is written.
func (l *valueLog) wrote(batch []*putRequest) {
	for _, r := range batch {
		l.refs = append(l.refs, r.ref)
	}
	if from, to, due := l.pusher.begin(l.end); due {
		l.pushing.Go(func() { l.pusher.push(l.log, from, to) })
	}
}

// seal makes the table of the keys, and the footer. Nobody writes the log any more.
func (l *valueLog) seal(info blob.VolumeInfo) error {
	if info.Frames == 0 { // no room for its first batch: the next Open drops it
		return nil
	}
	if err := l.table.become(l.own, tableOf(l.refs)); err != nil {
		return err
	}
	return sealFiles(l.own, contents{frames: info.Frames, bytes: info.Bytes})
}

// endOf is where the record of the last frame of a batch ends.
func endOf(batch []*putRequest) int64 {
	last := batch[len(batch)-1].ref
	return int64(last.Offset) + badgerKind{}.recordSize(int64(last.Size))
}
