package volumes

import "sync"

// pushSize is how much is written to a log before it starts on its way to the disk.
const pushSize = 4 << 20

// A pusher says when what was written to a log should start on its way to the disk, so that the
// sync which follows finds most of it there. Nobody relies on it.
type pusher struct {
	mu     sync.Mutex // guards what follows
	pushed int64      // up to where that has been started
	busy   bool       // one is under way: no more than that at a time
}

// begin returns from where on to push what lies before end, if that is due. The caller must call
// end then.
func (p *pusher) begin(end int64) (from int64, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy || end-p.pushed < pushSize {
		return 0, false
	}
	from, p.pushed, p.busy = p.pushed, end, true
	return from, true
}

func (p *pusher) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
}
