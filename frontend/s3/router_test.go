package s3_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/frontend/s3"
	"github.com/gabion-storage/gabion/index"
)

// memoryEngine opens an engine in memory that can encrypt; the test's end checks and closes it.
func memoryEngine(t testing.TB) *engine.Engine {
	t.Helper()
	ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blob.NewMemory(0), &engine.Options{Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.CheckAndClose(t, e) })
	return e
}

// TestNotOffered answers what is not offered with NotImplemented instead of with something else.
func TestNotOffered(t *testing.T) {
	e := memoryEngine(t)
	server := httptest.NewServer(s3.New(e, &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	ctx := t.Context()
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "bucket", Rules: engine.S3}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "key"}); err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]string{
		"PUT /bucket?versioning":             "501 NotImplemented",
		"PUT /bucket?versions":               "501 NotImplemented",
		"GET /bucket?versions":               "200 ", // each object has one
		"GET /absent?versions":               "404 NoSuchBucket",
		"PUT /bucket/key?retention":          "501 NotImplemented",
		"POST /bucket/key?select":            "501 NotImplemented",
		"POST /bucket":                       "412 PreconditionFailed", // not a form
		"POST /bucket?inventedTomorrow":      "501 NotImplemented",
		"PATCH /bucket/key":                  "405 MethodNotAllowed",
		"GET /bucket/key?versionId=1":        "404 NoSuchVersion",
		"GET /bucket/key?versionId=null":     "200 ",
		"GET /bucket/key?versionId=":         "400 InvalidArgument",
		"DELETE /bucket/key?versionId=":      "400 InvalidArgument",
		"GET /bucket/key?tagging&versionId":  "400 InvalidArgument",
		"GET /?max-buckets=0":                "400 InvalidArgument",
		"GET /?max-buckets=10001":            "400 InvalidArgument",
		"GET /?max-buckets=x":                "400 InvalidArgument",
		"GET /?max-buckets=10000":            "200 ",
		"GET /bucket/key?partNumber=0":       "400 InvalidArgument",
		"PUT /bucket/key?partNumber=1":       "400 InvalidArgument",  // not an object of its own
		"PUT /bucket/key?uploadId=1":         "405 MethodNotAllowed", // what is of an upload is GET, POST, DELETE
		"GET /bucket?max-keys=-1":            "400 InvalidArgument",
		"GET /bucket?encoding-type=x":        "400 InvalidArgument",
		"GET /bucket?a=%zz":                  "400 InvalidURI",
		"GET /bucket?policy":                 "404 NoSuchBucketPolicy",
		"GET /absent?policy":                 "404 NoSuchBucket",
		"GET /bucket/key?response-expires=":  "200 ",
		"GET /bucket/key?response-expires=0": "400 InvalidRequest",
	} {
		method, target, _ := strings.Cut(request, " ")
		r, err := http.NewRequest(method, server.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		_, code, _ := strings.Cut(string(body), "<Code>")
		code, _, _ = strings.Cut(code, "</Code>")
		if got := fmt.Sprint(res.StatusCode, " ", code); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

// TestBucketConfiguration reads what a bucket shall be, whether or not its length is said before.
func TestBucketConfiguration(t *testing.T) {
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	const said = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
	for name, body := range map[string]io.Reader{
		"length": strings.NewReader(said), "chunked": io.MultiReader(strings.NewReader(said)),
	} {
		r, err := http.NewRequest("PUT", server.URL+"/"+name, body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res, err = server.Client().Head(server.URL + "/" + name); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("X-Amz-Bucket-Region"); got != "eu-west-1" {
			t.Errorf("%s: the bucket is in %q", name, got)
		}
	}
}
