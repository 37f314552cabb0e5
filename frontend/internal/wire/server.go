// Package wire is what both services' HTTP has in common: what one client can take of a server.
package wire

import (
	"net/http"
	"time"
)

// Limits of one client.
const (
	DefaultIdle = time.Minute

	maxHeaderBytes = 64 << 10
	maxHeaders     = 512
	keepAlive      = 2 * time.Minute // between two requests on a connection
)

// NewServer is a server that nobody keeps busy by being slow, but for a connection and a goroutine:
// a client that neither sends nor takes anything for the time idle is cut off, in the middle of
// whatever it is. DefaultIdle if 0.
func NewServer(h http.Handler, idle time.Duration) *http.Server {
	if idle == 0 {
		idle = DefaultIdle
	}
	return &http.Server{
		Handler:           fewHeaders(withDeadlines(h, idle)),
		ReadHeaderTimeout: idle,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

// fewHeaders refuses floods of headers, as the server does by their bytes.
func fewHeaders(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count := 0
		for _, values := range r.Header {
			count += len(values)
		}
		if count > maxHeaders {
			http.Error(w, "too many headers", http.StatusRequestHeaderFieldsTooLarge)
			return
		}
		h.ServeHTTP(w, r)
	})
}
