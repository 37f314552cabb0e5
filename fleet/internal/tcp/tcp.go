// Package tcp notices that a connection has fallen silent, long before the system does by itself.
package tcp

import (
	"net"
	"strings"
	"syscall"
	"time"
)

// LimitSilence has connections of a dialer given up when nothing of what was sent is acknowledged for so
// long, at least 4 seconds, or nobody answers when nothing is sent. That is so, too, when the other side
// is there and reads nothing, once its memory for what comes is full. It says nothing of how long the
// answer to what was read may take.
func LimitSilence(d *net.Dialer, longest time.Duration) {
	d.KeepAliveConfig = net.KeepAliveConfig{
		Enable: true, Idle: longest - 3*time.Second, Interval: time.Second, Count: 3,
	}
	d.Control = func(network, _ string, conn syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		return limitSilence(conn, longest)
	}
}
