package s3_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestAnnouncedTrailers refuses a checksum that is announced and cannot come: the client would
// believe that its body was compared with it.
func TestAnnouncedTrailers(t *testing.T) {
	e := memoryEngine(t)
	_, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: "bucket", Rules: engine.S3})
	if err != nil {
		t.Fatal(err)
	}
	handler := s3.New(e, &s3.Options{Access: access.Options{Anonymous: true}})
	const chunked = "3\r\nabc\r\n0\r\n"
	const sent = "x-amz-checksum-crc32:NSRBwg==\r\n\r\n"
	for i, c := range []struct {
		payload, trailer, body string
		status                 int
		code                   string
	}{
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-crc32", chunked + sent, 200, ""},
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "", chunked + "\r\n", 200, ""},
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-crc32", chunked + "\r\n", 400, "MalformedTrailerError"},
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-sha3", chunked + "x-amz-checksum-sha3:AA==\r\n\r\n", 400, "InvalidRequest"},
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-md5", chunked + "x-amz-checksum-md5:AA==\r\n\r\n", 400, "InvalidRequest"},
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-meta-a", chunked + "x-amz-meta-a:b\r\n\r\n", 400, "InvalidRequest"},
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-type", chunked + "x-amz-checksum-type:COMPOSITE\r\n\r\n", 400, "InvalidRequest"},
		{"UNSIGNED-PAYLOAD", "x-amz-checksum-crc32", "abd", 400, "MalformedTrailerError"},
		{"", "x-amz-checksum-crc32", "abd", 400, "MalformedTrailerError"},
		{"", " , ", "abc", 200, ""},
	} {
		r := httptest.NewRequest("PUT", fmt.Sprint("/bucket/", i), strings.NewReader(c.body))
		r.Header.Set("X-Amz-Content-Sha256", c.payload)
		r.Header.Set("X-Amz-Trailer", c.trailer)
		r.Header.Set("X-Amz-Decoded-Content-Length", "3")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if got := w.Body.String(); w.Code != c.status || c.code != "" && !strings.Contains(got, "<Code>"+c.code+"</Code>") {
			t.Errorf("%q announces %q: %d %s, want %d %s", c.payload, c.trailer, w.Code, got, c.status, c.code)
		}
		want := 404
		if c.status == 200 {
			want = 200
		}
		w = httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("HEAD", fmt.Sprint("/bucket/", i), nil))
		if w.Code != want {
			t.Errorf("%q announces %q: then HEAD is %d, want %d", c.payload, c.trailer, w.Code, want)
		}
	}
}

// TestStringToSign is what S3 tells whose signature does not match.
func TestStringToSign(t *testing.T) {
	keys, now := access.StaticKeys{"AK": "secret"}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	handler := s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Keys: keys, Now: func() time.Time { return now }}})
	r := httptest.NewRequest("GET", "/bucket", nil)
	r.Header.Set("X-Amz-Date", "20260102T030405Z")
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/s3/aws4_request, "+
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	want := "<StringToSign>AWS4-HMAC-SHA256&#xA;20260102T030405Z&#xA;20260102/us-east-1/s3/aws4_request&#xA;"
	if got := w.Body.String(); w.Code != 403 || !strings.Contains(got, want) {
		t.Errorf("%d %s, want %s", w.Code, got, want)
	}
}
