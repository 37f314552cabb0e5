package pgindex_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/fleet/pgindex"
)

// TestSilentPeer sends to somebody who takes no more of it: long before an answer would be overdue, the
// connection is given up.
func TestSilentPeer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := pgindex.Dialer(time.Minute).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Write(make([]byte, 64<<20))
	if !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("Write: %v, want ETIMEDOUT", err)
	}
}
