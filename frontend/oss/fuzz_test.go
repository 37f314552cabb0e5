package oss_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// FuzzServeHTTP sends any request. It gets an answer, and one that is an error is OSS's own. At the
// end the engine is checked and closed: nothing is left behind.
func FuzzServeHTTP(f *testing.F) {
	for _, seed := range [][4]string{
		{"GET", "/", "", ""},
		{"PUT", "/bucket", "X-Oss-Acl: private", "<CreateBucketConfiguration></CreateBucketConfiguration>"},
		{"PUT", "/bucket/key", "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\nX-Oss-Meta-a: b\nX-Oss-Tagging: a=b", "body"},
		{"PUT", "/bucket/key", "X-Oss-Copy-Source: /bucket/there\nX-Oss-Metadata-Directive: replace", ""},
		{"GET", "/bucket/there?response-content-type=a", "Range: bytes=1-2\nX-Oss-Range-Behavior: standard", ""},
		{"HEAD", "/bucket/there", "If-None-Match: *", ""},
		{"POST", "/bucket/there?uploads&encoding-type=url&sequential", "X-Oss-Server-Side-Encryption: KMS", ""},
		{"PUT", "/bucket/open?partNumber=1&uploadId=UPLOAD", "X-Oss-Hash-Crc64ecma: 1", "part"},
		{"PUT", "/bucket/open?partNumber=2&uploadId=UPLOAD", "X-Oss-Copy-Source: /bucket/there\nX-Oss-Copy-Source-Range: bytes=0-1", ""},
		{"POST", "/bucket/open?uploadId=UPLOAD", "", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>"},
		{"POST", "/bucket/open?uploadId=UPLOAD", "X-Oss-Complete-All: yes", ""},
		{"GET", "/bucket/open?uploadId=UPLOAD&max-parts=1&part-number-marker=0", "", ""},
		{"GET", "/bucket?list-type=2&delimiter=/&continuation-token=Yg==&encoding-type=url&max-keys=1", "", ""},
		{"GET", "/bucket?uploads&key-marker=a&upload-id-marker=b", "", ""},
		{"POST", "/bucket?delete", "", "<Delete><Quiet>true</Quiet><Object><Key>&#x01;&amp;</Key></Object></Delete>"},
		{"POST", "/bucket", formHeader[1:], formOf("key: k${filename}\nx-oss-meta-a: b\nsuccess_action_status: 201", "file")},
		{"POST", "/bucket", formHeader[1:], formOf("key: k\nOSSAccessKeyId: a\npolicy: e30=\nSignature: b", "file")},
		{"PUT", "/bucket/there?tagging", "", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"},
		{"GET", "/bucket?stat", "Authorization: OSS a:b", ""},
		{"GET", "/bucket?acl&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-expires=99999999999", "X-Oss-Date: x", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	e := memoryEngine(f)
	h := anonymous(e)
	play(f, h, []exchange{{"PUT /bucket", "", 200, ""}, {"PUT /bucket/there", "content", 200, ""}})
	up, err := e.InitiateMultipartUpload(f.Context(), &engine.InitiateMultipartUploadRequest{
		Bucket: "bucket", Key: "open",
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, headers, body string) {
		u, err := url.ParseRequestURI(strings.ReplaceAll(target, "UPLOAD", up.UploadID))
		if err != nil {
			t.Skip("net/http refuses it")
		}
		r := &http.Request{
			Method: method, URL: u, RequestURI: target, Host: "localhost", Proto: "HTTP/1.1",
			ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, RemoteAddr: "127.0.0.1:1",
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}
		for line := range strings.Lines(headers) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(t.Context()))
		checkAnswer(t, r, w.Result())
	})
}

// checkAnswer holds that an answer is one of OSS's.
func checkAnswer(t *testing.T, r *http.Request, res *http.Response) {
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Header.Get("X-Oss-Request-Id")) != 24 {
		t.Error("there is no request id")
	}
	if res.StatusCode == http.StatusInternalServerError {
		t.Errorf("%s %s: %s", r.Method, r.URL, body)
	}
	if res.StatusCode < 400 || r.Method == http.MethodHead {
		return
	}
	var said struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	if err := xml.Unmarshal(body, &said); err != nil || said.Code == "" || said.Message == "" {
		t.Errorf("%s %s: %d %s, %v", r.Method, r.URL, res.StatusCode, body, err)
	}
}
