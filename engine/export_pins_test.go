package engine

// Leftovers counts the chunks that are pinned, and the chunk buffers and the blocks that bodies are
// read into that are out. While no part is under way and no Read either there are none.
func (e *Engine) Leftovers() (pins, buffers int) {
	return e.pins.Count(), e.intake.Out()
}

// PinnedIn counts the chunks in each volume that are pinned.
func (e *Engine) PinnedIn() map[uint64]int { return e.pins.CountIn() }

// CondemnedHere counts the volumes that this engine knows as condemned.
func (e *Engine) CondemnedHere() int { return e.pins.Condemned() }

// WaitForUnwrap is how many calls wait for an answer of the key provider.
func (e *Engine) WaitForUnwrap() (n int) {
	e.ciphers.mu.Lock()
	defer e.ciphers.mu.Unlock()
	for _, u := range e.ciphers.unwrapping {
		n += u.waiters
	}
	return n
}

// Held counts the contents and manifests that somebody uses.
func (e *Engine) Held() int { return e.trash.InUse() }
