package blob

import (
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gabion-storage/gabion/internal/disk"
)

// pushSize is how much is written to a value log before it starts on its way to the disk.
const pushSize = 4 << 20

// A pusher starts what has been written to a volume on its way to the disk while more is written, so
// that the sync which follows finds most of it there. It promises nothing: that is the sync's part.
type pusher struct {
	pushed  int64          // up to where in the value log; the writer's
	mapping disk.Mapping   // Badger's of the value log
	running sync.WaitGroup // a push
	busy    atomic.Bool    // there is one: no more than that at a time
}

// push pushes the value log up to end, if that is worth while. key is of a record before that.
func (v *volume) push(end int64, key []byte) {
	from := v.pusher.pushed
	if end-from < pushSize || !v.pusher.busy.CompareAndSwap(false, true) {
		return // the next push takes it along
	}
	v.pusher.pushed = end
	v.pusher.running.Go(func() {
		defer v.pusher.busy.Store(false)
		v.unmap(from, end, key)
		disk.StartWriteback(v.flush.log, from, end-from)
	})
}

// unmap takes what lies between two offsets of the value log out of Badger's memory map; who reads it
// maps it again. When the kernel writes pages that are mapped, it must protect every one of them and
// interrupts the other processors for each: that took an eighth of the time of an upload.
//
// Taking anything else out of the process's memory would destroy it. So nobody may close or move the
// map meanwhile: v.mu keeps the database open, and Badger keeps the file mapped as it is while a value
// is looked at. That value must lie where the map is believed to be.
func (v *volume) unmap(from, to int64, key []byte) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.db == nil {
		return
	}
	txn := v.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	item, err := txn.Get(key)
	if err != nil {
		return
	}
	_ = item.Value(func(value []byte) error {
		if len(value) > 0 && v.pusher.mapping.Contains(uintptr(unsafe.Pointer(&value[0]))) {
			v.pusher.mapping.Drop(from, to)
		}
		return nil
	})
}
