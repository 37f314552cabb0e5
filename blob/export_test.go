package blob

// BreakSync closes the handle through which the volume is flushed.
func BreakSync(s *Volumes, volume uint64) { s.lookup(volume).flush.file.Close() }

// HoldFlush has a flush of the volume be under way until end is called, when it succeeds.
func HoldFlush(s *Volumes, volume uint64) (end func()) {
	f := &s.lookup(volume).flush
	f.mu.Lock()
	defer f.mu.Unlock()
	upTo := f.begin()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.end(upTo, nil)
	}
}
