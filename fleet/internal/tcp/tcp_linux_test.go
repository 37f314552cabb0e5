package tcp_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/fleet/internal/tcp"
)

// TestSilentPeer sends to somebody who takes no more of it: the connection is given up.
func TestSilentPeer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var d net.Dialer
	tcp.LimitSilence(&d, 4*time.Second)
	conn, err := d.DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err = conn.Write(make([]byte, 64<<20)); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("Write: %v, want ETIMEDOUT", err)
	}
}
