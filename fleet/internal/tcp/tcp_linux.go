package tcp

import (
	"syscall"
	"time"
)

// userTimeout is TCP_USER_TIMEOUT of tcp(7), which package syscall does not have.
const userTimeout = 18

// limitSilence sets how long what was sent may be unacknowledged, which by default is a quarter of an hour.
func limitSilence(conn syscall.RawConn, longest time.Duration) (err error) {
	told := conn.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(
			int(fd), syscall.IPPROTO_TCP, userTimeout, int(longest.Milliseconds()),
		)
	})
	if told != nil {
		return told
	}
	return err
}
