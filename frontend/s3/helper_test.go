package s3_test

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// The one client that is known.
const accessKey, secretKey = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

var keys = access.StaticKeys{accessKey: secretKey}

// serve serves an engine over loopback, with or without TLS, to who has the keys.
func serve(t testing.TB, e *engine.Engine, o access.Options, start func(http.Handler) *httptest.Server) *httptest.Server {
	t.Helper()
	o.Keys = keys
	server := start(clients.Serve(t, e, func(e *engine.Engine) http.Handler {
		return s3.New(e, &s3.Options{Access: o})
	}))
	t.Cleanup(server.Close)
	return server
}

// plain serves an engine in memory without TLS, and returns a client with a bucket "bucket".
func plain(t testing.TB) *awss3.Client {
	t.Helper()
	c := client(serve(t, memoryEngine(t), access.Options{}, httptest.NewServer))
	if _, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	return c
}

// client is one of a server, with path style.
func client(server *httptest.Server, o ...func(*awss3.Options)) *awss3.Client {
	return awss3.New(awss3.Options{
		BaseEndpoint: &server.URL, Region: "us-east-1", UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTPClient:                 server.Client(),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		RetryMaxAttempts:           1,
	}, o...)
}

// put stores an object.
func put(t testing.TB, c *awss3.Client, key string, body []byte) *awss3.PutObjectOutput {
	t.Helper()
	out, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader(body),
	})
	if err != nil {
		t.Fatalf("PutObject %s: %v", key, err)
	}
	return out
}

// get reads an object.
func get(t testing.TB, c *awss3.Client, in *awss3.GetObjectInput) ([]byte, *awss3.GetObjectOutput) {
	t.Helper()
	in.Bucket = cmp.Or(in.Bucket, aws.String("bucket"))
	out, err := c.GetObject(t.Context(), in)
	if err != nil {
		t.Fatalf("GetObject %s: %v", *in.Key, err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("GetObject %s: %v", *in.Key, err)
	}
	return body, out
}

// wantCode demands S3's code of an error.
func wantCode(t testing.TB, what string, err error, code string) {
	t.Helper()
	var said smithy.APIError
	if !errors.As(err, &said) || said.ErrorCode() != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// random are bytes that do not repeat.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

// customerKey and customerSum are a client's own key and its digest as requests say them.
func customerKey(key string) *string {
	return aws.String(base64.StdEncoding.EncodeToString([]byte(key)))
}

func customerSum(key string) *string {
	sum := md5.Sum([]byte(key))
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}
