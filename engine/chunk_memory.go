package engine

import "sync"

// chunkMemory is memory that chunks were read into, for the next reads: new memory of a hundred KiB
// takes longer to come by than the bytes that are read into it. What is not taken goes with the
// garbage, so the pool never holds more than was in use at once a moment ago.
type chunkMemory struct {
	pool sync.Pool // of *[]byte
}

// leastReused is how large memory must be to be kept, in bytes. Less is as quickly made anew.
const leastReused = 16 << 10

// equip gives d memory if it has none.
func (m *chunkMemory) equip(d *chunkData) {
	if d.frame == nil {
		d.frame = m.take()
	}
	if d.plain == nil {
		d.plain = m.take()
	}
}

func (m *chunkMemory) take() []byte {
	if b, ok := m.pool.Get().(*[]byte); ok {
		return *b
	}
	return nil
}

// strip takes the memory of d, of which nobody may read any more.
func (m *chunkMemory) strip(d *chunkData) {
	for _, b := range [][]byte{d.frame, d.plain} {
		if cap(b) >= leastReused {
			m.pool.Put(&b)
		}
	}
	*d = chunkData{}
}
