package blob

// BreakSync closes the handle through which the volume is flushed.
func BreakSync(s *Volumes, volume uint64) { s.lookup(volume).flush.file.Close() }
