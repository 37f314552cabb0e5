package access

import (
	"net"
	"net/http"
	"strings"
)

// locate finds the bucket and the key that a request is about. The path is taken as it is, byte by
// byte.
func locate(r *http.Request, domain string) (bucket, key string) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if bucket, ok := strings.CutSuffix(strings.ToLower(host), "."+domain); ok {
		return bucket, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// declaredLength is what the client says of the length of the body, -1 if it says nothing.
func declaredLength(r *http.Request) int64 {
	if r.ContentLength == 0 && r.Header.Get("Content-Length") == "" {
		return -1
	}
	return r.ContentLength
}
