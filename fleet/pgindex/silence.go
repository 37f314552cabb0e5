package pgindex

import (
	"net"
	"time"

	"github.com/gabion-storage/gabion/fleet/internal/tcp"
)

// longestSilence is how long nothing of what was sent to the server is acknowledged by the system there, or
// fits into its memory, before the connection is given up. It says nothing of how long the answer to
// little may take: see mostBesideLock. A node whose connection was dropped without a word must have its
// turn on another one while its lease lasts.
const longestSilence = 5 * time.Second

// dialer returns what connects to the server. While nothing is sent it asks whether anybody is there.
func dialer(timeout time.Duration) *net.Dialer {
	d := &net.Dialer{Timeout: timeout}
	tcp.LimitSilence(d, longestSilence)
	return d
}
