//go:build !unix

package main

import "time"

// processTime does not know.
func processTime() (time.Duration, bool) { return 0, false }
