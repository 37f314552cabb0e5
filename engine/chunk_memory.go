package engine

import "sync"

// chunkMemory is memory that chunks were read into, for the next reads: new memory of a hundred KiB
// takes longer to come by than the bytes that are read into it. What is not taken goes with the
// garbage, so the pools never hold more than was in use at once a moment ago.
type chunkMemory struct {
	frames, plains sync.Pool // of *[]byte
}

// leastReused is how large memory must be to be kept, in bytes. Less is as quickly made anew.
const leastReused = 16 << 10

// equip gives d memory where it has none.
func (m *chunkMemory) equip(d *chunkData) {
	if d.frame == nil {
		d.frame = take(&m.frames)
	}
	if d.plain == nil {
		d.plain = take(&m.plains)
	}
}

// settle takes the memory of d that its bytes do not lie in: who is slow to read them holds them
// once.
func (m *chunkMemory) settle(d *chunkData) {
	if len(d.bytes) == 0 || !d.inPlain() {
		give(&m.plains, &d.plain)
	}
	if len(d.bytes) == 0 || d.inPlain() {
		give(&m.frames, &d.frame)
	}
}

// strip takes the memory of d, of which nobody may read any more.
func (m *chunkMemory) strip(d *chunkData) {
	give(&m.frames, &d.frame)
	give(&m.plains, &d.plain)
	*d = chunkData{}
}

func take(pool *sync.Pool) []byte {
	if b, ok := pool.Get().(*[]byte); ok {
		return *b
	}
	return nil
}

func give(pool *sync.Pool, memory *[]byte) {
	if b := *memory; cap(b) >= leastReused {
		pool.Put(&b)
	}
	*memory = nil
}
