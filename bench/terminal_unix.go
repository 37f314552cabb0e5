//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

const defaultWidth = 80 // of a terminal that does not tell

// terminalWidth returns the columns of the terminal that f is, 0 when it is none.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	if size.Col == 0 {
		return defaultWidth
	}
	return int(size.Col)
}
