package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
)

// A console is where progress and notes go. It may be written from many goroutines.
type console struct {
	width int // columns; 0 when it is not a terminal

	mu sync.Mutex // one Write at a time
	w  io.Writer
}

func newConsole(w io.Writer) *console {
	c := &console{w: w}
	if f, ok := w.(*os.File); ok {
		c.width = terminalWidth(f)
	}
	return c
}

// Write implements io.Writer.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.w.Write(p)
}

// notef prints one line. Nothing can be done when that fails.
func (c *console) notef(format string, args ...any) {
	fmt.Fprintf(c, "bench: %s\n", fmt.Sprintf(format, args...))
}

// printable replaces what would move the cursor or break the line: file names may hold anything.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// columns is how much of a terminal's line s takes at most. From the first Hangul on, letters may
// be two columns wide.
func columns(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r >= 0x1100 {
		return 2
	}
	return 1
}

// clip cuts s to at most limit columns.
func clip(s string, limit int) string {
	if columns(s) <= limit {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > limit {
			return s[:i]
		}
	}
	return s
}
