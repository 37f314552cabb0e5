package pgindex

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which package syscall does not have.
const tcpUserTimeout = 18

// limitSilence sets how long what was sent may be unacknowledged, which by default is a quarter of an hour.
func limitSilence(conn syscall.RawConn) (err error) {
	told := conn.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(
			int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(longestSilence.Milliseconds()),
		)
	})
	if told != nil {
		return told
	}
	return err
}
