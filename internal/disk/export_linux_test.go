package disk

import "golang.org/x/sys/unix"

// LoseEvents makes the next n looks for the end of an operation fail, each with EINVAL, and returns
// the contexts that failed, and those that were looked at afterwards.
func LoseEvents(a *Async, n int) (failed, later map[uintptr]bool) {
	failed, later = map[uintptr]bool{}, map[uintptr]bool{}
	a.collect = func(context uintptr, end *ioEvent) (int, unix.Errno) {
		if n > 0 {
			n--
			failed[context] = true
			return 0, unix.EINVAL
		}
		later[context] = true
		return getEvents(context, end)
	}
	return failed, later
}

// Lanes returns how many lanes there are.
func Lanes(a *Async) int { return a.lanes }
