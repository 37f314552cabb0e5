package md5lanes

import (
	"crypto/md5"
	"runtime"
	"slices"
	"sync"
)

const (
	// turnSize is how much of a message is hashed before others that wait get the processor.
	turnSize = 1 << 20
	// sliceSize is how much of each message is hashed before a crew looks whether more have come.
	// It also bounds the time in a kernel, where the runtime cannot interrupt a goroutine.
	sliceSize = 16 << 10
	// yieldEvery is how many slices a leader hashes before it lets others have the processor, who
	// may only want to give the disk more to do.
	yieldEvery = 4
)

// A verdict tells a message that waits what has become of it.
type verdict int

const (
	verdictDone verdict = iota // it has been hashed
	verdictLead                // its goroutine shall lead a crew
)

// crews hashes messages on the goroutines of the callers; it has none of its own. As long as there
// are no more messages than processors, each goroutine hashes its own by crypto/md5, as fast as
// without crews. Further ones wait, and the goroutines that lead take those that do into lanes
// beside their own. A leader whose message is done goes, and another of its crew leads. So none
// waits for messages that may not come, and lanes are as full as there are messages.
//
// When lanes serve all messages at least as fast as all processors would by crypto/md5, no more
// goroutines lead than lanes need: the other processors are left to other work.
type crews struct {
	// kernels are of ascending widths and slowdowns, each faster for a full crew than crypto/md5.
	// If there are none, nothing may be hashed here.
	kernels []kernel
	scratch sync.Pool // of *lanes

	mu       sync.Mutex // guards the fields below
	messages int        // being hashed or waiting
	leaders  int
	queue    []*member // those who wait; someone leads whenever there are any
}

// hash hashes blocks, whole ones, of m. More tells whether other hashes are in flight.
func (c *crews) hash(m *member, blocks []byte, more bool) {
	if m.verdict == nil {
		m.verdict = make(chan verdict, 1)
	}
	m.rest = blocks
	processors := runtime.GOMAXPROCS(0)
	leads := c.enter(m, processors) || <-m.verdict == verdictLead
	for leads {
		// Others that would come may lack only a processor, when the leaders have them all.
		if more {
			runtime.Gosched()
		}
		leads = !c.lead(m, processors, more) && <-m.verdict == verdictLead
	}
	m.rest = nil // it is the caller's
}

// enter makes m a leader, or puts it in the queue when there are enough.
func (c *crews) enter(m *member, processors int) (leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages++
	if c.leaders < c.leadersLocked(processors) {
		c.leaders++
		return true
	}
	c.queue = append(c.queue, m)
	return false
}

// leadersLocked is how many shall lead, at least one. When lanes take twice as long for a message
// as crypto/md5, and there are twice as many messages as processors, lanes are no slower, however
// few processors serve them.
func (c *crews) leadersLocked(processors int) int {
	if c.messages < c.fewest()*processors {
		return processors
	}
	width := c.widthLocked(processors)
	return min(processors, (c.messages+width-1)/width)
}

// fewest is how many messages it takes for lanes to be no slower than crypto/md5 on one processor.
func (c *crews) fewest() int { return c.kernels[0].slowdown }

// widthLocked is the most messages of a crew. A kernel that takes longer than the first is for when
// there are so many messages that lanes are no slower nevertheless.
func (c *crews) widthLocked(processors int) int {
	slowdown := max(c.fewest(), c.messages/processors)
	width := c.kernels[0].width
	for _, k := range c.kernels {
		if k.slowdown <= slowdown {
			width = k.width
		}
	}
	return width
}

// lead hashes a crew until m is done, or, when others lead and suffice, puts m back in the queue.
func (c *crews) lead(m *member, processors int, more bool) (done bool) {
	var space [maxLanes]*member
	crew := append(space[:0], m)
	for slices := 1; ; slices++ {
		if more && slices%yieldEvery == 0 {
			runtime.Gosched()
		}
		var stay bool
		if crew, stay = c.recruit(crew, processors); !stay {
			return false
		}
		if len(crew) < max(2, c.fewest()) {
			inTurn(crew)
		} else {
			c.together(crew)
		}
		if crew = c.dismiss(crew); len(m.rest) == 0 {
			return true
		}
	}
}

// recruit adds those who wait to the crew, as far as there are lanes. When there are too many
// leaders, it puts the crew in the queue instead.
func (c *crews) recruit(crew []*member, processors int) (larger []*member, stay bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaders > c.leadersLocked(processors) {
		c.leaders--
		c.queue = slices.Insert(c.queue, 0, crew...)
		return nil, false
	}
	n := min(len(c.queue), max(0, c.widthLocked(processors)-len(crew)))
	crew = append(crew, c.queue[:n]...)
	c.queue = slices.Delete(c.queue, 0, n)
	return crew, true
}

// dismiss ends the Writes of those in the crew that are done, and returns the others. When the
// leader, who is the first, is done, the others go on under the next one.
func (c *crews) dismiss(crew []*member) []*member {
	if !slices.ContainsFunc(crew, (*member).done) {
		return crew
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	leader := crew[0]
	rest := crew[:0]
	for _, m := range crew {
		if !m.done() {
			rest = append(rest, m)
			continue
		}
		c.messages--
		if m != leader {
			m.verdict <- verdictDone
		}
	}
	if !leader.done() {
		return rest
	}
	c.queue = slices.Insert(c.queue, 0, rest...)
	if len(c.queue) == 0 {
		c.leaders--
		return nil
	}
	c.queue[0].verdict <- verdictLead
	c.queue = slices.Delete(c.queue, 0, 1)
	return nil
}

// inTurn hashes a slice of every message of the crew by crypto/md5.
func inTurn(crew []*member) {
	for _, m := range crew {
		slice := m.rest[:min(len(m.rest), sliceSize)]
		_ = m.alone(slice) // does not fail where there are kernels: see stateKnown
		m.rest = m.rest[len(slice):]
	}
}

// together hashes a slice of every message of the crew in lanes.
func (c *crews) together(crew []*member) {
	l, _ := c.scratch.Get().(*lanes)
	if l == nil {
		l = new(lanes)
	}
	defer c.scratch.Put(l)
	chosen := c.kernels[0]
	for _, k := range c.kernels[1:] {
		if chosen.width < len(crew) {
			chosen = k
		}
	}
	size := sliceSize
	for i, m := range crew {
		m.enterLanes()
		for j, word := range m.words {
			l.state[j][i] = word
		}
		l.data[i] = &m.rest[0]
		size = min(size, len(m.rest))
	}
	for i := len(crew); i < chosen.width; i++ {
		l.data[i] = l.data[0] // the lane is idle
	}
	chosen.run(l, size/md5.BlockSize)
	for i, m := range crew {
		for j := range m.words {
			m.words[j] = l.state[j][i]
		}
		m.rest = m.rest[size:]
		m.length += uint64(size)
	}
	clear(l.data[:])
}
