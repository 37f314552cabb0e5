package s3blob_test

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gabion-storage/gabion/fleet/internal/s3server"
	"github.com/gabion-storage/gabion/fleet/s3blob"
)

// forwarder stands between clients and a server. Connections that it has hushed swallow what is sent,
// and give nothing, as those do that a firewall has forgotten.
type forwarder struct {
	listener net.Listener
	server   string
	running  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]*atomic.Bool
	said  atomic.Int64 // bytes that hushed connections have swallowed
}

func forward(t *testing.T, server string) *forwarder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{listener: l, server: server, conns: map[net.Conn]*atomic.Bool{}}
	f.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.running.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for conn := range f.conns {
			conn.Close()
		}
		f.mu.Unlock()
		f.running.Wait()
	})
	return f
}

// hush silences all connections that are open. Those that are opened later work.
func (f *forwarder) hush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, hushed := range f.conns {
		hushed.Store(true)
	}
}

func (f *forwarder) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", f.server)
	if err != nil {
		return
	}
	defer server.Close()
	hushed := new(atomic.Bool)
	f.mu.Lock()
	f.conns[client] = hushed
	f.mu.Unlock()
	f.running.Go(func() {
		_, _ = io.Copy(unlessHushed{client, hushed, nil}, server)
		if !hushed.Load() {
			client.Close()
		}
	})
	_, _ = io.Copy(unlessHushed{server, hushed, &f.said}, client)
}

// unlessHushed swallows what is written once it is hushed.
type unlessHushed struct {
	io.Writer
	hushed *atomic.Bool
	said   *atomic.Int64
}

func (u unlessHushed) Write(p []byte) (int, error) {
	if !u.hushed.Load() {
		return u.Writer.Write(p)
	}
	if u.said != nil {
		u.said.Add(int64(len(p)))
	}
	return len(p), nil
}

// patient has a minute for a request, and gives an attempt up after a second in which nothing goes on.
var patient = s3blob.Options{Timeout: time.Minute, Attempts: 60}

// TestSilentConnections has the connections that are open fall silent, without being closed. What is
// written and read then goes over others, long before the time for a request is over.
func TestSilentConnections(t *testing.T) {
	server := s3server.Start(t)
	// The proxy keeps connections, as the server does not.
	f := forward(t, s3server.NewProxy(t, server).Addr)
	o := s3server.ClientOf(f.listener.Addr().String()).Options()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	o.HTTPClient = &http.Client{Transport: transport}
	s := open(t, s3.New(o), patient)
	ref, frame := synced(t, s, 1, 1000)
	for what, call := range map[string]func(){
		"writing": func() { synced(t, s, 2, 10_000_000) }, // more than fits into buffers
		"reading": func() { wantFrame(t, s, ref, frame) },
		"listing": func() {
			if _, err := s.Volumes(t.Context()); err != nil {
				t.Errorf("Volumes: %v", err)
			}
		},
	} {
		f.hush()
		before := f.said.Load()
		call()
		if f.said.Load() == before {
			t.Errorf("%s: nothing went over a silent connection", what)
		}
	}
}

// TestSilentAmidAnswers has answers stop amid their bodies, once each: they are read again.
func TestSilentAmidAnswers(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	client := w.through(server.Client())
	ref, frame := synced(t, open(t, client, s3blob.Options{}), 1, 1000)
	stalls := map[string]int{}
	w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
		kind := kindOf(r)
		if r.URL.Query().Has("prefix") {
			kind += ", listed"
		}
		if stalls[kind]++; r.Method == http.MethodGet && stalls[kind] == 1 {
			stall(r, res, 10)
		}
		return res, nil
	})
	s := open(t, client, patient)
	wantFrame(t, s, ref, frame)
	synced(t, s, 2, 1000)
	for _, kind := range []string{"GET volumes", "GET volumes, listed", "GET openings, listed"} {
		if stalls[kind] < 2 {
			t.Errorf("%s: asked %d times, want once more after the answer that stopped",
				kind, stalls[kind])
		}
	}
}
