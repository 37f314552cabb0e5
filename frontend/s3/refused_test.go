package s3_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestRefusals is what S3's documents say to who does not come in: each detail is an element, and what a
// client has said is escaped.
func TestRefusals(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	handler := s3.New(memoryEngine(t), &s3.Options{Access: access.Options{
		Keys: access.StaticKeys{"AK": "secret"}, Now: func() time.Time { return now },
	}})
	const scope = "/20260102/us-east-1/s3/aws4_request"
	const rest = ",SignedHeaders=host,Signature=00"
	for _, x := range []struct{ request, want string }{
		{
			"GET /bucket\nAuthorization: AWS4-HMAC-SHA256 Credential=<a>&b" + scope + rest,
			"<AWSAccessKeyId>&lt;a&gt;&amp;b</AWSAccessKeyId>",
		}, {
			"GET /bucket\nAuthorization: AWS4-HMAC-SHA256 Credential=AK" + scope + rest,
			"<HeadersNotSigned>x-amz-date</HeadersNotSigned>",
		}, {
			"GET /bucket\nAuthorization: <'x\"&#34;>", "<ArgumentName>Authorization</ArgumentName><ArgumentValue>&lt;'x\"&amp;#34;&gt;</ArgumentValue>",
		}, {
			"GET /bucket\nAuthorization: AWS4-HMAC-SHA256 Credential=AK/1/r/</Message>/aws4_request" + rest,
			"<Message>The authorization header is malformed; the Credential is mal-formed; expecting \"&lt;YOUR-AKID&gt;/YYYYMMDD/REGION/SERVICE/aws4_request\".</Message>",
		}, {
			"GET /bucket\nAuthorization: AWS4-HMAC-SHA256 Credential=AK/1/r/<b>/aws4_request" + rest,
			"<Message>The authorization header is malformed; incorrect service \"&lt;b&gt;\". This endpoint belongs to \"s3\".</Message>",
		}, {
			"GET /bucket\nAuthorization: AWS4-HMAC-SHA256 Credential=AK" + scope + ",SignedHeaders=host;x-amz-date,Signature=<00>",
			"<SignatureProvided>&lt;00&gt;</SignatureProvided>",
		}, {
			"GET /bucket\nAuthorization: AWS4-HMAC-SHA256 Credential=AK" + scope + ",SignedHeaders=host;x-amz-date,Signature=00",
			"<CanonicalRequest>GET&#xA;/bucket&#xA;&#xA;host:example.com&#xA;x-amz-date:20260102T030405Z&#xA;&#xA;host;x-amz-date&#xA;UNSIGNED-PAYLOAD</CanonicalRequest><CanonicalRequestBytes>47 45 54 0a ",
		}, {
			"GET /bucket?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK/20260101/us-east-1/s3/aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-Signature=00&X-Amz-SignedHeaders=host;x-amz-date",
			"<X-Amz-Expires>60</X-Amz-Expires><Expires>2026-01-01T00:01:00Z</Expires><ServerTime>2026-01-02T03:04:05Z</ServerTime>",
		}, {
			"POST /bucket", "<Condition>Bucket POST must be of the enclosure-type multipart/form-data</Condition>",
		}, {
			"PUT /bucket/key\nX-Amz-Security-Token: a-secret\nAuthorization: AWS4-HMAC-SHA256 Credential=AK" + scope + ",SignedHeaders=host;x-amz-date;x-amz-security-token,Signature=00",
			"<Code>InvalidToken</Code>",
		},
	} {
		lines := strings.Split(x.request, "\n")
		method, target, _ := strings.Cut(lines[0], " ")
		r := httptest.NewRequest(method, target, nil)
		r.Header.Set("X-Amz-Date", "20260102T030405Z")
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		for _, header := range lines[1:] {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if got := w.Body.String(); w.Code < 400 || !strings.Contains(got, x.want) || strings.Contains(got, "secret") {
			t.Errorf("%s: %d %s, want\n%s", x.request, w.Code, got, x.want)
		}
	}
}

// TestChunksOnlyOfObjects refuses bodies in chunks of whatever stores no object and no part.
func TestChunksOnlyOfObjects(t *testing.T) {
	e := memoryEngine(t)
	if _, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: "bucket", Rules: engine.S3}); err != nil {
		t.Fatal(err)
	}
	handler := s3.New(e, &s3.Options{Access: access.Options{Anonymous: true}})
	const refused = "<Code>InvalidRequest</Code><Message>The value of x-amz-content-sha256 header is invalid.</Message>"
	for request, want := range map[string]string{
		"PUT /bucket/key":                         "",
		"PUT /bucket/key?uploadId=x&partNumber=1": "NoSuchUpload",
		"PUT /bucket/key?tagging":                 refused,
		"PUT /bucket?cors":                        refused,
		"PUT /bucket?versioning":                  refused,
		"POST /bucket?delete":                     refused,
		"POST /bucket/key?uploadId=x":             refused,
		"POST /bucket/key?uploads":                refused,
		"GET /bucket/key":                         refused,
		"PUT /bucket":                             refused,
	} {
		method, target, _ := strings.Cut(request, " ")
		r := httptest.NewRequest(method, target, strings.NewReader("5\r\nabcde\r\n0\r\n\r\n"))
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		r.Header.Set("X-Amz-Decoded-Content-Length", "5")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if got := w.Body.String(); !strings.Contains(got, want) || want == "" && w.Code != 200 {
			t.Errorf("%s: %d %s, want %s", request, w.Code, got, want)
		}
	}
}
