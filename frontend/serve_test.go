package main

import (
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Servers are stopped at once: here each has a request under way that ends only when the other has
// begun to stop. One after the other, the first would be cut off, and the second take new requests
// all the time.
func TestServersStopAtOnce(t *testing.T) {
	var stopping [2]chan struct{}
	for i := range stopping {
		stopping[i] = make(chan struct{})
	}
	var servers []*http.Server
	var underWay, answers sync.WaitGroup
	for i := range stopping {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		underWay.Add(1)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			underWay.Done()
			<-stopping[1-i]
			_, _ = io.WriteString(w, "done")
		})}
		server.RegisterOnShutdown(func() { close(stopping[i]) })
		go func() { _ = server.Serve(l) }()
		servers = append(servers, server)
		answers.Go(func() {
			a, err := http.Get("http://" + l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Body.Close()
			if said, err := io.ReadAll(a.Body); err != nil || string(said) != "done" {
				t.Errorf("%q, %v", said, err)
			}
		})
	}
	underWay.Wait()
	if err := stop(servers); err != nil {
		t.Error(err)
	}
	answers.Wait()
}
