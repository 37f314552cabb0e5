package crypto

import (
	"crypto/md5"
	"runtime"
	"slices"
	"sync"
)

const (
	// md5Turn is how much of a message is hashed before others that wait get the processor.
	md5Turn = 1 << 20
	// md5Slice is how much of each message is hashed before a crew looks whether more have come. It
	// also bounds the time in a kernel, where the runtime cannot interrupt a goroutine.
	md5Slice = 16 << 10
	// md5Yield is how many slices a leader hashes before it lets others have the processor, who may
	// only want to give the disk more to do.
	md5Yield = 4
)

// An md5Verdict tells a message that waits what has become of it.
type md5Verdict int

const (
	md5Done md5Verdict = iota // it has been hashed
	md5Lead                   // its goroutine shall lead a crew
)

// md5Crews hashes messages on the goroutines of the callers; it has none of its own. As long as there
// are no more messages than processors, each goroutine hashes its own by crypto/md5, as fast as
// without md5Crews. Further ones wait, and the goroutines that lead take those that do into lanes
// beside their own. A leader whose message is done goes, and another of its crew leads. So none waits
// for company that may not come, and lanes are as full as there are messages.
//
// When lanes serve all messages at least as fast as all processors would by crypto/md5, no more
// goroutines lead than lanes need: the other processors are left to other work.
type md5Crews struct {
	kernels []md5Kernel // of ascending numbers of lanes; none: nothing may be hashed here
	scratch sync.Pool   // of *md5Lanes

	mu       sync.Mutex // guards the fields below
	messages int        // being hashed or waiting
	leaders  int
	queue    []*md5Member // those who wait; someone leads whenever there are any
}

// hash hashes blocks, whole ones, of m. More tells whether other hashes are in flight.
func (c *md5Crews) hash(m *md5Member, blocks []byte, more bool) {
	if m.verdict == nil {
		m.verdict = make(chan md5Verdict, 1)
	}
	m.rest = blocks
	processors := runtime.GOMAXPROCS(0)
	leads := c.enter(m, processors) || <-m.verdict == md5Lead
	for leads {
		// Others that would come may lack only a processor, when the leaders have them all.
		if more {
			runtime.Gosched()
		}
		leads = !c.lead(m, processors, more) && <-m.verdict == md5Lead
	}
	m.rest = nil // it is the caller's
}

// enter makes m a leader, or puts it in the queue when there are enough.
func (c *md5Crews) enter(m *md5Member, processors int) (leads bool) {
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

// leadersLocked is how many shall lead, at least one. In lanes a message takes at most twice as long
// as by crypto/md5. So once there are twice as many messages as processors, lanes are no slower,
// however few processors serve them.
func (c *md5Crews) leadersLocked(processors int) int {
	if c.messages < 2*processors {
		return processors
	}
	return min(processors, (c.messages+c.lanes()-1)/c.lanes())
}

// lanes is the most messages of a crew.
func (c *md5Crews) lanes() int { return c.kernels[len(c.kernels)-1].lanes }

// lead hashes a crew until m is done, or, when others lead and suffice, puts m back in the queue.
func (c *md5Crews) lead(m *md5Member, processors int, more bool) (done bool) {
	var space [md5MaxLanes]*md5Member
	crew := append(space[:0], m)
	for slices := 1; ; slices++ {
		if more && slices%md5Yield == 0 {
			runtime.Gosched()
		}
		var stay bool
		if crew, stay = c.recruit(crew, processors); !stay {
			return false
		}
		if len(crew) == 1 {
			slice := m.rest[:min(len(m.rest), md5Slice)]
			_ = m.alone(slice) // does not fail where there are kernels: see md5StateKnown
			m.rest = m.rest[len(slice):]
		} else {
			c.together(crew)
		}
		if crew = c.dismiss(crew); len(m.rest) == 0 {
			return true
		}
	}
}

// recruit adds those who wait to the crew, as far as there are lanes. When there are too many leaders,
// it puts the crew in the queue instead.
func (c *md5Crews) recruit(crew []*md5Member, processors int) (larger []*md5Member, stay bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaders > c.leadersLocked(processors) {
		c.leaders--
		c.queue = slices.Insert(c.queue, 0, crew...)
		return nil, false
	}
	n := min(len(c.queue), c.lanes()-len(crew))
	crew = append(crew, c.queue[:n]...)
	c.queue = slices.Delete(c.queue, 0, n)
	return crew, true
}

// dismiss ends the Writes of those in the crew that are done, and returns the others. When the leader,
// who is the first, is done, the others go on under the next one.
func (c *md5Crews) dismiss(crew []*md5Member) []*md5Member {
	if !slices.ContainsFunc(crew, (*md5Member).done) {
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
			m.verdict <- md5Done
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
	c.queue[0].verdict <- md5Lead
	c.queue = slices.Delete(c.queue, 0, 1)
	return nil
}

// together hashes a slice of every message of the crew.
func (c *md5Crews) together(crew []*md5Member) {
	l, _ := c.scratch.Get().(*md5Lanes)
	if l == nil {
		l = new(md5Lanes)
	}
	defer c.scratch.Put(l)
	kernel := c.kernels[0]
	for _, k := range c.kernels[1:] {
		if kernel.lanes < len(crew) {
			kernel = k
		}
	}
	size := md5Slice
	for i, m := range crew {
		m.enterLanes()
		for j, word := range m.words {
			l.state[j][i] = word
		}
		l.data[i] = &m.rest[0]
		size = min(size, len(m.rest))
	}
	for i := len(crew); i < kernel.lanes; i++ {
		l.data[i] = l.data[0] // the lane is idle
	}
	kernel.run(l, size/md5.BlockSize)
	for i, m := range crew {
		for j := range m.words {
			m.words[j] = l.state[j][i]
		}
		m.rest = m.rest[size:]
		m.length += uint64(size)
	}
	clear(l.data[:])
}
