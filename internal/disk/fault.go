package disk

import (
	"fmt"
	"runtime/debug"
)

// CatchFaults calls fn and returns its error. When fn, on this goroutine, writes to a memory map of a
// file, and the disk has no block for the page or cannot read it, that is an error, too: else it
// would end the process.
func CatchFaults(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if fault, ok := p.(interface{ Addr() uintptr }); ok {
			err = fmt.Errorf("disk: a page of a file that is mapped at %#x cannot be had", fault.Addr())
		} else if p != nil {
			panic(p)
		}
	}()
	return fn()
}
