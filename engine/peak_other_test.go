//go:build !linux

package engine_test

// forgetPeak does nothing: what is occupied is not known here.
func forgetPeak() int64 { return 0 }

func peakMemory() int64 { return 0 }
