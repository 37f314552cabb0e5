package s3_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestIfRange goes on with an object only if it is still the one that a client has the beginning of, and
// else answers with all of it.
func TestIfRange(t *testing.T) {
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	raw(t, server, "PUT /bucket", "")
	raw(t, server, "PUT /bucket/key", "content")
	_, headers, _ := strings.Cut(raw(t, server, "HEAD /bucket/key", ""), "Last-Modified: ")
	modified, _, _ := strings.Cut(headers, "\n")
	const etag, stale = `"9a0364b9e99bb480dd25e1f0284c8555"`, `"ffffffffffffffffffffffffffffffff"`
	for _, x := range []struct{ headers, status, body string }{
		{"Range: bytes=3-\nIf-Range: " + etag, "206", "tent"},
		{"Range: bytes=3-\nIf-Range: " + stale, "200", "content"},
		{"Range: bytes=3-\nIf-Range: W/" + etag, "200", "content"},
		{"Range: bytes=3-\nIf-Range: " + modified, "206", "tent"},
		{"Range: bytes=3-\nIf-Range: Mon, 02 Jan 2006 15:04:05 GMT", "200", "content"},
		{"Range: bytes=3-\nIf-Range: nothing", "200", "content"},
		{"If-Range: " + stale, "200", "content"},
		{"Range: bytes=9-\nIf-Range: " + etag, "416", "InvalidRange"},
		{"Range: bytes=9-\nIf-Range: " + stale, "200", "content"}, // a longer one was there
		{"Range: bytes=3-\nIf-Range: " + stale + "\nIf-Match: " + stale, "412", "PreconditionFailed"},
		{"Range: bytes=3-\nIf-Range: " + stale + "\nIf-None-Match: " + etag, "304", ""},
		{"Range: bytes=3-\nIf-Range: " + etag + "\nIf-Match: " + etag, "206", "tent"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			got := raw(t, server, method+" /bucket/key\n"+x.headers, "")
			_, body, _ := strings.Cut(got, "\n\n")
			if method == "GET" && !strings.Contains(body, x.body) || !strings.HasPrefix(got, "HTTP/1.1 "+x.status) {
				t.Errorf("%s %s: want %s %s, got\n%s", method, x.headers, x.status, x.body, got)
			}
		}
	}
	if got := raw(t, server, "GET /bucket/absent\nRange: bytes=3-\nIf-Range: "+etag, ""); !strings.HasPrefix(got, "HTTP/1.1 404") {
		t.Error(got)
	}
}
