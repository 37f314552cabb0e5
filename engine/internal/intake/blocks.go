package intake

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Sizes in bytes of the blocks that bodies are read into whose Reads may wait, each twice the one
// before.
const (
	minBlock = 4 << 10
	maxBlock = 64 << 10
)

// A block is memory that a body is read into while it waits for its client. A Read may take for
// ever, and nobody else can use its target meanwhile.
type block struct{ mem []byte }

// blocks hands out blocks and keeps those that came back. There is one for each body that is being
// read, in addition to the budget.
type blocks struct {
	most int // size of the largest: no larger than a chunk
	out  atomic.Int64
	free [5]sync.Pool // by size; the first is of minBlock, the last of maxBlock
}

func newBlocks(chunkSize int) *blocks {
	most := minBlock // which is the least size of a chunk
	for most < maxBlock && 2*most <= chunkSize {
		most *= 2
	}
	return &blocks{most: most}
}

// pool has the blocks of this size.
func (b *blocks) pool(size int) *sync.Pool { return &b.free[bits.Len(uint(size/minBlock))-1] }

func (b *blocks) get(size int) *block {
	b.out.Add(1)
	if used, ok := b.pool(size).Get().(*block); ok {
		return used
	}
	return &block{make([]byte, size)}
}

func (b *blocks) put(used *block) {
	b.pool(len(used.mem)).Put(used)
	b.out.Add(-1)
}

// resize exchanges a block for one of another size that begins with the same n bytes.
func (b *blocks) resize(old *block, size, n int) *block {
	resized := b.get(size)
	copy(resized.mem, old.mem[:n])
	b.put(old)
	return resized
}
