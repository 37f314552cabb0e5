// Package tcp notices that a connection has fallen silent, long before the system does by itself.
package tcp

import (
	"net"
	"strings"
	"syscall"
	"time"
)

// LimitSilence has connections of a dialer given up when the other side's system acknowledges nothing
// of what was sent for so long, at least 4 seconds, or does not answer when nothing is sent. It says
// nothing of how long whoever is there may take to answer.
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
