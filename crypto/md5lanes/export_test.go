package md5lanes

import (
	"crypto/md5"
	"slices"
	"unsafe"
)

// Kernels holds the kernels that this CPU has, by name, and one in Go.
var Kernels = map[string]Kernel{"Go": {16, 2, hashLanesInGo}}

type Kernel = kernel

// Turn is how much of a Write crews hash without a change of leaders, and Slice how much they
// hash without a change of crews. Shorter Writes than Short are not for crews.
const (
	Turn  = turnSize
	Slice = sliceSize
	Short = shortWrite
)

// Width returns the number of lanes.
func (k kernel) Width() int { return k.width }

// NewKernel returns a kernel that calls before and then hashes as Go's does, which needs all of 16
// lanes.
func NewKernel(width, slowdown int, before func()) Kernel {
	return kernel{width, slowdown, func(l *lanes, blocks int) {
		before()
		hashLanesInGo(l, blocks)
	}}
}

// CrewsOf returns how many crews lead when so many messages are under way, and how many messages
// each takes at most.
func CrewsOf(messages, processors int, kernels ...kernel) (leaders, width int) {
	c := &crews{kernels: kernels, messages: messages}
	return c.leadersLocked(processors), c.widthLocked(processors)
}

// Run hashes whole blocks, equally many of each message, into the states.
func (k kernel) Run(states [][4]uint32, messages [][]byte) {
	l := new(lanes)
	for i, state := range states {
		l.data[i] = &messages[i][0]
		for j, word := range state {
			l.state[j][i] = word
		}
	}
	k.run(l, len(messages[0])/md5.BlockSize)
	for i := range states {
		for j := range states[i] {
			states[i][j] = l.state[j][i]
		}
	}
}

// NewPoolWith returns a pool that uses the kernels given and no others.
func NewPoolWith(kernels ...kernel) *Pool {
	p := &Pool{}
	byWidth := func(a, b kernel) int { return a.width - b.width }
	p.crews.kernels = slices.SortedFunc(slices.Values(kernels), byWidth)
	return p
}

// StateKnown tells whether crypto/md5 works with lanes.
func StateKnown() bool { return stateKnown() }

// AtRest tells whether nothing is being hashed, waits or leads.
func (p *Pool) AtRest() bool {
	c := &p.crews
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.messages == 0 && c.leaders == 0 && len(c.queue) == 0
}

// hashLanesInGo is a kernel by crypto/md5.
func hashLanesInGo(l *lanes, blocks int) {
	for i, data := range l.data {
		m := member{std: md5.New(), inLanes: true}
		for j := range m.words {
			m.words[j] = l.state[j][i]
		}
		if err := m.alone(unsafe.Slice(data, blocks*md5.BlockSize)); err != nil {
			panic(err)
		}
		m.enterLanes()
		for j := range m.words {
			l.state[j][i] = m.words[j]
		}
	}
}
