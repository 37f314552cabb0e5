package main

import "time"

// megabytes is the rate of n bytes in d, in 10^6 bytes a second.
func megabytes(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / 1e6 / d.Seconds()
}
