package oss_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/frontend/oss"
	"github.com/gabion-storage/gabion/index"
)

// memoryEngine opens an engine in memory that can encrypt; the test's end checks and closes it.
func memoryEngine(t testing.TB) *engine.Engine {
	t.Helper()
	ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.OpenStores(
		t.Context(), index.NewMemory(), blob.NewMemory(0), &engine.Options{Keys: ring},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.CheckAndClose(t, e) })
	return e
}

// anonymous is a face that lets everybody in.
func anonymous(e *engine.Engine) http.Handler {
	return oss.New(e, &oss.Options{Access: access.Options{Anonymous: true, Domain: "localhost"}})
}

// An exchange is a request and what the answer to it must be.
type exchange struct {
	request string // "METHOD target", then lines of headers
	body    string
	status  int
	want    string // lines of headers, then of what the body must have
}

// send sends a request to a face.
func send(t testing.TB, h http.Handler, request, body string) (*http.Response, string) {
	t.Helper()
	lines := strings.Split(request, "\n")
	method, target, _ := strings.Cut(lines[0], " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1"
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	if body != "" {
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	for name, values := range res.Header { // as a client sees them
		delete(res.Header, name)
		res.Header[http.CanonicalHeaderKey(name)] = values
	}
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

// play plays exchanges one after another. UPLOAD in a request is the id of the upload that was
// initiated by an earlier one.
func play(t testing.TB, h http.Handler, exchanges []exchange) {
	t.Helper()
	id := "UPLOAD"
	for _, x := range exchanges {
		res, got := send(t, h, strings.ReplaceAll(x.request, "UPLOAD", id), x.body)
		if res.StatusCode != x.status {
			t.Fatalf("%s: %d, want %d\n%s", x.request, res.StatusCode, x.status, got)
		}
		for _, line := range strings.Split(x.want, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				if said := res.Header.Get(name); said != value {
					t.Errorf("%s: %s: %q, want %q", x.request, name, said, value)
				}
			} else if !strings.Contains(got, line) {
				t.Errorf("%s: no %s in\n%s", x.request, line, got)
			}
		}
		if found := uploadID.FindStringSubmatch(got); found != nil && id == "UPLOAD" {
			id = found[1]
		}
	}
}

var uploadID = regexp.MustCompile("<UploadId>([0-9A-F]{32})</UploadId>")
