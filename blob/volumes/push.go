package volumes

import (
	"os"
	"sync"

	"github.com/gabion-storage/gabion/internal/disk"
)

// pushSize is how much is written to a log before it starts on its way to the disk. It is little,
// because what has not started yet is what a sync waits for.
const pushSize = 1 << 20

// A pusher says when what was written to a log should start on its way to the disk, so that the
// sync which follows finds most of it there. Nobody relies on it.
type pusher struct {
	mu     sync.Mutex // guards what follows
	pushed int64      // up to where that has been started
	busy   bool       // one is under way: no more than that at a time
}

// begin says what to push of what lies before end, if that is due. The caller must push it then.
// What is last may share its block with what comes next, and waits for that.
func (p *pusher) begin(end int64) (from, to int64, due bool) {
	to = end &^ (disk.BlockSize - 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy || to-p.pushed < pushSize {
		return 0, 0, false
	}
	from, p.pushed, p.busy = p.pushed, to, true
	return from, to, true
}

// push starts a part of a file on its way to the disk.
func (p *pusher) push(file *os.File, from, to int64) {
	disk.StartWriteback(file, from, to-from)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
}
