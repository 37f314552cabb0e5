//go:build unix

package postgres

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
)

// A Proxy stands between nodes and a server.
type Proxy struct {
	t      testing.TB
	dir    string // of its socket
	server string

	mu      sync.Mutex // guards the fields below
	conns   map[net.Conn]bool
	refuses bool          // connections
	asked   chan struct{} // closed when a node asks about a commit

	// judge says what becomes of what a node sends; nil lets it pass.
	judge func(message []byte) Verdict
}

// A Verdict says what becomes of a message.
type Verdict int

// The message passes; or the connection is cut: Cut in its middle, Answer when the server has
// answered it, Late before the server has it, which is after the node has asked about it. With Stall
// neither it nor what follows gets any answer, until the node gives the connection up.
const (
	Pass Verdict = iota
	Cut
	Answer
	Late
	Stall
)

// NewProxy begins to listen; the test's cleanup ends it.
func NewProxy(t *testing.T, server *Server) *Proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "gabion-proxy-") // a socket has no room for the name of the test
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, Socket))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		t: t, dir: dir, server: filepath.Join(server.Dir(), Socket),
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
		p.CutAll()
		running.Wait()
		os.RemoveAll(dir)
	})
	return p
}

// Dir is where its socket is.
func (p *Proxy) Dir() string { return p.dir }

// Set changes what becomes of messages and new connections.
func (p *Proxy) Set(refuses bool, judge func([]byte) Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses, p.judge = refuses, judge
}

// hear notes that a node asks about a commit, if it does.
func (p *Proxy) hear(message []byte) {
	if bytes.Contains(message, []byte("gabion_noted\x00")) {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(p.asked)
		p.asked = make(chan struct{})
	}
}

// state returns what counts at the moment.
func (p *Proxy) state() (judge func([]byte) Verdict, asked <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.judge, p.asked
}

// CutAll cuts all connections.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
	close(p.asked) // nobody will any more
	p.asked = make(chan struct{})
}

func (p *Proxy) keep(conns ...net.Conn) bool {
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

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(client, server) {
		return
	}
	defer p.drop(client, server)
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
func (p *Proxy) forward(client, server net.Conn, muted *sync.Mutex, answered <-chan struct{}) {
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
		does := Pass
		if judge != nil {
			does = judge(buf[:n])
		}
		switch does {
		case Cut:
			_, _ = server.Write(buf[:n/2])
			return
		case Stall:
			_, _ = io.Copy(io.Discard, client)
			return
		case Answer:
			muted.Lock()
		case Late:
			muted.Lock()
			client.Close()
			<-asked
			time.Sleep(50 * time.Millisecond) // in which who does not wait has an answer
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
		if does != Pass {
			<-answered
			return
		}
	}
}

// IsCommit recognizes the message with which a node commits what it has written.
func IsCommit(message []byte) bool { return bytes.Contains(message, []byte("gabion_note\x00")) }
