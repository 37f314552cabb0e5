package pgindex_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/fleet/internal/postgres"
)

// A proxy stands between nodes and a server.
type proxy struct {
	t      testing.TB
	dir    string // of its socket
	server string

	mu      sync.Mutex // guards the fields below
	conns   map[net.Conn]bool
	refuses bool          // connections
	asked   chan struct{} // closed when a node asks about a commit

	// judge says what becomes of what a node sends; nil lets it pass.
	judge func(message []byte) verdict
}

type verdict int

const (
	pass   verdict = iota
	cut            // the connections, in the middle of the message
	answer         // let the server answer, and cut instead of giving that to the node
	late           // cut, and let the server have the message after the node has asked about it
)

// newProxy begins to listen; the test's cleanup ends it.
func newProxy(t *testing.T, server *postgres.Server) *proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "gabion-proxy-") // a socket has no room for the name of the test
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, postgres.Socket))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{
		t: t, dir: dir, server: filepath.Join(server.Dir(), postgres.Socket),
		conns: map[net.Conn]bool{}, asked: make(chan struct{}),
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.cutAll()
		running.Wait()
		os.RemoveAll(dir)
	})
	return p
}

// set changes what becomes of messages and new connections.
func (p *proxy) set(refuses bool, judge func([]byte) verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses, p.judge = refuses, judge
}

// hear notes that a node asks about a commit, if it does.
func (p *proxy) hear(message []byte) {
	if bytes.Contains(message, []byte("gabion_noted\x00")) {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(p.asked)
		p.asked = make(chan struct{})
	}
}

// state returns what counts at the moment.
func (p *proxy) state() (judge func([]byte) verdict, asked <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.judge, p.asked
}

// cutAll cuts all connections, at the end of the test.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
	close(p.asked) // nobody will any more
	p.asked = make(chan struct{})
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(client, server) {
		return
	}
	var muted sync.Mutex // held while the node gets no answers
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			if !muted.TryLock() {
				return // the answer is there, which is all that was waited for
			}
			muted.Unlock()
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	p.forward(client, server, &muted, done)
	server.Close()
	<-done
}

// forward forwards what a node sends.
func (p *proxy) forward(client, server net.Conn, muted *sync.Mutex, answered <-chan struct{}) {
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				p.t.Logf("proxy: %v", err)
			}
			return
		}
		p.hear(buf[:n])
		judge, asked := p.state()
		does := pass
		if judge != nil {
			does = judge(buf[:n])
		}
		switch does {
		case cut:
			_, _ = server.Write(buf[:n/2])
			return
		case answer:
			muted.Lock()
		case late:
			muted.Lock()
			client.Close()
			<-asked
			time.Sleep(50 * time.Millisecond) // in which who does not wait has an answer
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
		if does != pass {
			<-answered
			return
		}
	}
}

// isCommit recognizes the message with which a node commits what it has written.
func isCommit(message []byte) bool { return bytes.Contains(message, []byte("gabion_note\x00")) }
