package main

import (
	"bytes"
	"io"
	"net/http"
)

// A response is an http.ResponseWriter that hands the body on instead of keeping it, as
// httptest.ResponseRecorder would: of a download that would be all of it.
type response struct {
	header  http.Header
	status  int
	body    io.Writer
	problem bytes.Buffer // the body when the status is that of an error
}

// Header implements http.ResponseWriter.
func (r *response) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *response) Write(p []byte) (int, error) { return r.to().Write(p) }

// ReadFrom implements io.ReaderFrom, as the response of a server does.
func (r *response) ReadFrom(src io.Reader) (int64, error) { return io.Copy(r.to(), src) }

func (r *response) to() io.Writer {
	if r.status >= 300 {
		return &r.problem
	}
	return r.body
}
