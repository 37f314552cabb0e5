package wire

import (
	"net"
	"sync"
)

// LimitConnections accepts no more than n connections at once; others wait until one is closed.
func LimitConnections(l net.Listener, n int) net.Listener {
	return &limitedListener{l, make(chan struct{}, n), make(chan struct{}), sync.Once{}}
}

type limitedListener struct {
	net.Listener
	open   chan struct{} // holds one for each connection
	closed chan struct{}
	once   sync.Once
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.open })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
