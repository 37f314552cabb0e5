package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestDialingAServerThatHangs: who takes requests and answers none is given up.
func TestDialingAServerThatHangs(t *testing.T) {
	defer func(d time.Duration) { startTimeout = d }(startTimeout)
	startTimeout = 10 * time.Millisecond // it never answers, so that any time will do
	over := make(chan struct{})
	hung := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer hung.Close()
	defer close(over)
	for name, dial := range map[string]func(context.Context, *server) (client, error){
		"S3": dialS3, "OSS": dialOSS,
	} {
		_, err := dial(t.Context(), &server{addr: strings.TrimPrefix(hung.URL, "http://")})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
