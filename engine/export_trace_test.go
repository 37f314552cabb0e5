package engine

// StopSweeper ends the work in the background for good: what it would do is left to Reclaim.
func StopSweeper(e *Engine) { e.worker.stop() }
