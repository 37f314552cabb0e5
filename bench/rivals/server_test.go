package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWaitingForAServerThatHangs: who takes a request and does not answer it is not waited for beyond
// the end of the context, and so not beyond that of startTimeout.
func TestWaitingForAServerThatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	hung := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		cancel()
		<-over
	}))
	defer hung.Close()
	defer close(over)
	s := &server{address: strings.TrimPrefix(hung.URL, "http://"), ended: make(chan struct{})}
	if err := s.waitReady(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
