package engine

// Leftovers counts the chunks that are pinned, and the chunk buffers and the blocks that bodies are
// read into that are out. While no part is under way and no Read either there are none.
func (e *Engine) Leftovers() (pins, buffers int) {
	e.pipeline.pins.mu.Lock()
	defer e.pipeline.pins.mu.Unlock()
	b := e.pipeline.budget
	return len(e.pipeline.pins.byID), cap(b.slots) - len(b.slots) - len(b.free) + int(e.pipeline.blocks.out.Load())
}
