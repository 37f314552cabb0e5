package access_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gabion-storage/gabion/frontend/access"
)

// Who is known, and when it is. The signers of OSS's SDK want the present for URLs of version 4.
var (
	known = access.StaticKeys{"AKEXAMPLE": "secret/of+example", "OTHER": "another secret"}
	now   = time.Now().UTC().Truncate(time.Second)
)

const (
	content = "hello, gabion"
	region  = "eu-central-1"
)

// options are those of most tests: who is known comes in, and it is now.
func options() access.Options {
	return access.Options{Keys: known, Now: func() time.Time { return now }}
}

// upload is a request as a client makes it, before it signs.
func upload(t testing.TB) *http.Request {
	t.Helper()
	r, err := http.NewRequest("PUT",
		"http://127.0.0.1:9000/photos/2026/a%20b%2B%E4%BD%A0%281%29.jpg?partNumber=1&uploadId=X%2FY",
		strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "image/jpeg")
	return r
}

// uploaded is what upload is about.
const uploadedBucket, uploadedKey = "photos", "2026/a b+你(1).jpg"

// arrive is what a server gets of a request that a client sends.
func arrive(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	arrived, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return arrived
}

// verify verifies a request and reads its body to the end.
func verify(v *access.Verifier, r *http.Request) (*access.Identity, string, error) {
	id, err := v.Verify(r)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(r.Body)
	return id, string(body), err
}

// wantCode fails the test unless err is an *Error with the code.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var e *access.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v, want %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("%v, want %s", err, code)
	}
	if e.Status < 400 || e.Status > 499 || e.Message == "" {
		t.Fatalf("status %d, message %q", e.Status, e.Message)
	}
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

var awsKey = aws.Credentials{AccessKeyID: "AKEXAMPLE", SecretAccessKey: known["AKEXAMPLE"]}

// s3Options are how SDKs sign for S3.
func s3Options(o *awsv4.SignerOptions) { o.DisableURIPathEscaping = true }

// signS3 signs in a header, with the SDK.
func signS3(t testing.TB, r *http.Request, payload string) *http.Request {
	t.Helper()
	r.Header.Set("X-Amz-Content-Sha256", payload)
	err := awsv4.NewSigner(s3Options).SignHTTP(
		t.Context(), awsKey, r, payload, "s3", region, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// signS3ButHash signs as signS3, but leaves the hash out of the headers that are signed.
func signS3ButHash(t testing.TB, r *http.Request, payload string) *http.Request {
	t.Helper()
	err := awsv4.NewSigner(s3Options).SignHTTP(
		t.Context(), awsKey, r, payload, "s3", region, now)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", payload)
	return r
}

// presignS3 signs in the URL, with the SDK.
func presignS3(t testing.TB, r *http.Request, life string) *http.Request {
	t.Helper()
	query := r.URL.Query()
	query.Set("X-Amz-Expires", life)
	r.URL.RawQuery = query.Encode()
	signed, headers, err := awsv4.NewSigner(s3Options).PresignHTTP(
		t.Context(), awsKey, r, "UNSIGNED-PAYLOAD", "s3", region, now)
	if err != nil {
		t.Fatal(err)
	}
	if r.URL, err = url.Parse(signed); err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, headers)
	return r
}

// signOSS signs with the SDK, as the context says.
func signOSS(
	t testing.TB, s signer.Signer, r *http.Request, c signer.SigningContext,
) *http.Request {
	t.Helper()
	path := strings.TrimPrefix(r.URL.Path, "/")
	bucket, key, _ := strings.Cut(path, "/")
	if bucket != "" {
		c.Bucket, c.Key = &bucket, &key
	}
	product, region := "oss", "cn-hangzhou"
	c.Product, c.Region = &product, &region
	c.Request = r
	c.Credentials = &credentials.Credentials{
		AccessKeyID: "AKEXAMPLE", AccessKeySecret: known["AKEXAMPLE"],
	}
	if err := s.Sign(context.Background(), &c); err != nil {
		t.Fatal(err)
	}
	return r
}

// signatureV2 is the signature of version 2 of OSS of a request that upload has made: the SDK that
// knows it signs none but its own. It lists no other header than host.
func signatureV2(r *http.Request, additional string) string {
	date, headers := r.Header.Get("Date"), ""
	if expires := r.URL.Query().Get("x-oss-expires"); expires != "" {
		date = expires
	}
	if additional != "" {
		headers = "host:" + r.URL.Host + "\n"
	}
	for _, name := range []string{"X-Oss-Meta-Color", "X-Oss-Meta-Shape"} {
		if values, ok := r.Header[name]; ok {
			headers += strings.ToLower(name) + ":" + values[0] + "\n"
		}
	}
	h := hmac.New(sha256.New, []byte(known["AKEXAMPLE"]))
	h.Write([]byte("PUT\n\nimage/jpeg\n" + date + "\n" + headers + additional + "\n" +
		strings.ReplaceAll(url.QueryEscape(r.URL.Path), "+", "%20") + "?" + r.URL.Query().Encode()))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
