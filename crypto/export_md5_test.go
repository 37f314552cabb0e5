package crypto

import (
	"crypto/md5"
	"slices"
	"unsafe"
)

// MD5Kernels holds the kernels that this CPU has, by name, and one in Go.
var MD5Kernels = map[string]MD5Kernel{"Go": {16, hashLanesInGo}}

type (
	MD5Kernel = md5Kernel
	MD5Lanes  = md5Lanes
)

// MD5Turn is how much of a Write crews hash without a change of leaders, and MD5Slice how much they
// hash without a change of crews. Shorter Writes than MD5Short are not for crews.
const (
	MD5Turn  = md5Turn
	MD5Slice = md5Slice
	MD5Short = md5Short
)

// Lanes returns the number of lanes.
func (k md5Kernel) Lanes() int { return k.lanes }

// Run hashes whole blocks, equally many of each message, into the states.
func (k md5Kernel) Run(states [][4]uint32, messages [][]byte) {
	l := new(md5Lanes)
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

// NewMD5PoolWith returns a pool that uses the kernels given and no others.
func NewMD5PoolWith(kernels ...md5Kernel) *MD5Pool {
	p := &MD5Pool{}
	p.crews.kernels = slices.SortedFunc(slices.Values(kernels), func(a, b md5Kernel) int { return a.lanes - b.lanes })
	return p
}

// MD5StateKnown tells whether crypto/md5 works with lanes.
func MD5StateKnown() bool { return md5StateKnown() }

// AtRest tells whether nothing is being hashed, waits or leads.
func (p *MD5Pool) AtRest() bool {
	c := &p.crews
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.messages == 0 && c.leaders == 0 && len(c.queue) == 0
}

// hashLanesInGo is a kernel by crypto/md5.
func hashLanesInGo(l *md5Lanes, blocks int) {
	for i, data := range l.data {
		m := md5Member{std: md5.New(), inLanes: true}
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
