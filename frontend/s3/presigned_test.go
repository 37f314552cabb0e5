package s3_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gabion-storage/gabion/frontend/access"
)

// presign signs a URL with all its parameters, and perhaps the header Content-Type.
func presign(t *testing.T, server *httptest.Server, method, target, contentType string) (url string) {
	t.Helper()
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	r, err := http.NewRequest(method, server.URL+target+separator+"X-Amz-Expires=60", nil)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	url, _, err = awsv4.NewSigner(func(o *awsv4.SignerOptions) { o.DisableURIPathEscaping = true }).PresignHTTP(
		t.Context(), aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, r,
		"UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// sendTo sends a request to a URL that presign has signed.
func sendTo(t *testing.T, server *httptest.Server, method, url, contentType, body string) (res *http.Response, said string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	res, err = server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(all)
}

// TestPresignedParameters does what the parameters of a presigned URL say, where the presigners of some
// SDKs put what would be S3's own headers.
func TestPresignedParameters(t *testing.T) {
	server := serve(t, memoryEngine(t), access.Options{}, httptest.NewServer)
	c := client(server)
	if _, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	put(t, c, "source", []byte("source"))
	for _, x := range []struct {
		target string
		status int
		want   string // "Name: value" of HEAD, or a code
	}{
		{"/bucket/meta?x-amz-meta-a=b", 200, "X-Amz-Meta-A: b"},
		{"/bucket/upper?X-Amz-Meta-A=b", 200, "X-Amz-Meta-A: b"},
		{"/bucket/sse?x-amz-server-side-encryption=AES256", 200, "X-Amz-Server-Side-Encryption: AES256"},
		{"/bucket/tags?x-amz-tagging=a%3Db", 200, "X-Amz-Tagging-Count: 1"},
		// As the SDK for JavaScript signs, before there is a body.
		{"/bucket/sum?x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32", 200, "Content-Length: 5"},
		{"/bucket/acl?x-amz-acl=private", 200, "Content-Length: 5"},
		{"/bucket/acl?x-amz-acl=public-read", 400, "AccessControlListNotSupported"},
		{"/bucket/lock?x-amz-object-lock-mode=GOVERNANCE", 501, "NotImplemented"},
		{"/bucket/copy?x-amz-copy-source=bucket%2Fsource", 200, "Content-Length: 6"},
		{"/bucket/copy?x-amz-copy-source=bucket%2Fabsent", 404, "NoSuchKey"},
		{"/bucket/twice?x-amz-acl=private&X-Amz-Acl=public-read", 400, "InvalidArgument"},
		{"/bucket/line?x-amz-meta-a=b%0D%0Ac", 400, "InvalidArgument"},
		{"/bucket/name?x-amz-meta-a%20b=c", 400, "InvalidArgument"},
	} {
		res, said := sendTo(t, server, "PUT", presign(t, server, "PUT", x.target, ""), "", "hello")
		if res.StatusCode != x.status || x.status != 200 && !strings.Contains(said, "<Code>"+x.want+"</Code>") {
			t.Errorf("PUT %s: %s, want %d %s\n%s", x.target, res.Status, x.status, x.want, said)
		}
		if x.status != 200 {
			continue
		}
		path, _, _ := strings.Cut(x.target, "?")
		res, _ = sendTo(t, server, "HEAD", presign(t, server, "HEAD", path, ""), "", "")
		name, value, _ := strings.Cut(x.want, ": ")
		if got := res.Header.Get(name); got != value {
			t.Errorf("PUT %s, HEAD: %s %q, want %q", x.target, name, got, value)
		}
	}
}

// TestPresignedSemicolons takes URLs in which semicolons are not escaped, as some presigners and people write
// them: they are signed as if they were, and separate nothing.
func TestPresignedSemicolons(t *testing.T) {
	server := serve(t, memoryEngine(t), access.Options{}, func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // it warns of them
		s.Start()
		return s
	})
	if _, err := client(server).CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	escaped := presign(t, server, "PUT", "/bucket/key?x-amz-meta-a=b%3Bc", "text/css")
	const names = "X-Amz-SignedHeaders=content-type%3Bhost"
	if !strings.Contains(escaped, names) {
		t.Fatal(escaped)
	}
	plain := strings.Replace(escaped, names, "X-Amz-SignedHeaders=content-type;host", 1)
	for _, x := range []struct {
		url, contentType string
		status           int
	}{
		{escaped, "text/css", 200},
		{plain, "text/css", 200},
		{plain, "text/html", 403},
		{strings.Replace(escaped, "b%3Bc", "b;c", 1), "text/css", 200},
		{strings.Replace(escaped, "b%3Bc", "b;d", 1), "text/css", 403},
		{strings.Replace(escaped, "b%3Bc", "b&c", 1), "text/css", 403},
		{plain + ";a=b", "text/css", 403},
		{plain + "&;acl", "text/css", 403},
		{strings.Replace(escaped, names, "X-Amz-SignedHeaders=host", 1), "text/css", 403},
	} {
		if res, said := sendTo(t, server, "PUT", x.url, x.contentType, "hello"); res.StatusCode != x.status {
			t.Errorf("%s with %s: %s, want %d\n%s", x.url, x.contentType, res.Status, x.status, said)
		}
	}
	download := presign(t, server, "GET", "/bucket/key?response-content-disposition=attachment%3Bfilename%3Dx", "")
	download = strings.Replace(download, "attachment%3Bfilename%3Dx", "attachment;filename=x", 1)
	res, said := sendTo(t, server, "GET", download, "", "")
	if got := res.Header.Get("Content-Disposition"); said != "hello" || got != "attachment;filename=x" {
		t.Errorf("%s: %s %q\n%s", download, res.Status, got, said)
	}
}
