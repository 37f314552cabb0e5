package pgindex

import (
	"net"
	"strings"
	"syscall"
	"time"
)

// longestSilence is how long nothing of what was sent to the server is acknowledged by the system there, or
// fits into its memory, before the connection is given up. It says nothing of how long the answer to
// little may take: see mostBesideLock. A node whose connection was dropped without a word must have its
// turn on another one while its lease lasts.
const longestSilence = 5 * time.Second

// dialer returns what connects to the server. While nothing is sent it asks whether anybody is there.
func dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{
		Timeout: timeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: longestSilence - 3*time.Second, Interval: time.Second, Count: 3,
		},
		Control: func(network, _ string, conn syscall.RawConn) error {
			if !strings.HasPrefix(network, "tcp") {
				return nil
			}
			return limitSilence(conn)
		},
	}
}
