package s3_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// An exchange is a request and what is wanted of its answer.
type exchange struct {
	request string // "METHOD target", then lines of headers
	body    string
	status  int
	want    string // lines that the headers or the body must have
}

// TestExchanges is what S3 answers where the SDK does not show it, or would not ask.
func TestExchanges(t *testing.T) {
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	const created = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
	const completed = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
	for _, x := range []exchange{
		{"PUT /bucket", "", 200, ""},
		{"PUT /bucket/key\nX-Amz-Meta-Some-Name: a\nContent-Encoding: deflate,  gzip", "content", 200, ""},

		// Names of metadata are in lower case: some clients take them as they come.
		{"HEAD /bucket/key", "", 200, "\nx-amz-meta-some-name: a\nContent-Encoding: deflate,  gzip"},
		{"PUT /bucket/chunked\nContent-Encoding: gzip, aws-chunked, br", "content", 200, ""},
		{"HEAD /bucket/chunked", "", 200, "\nContent-Encoding: gzip, br"},

		// A bucket of the region that the oldest are in may be created again.
		{"PUT /bucket", "", 200, ""},
		{"PUT /bucket", created, 409, "<Code>BucketAlreadyOwnedByYou</Code>"},
		{"PUT /west", created, 200, ""},
		{"PUT /west", "", 409, "<Code>BucketAlreadyOwnedByYou</Code>"},
		{"PUT /west", created, 409, "<Code>BucketAlreadyOwnedByYou</Code>"},
		{"PUT /nowhere", strings.Replace(created, "west", strings.Repeat("w", 59), 1), 400, "<Code>InvalidLocationConstraint</Code>"},
		{"PUT /somewhere", strings.Replace(created, "west", strings.Repeat("w", 58), 1), 200, ""},
		{"PUT /tagged", "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>", 501, "<Code>NotImplemented</Code>"},
		{"HEAD /tagged", "", 404, ""},
		{"PUT /untagged", "<CreateBucketConfiguration><Tags></Tags></CreateBucketConfiguration>", 200, ""},
		{"PUT /", "", 405, "<Code>MethodNotAllowed</Code>"},
		{"DELETE /", "", 405, "<Code>MethodNotAllowed</Code>"},
		{"GET //key", "", 400, "<Code>InvalidBucketName</Code>"},
		{"GET //bucket/key", "", 400, "<Code>InvalidBucketName</Code>"},
		{"PUT //key", "x", 400, "<Code>InvalidBucketName</Code>"},
		{"GET /", "", 200, "<ListAllMyBucketsResult "},

		{"GET /bucket?list-type=2&continuation-token=", "", 200, "<ContinuationToken></ContinuationToken>"},
		{"PUT /bucket/bad\nContent-MD5: ", "x", 400, "<Code>InvalidDigest</Code>"},
		{"PUT /bucket/key?tagging\nContent-MD5: ", "<Tagging><TagSet></TagSet></Tagging>", 400, "<Code>InvalidDigest</Code>"},
		{"POST /bucket?delete\nContent-MD5: ", "<Delete><Object><Key>key</Key></Object></Delete>", 400, "<Code>InvalidDigest</Code>"},
		{"POST /bucket/key?uploads", "", 200, ""},
		{"PUT /bucket/key?partNumber=1&uploadId=x\nContent-MD5: ", "x", 400, "<Code>InvalidDigest</Code>"},
		{"PUT /bucket/key?uploadId=x\nX-Amz-Copy-Source: bucket/key", "", 405, "<Code>MethodNotAllowed</Code>"},

		{"PUT /bucket/key?uploadId=x&partNumber=1\nX-Amz-Copy-Source: bucket/key?versionId=", "", 400, "<Code>InvalidArgument</Code>"},
		{"PUT /bucket/copy\nX-Amz-Copy-Source: bucket/key?versionId=", "", 400, "<Message>Version id cannot be the empty string</Message>"},
		{"PUT /bucket/copy\nX-Amz-Copy-Source: bucket/key?versionId=null", "", 200, ""},
		{"PUT /bucket/bad\nX-Amz-Tagging: =", "x", 400, "<Code>InvalidArgument</Code>"},
		{"PUT /bucket/bad\nX-Amz-Tagging: a=b&=c", "x", 400, "<Code>InvalidArgument</Code>"},
		{"PUT /bucket/tags\nX-Amz-Tagging: &a&b=c&", "x", 200, ""},
		{"HEAD /bucket/tags", "", 200, "X-Amz-Tagging-Count: 2"},
		{"POST /bucket/key?uploadId=x\nX-Amz-Mp-Object-Size: -1", completed, 400, "<Code>InvalidRequest</Code>"},
		{"POST /bucket/key?uploadId=x\nX-Amz-Mp-Object-Size: x", completed, 400, "<Code>InvalidRequest</Code>"},
		{"POST /bucket", "x", 412, "<Condition>Bucket POST must be of the enclosure-type multipart/form-data</Condition>"},
		{"GET /bucket/absent?attributes\nX-Amz-Object-Attributes: ETag, x", "", 400, "<Code>InvalidArgument</Code>"},
		{"GET /bucket/key?attributes", "", 400, "<Code>InvalidRequest</Code>"},
		{"GET /bucket/absent?attributes\nX-Amz-Object-Attributes: ETag", "", 404, "<Code>NoSuchKey</Code>"},
		{"GET /bucket/key?attributes\nX-Amz-Object-Attributes: ETag, ObjectSize\nX-Amz-Max-Parts: 0", "", 200, "<ObjectSize>7</ObjectSize>"},

		// Conditions that are not judged must not be passed over.
		{"DELETE /bucket/key\nX-Amz-If-Match-Size: 1", "", 501, "<Code>NotImplemented</Code>"},
		{"DELETE /bucket/key\nX-Amz-If-Match-Last-Modified-Time: x", "", 501, "<Code>NotImplemented</Code>"},
		{"DELETE /bucket/key\nIf-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT", "", 501, "<Code>NotImplemented</Code>"},
		{"DELETE /bucket/key\nIf-Modified-Since: x", "", 501, "<Code>NotImplemented</Code>"},
		{"DELETE /bucket/key\nIf-None-Match: x", "", 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/key\nIf-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT", "other", 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/key\nIf-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT", "other", 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/key\nIf-Match: x\nIf-None-Match: *", "other", 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/copy\nX-Amz-Copy-Source: bucket/key\nIf-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT", "", 501, "<Code>NotImplemented</Code>"},
		{"POST /bucket/key?uploadId=x\nIf-Match: x\nIf-None-Match: *", completed, 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/key\nX-Amz-Write-Offset-Bytes: 7", "more", 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/key\nX-Amz-Write-Offset-Bytes: ", "more", 501, "<Code>NotImplemented</Code>"},
		{"DELETE /bucket/key?uploadId=x\nX-Amz-If-Match-Initiated-Time: x", "", 501, "<Code>NotImplemented</Code>"},
		{"DELETE /bucket/key?uploadId=x\nIf-Match: x", "", 501, "<Code>NotImplemented</Code>"},
		{"POST /bucket/key?uploads\nIf-None-Match: *", "", 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/key?partNumber=1&uploadId=x\nIf-None-Match: *", "x", 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/copy\nX-Amz-Copy-Source: bucket/key\nIf-None-Match: *", "", 501, "<Code>NotImplemented</Code>"},
		{"DELETE /bucket/key?tagging\nIf-Match: x", "", 501, "<Code>NotImplemented</Code>"},
		{"DELETE /bucket\nIf-Match: x", "", 501, "<Code>NotImplemented</Code>"},
		{"GET /bucket/key", "", 200, "content"},
		{"POST /bucket?delete", "<Delete><Object><Key>key</Key><Size>1</Size></Object></Delete>", 200, "<Error><Key>key</Key><Code>NotImplemented</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>key</Key><LastModifiedTime>x</LastModifiedTime></Object></Delete>", 200, "<Error><Key>key</Key><Code>NotImplemented</Code>"},

		{"GET /bucket/key\nX-Amz-Server-Side-Encryption: AES256", "", 400, "<Code>InvalidArgument</Code>"},
		{"HEAD /bucket/key\nX-Amz-Server-Side-Encryption: aws:kms", "", 400, ""},
		{"GET /bucket/key", "", 200, "content"},

		// Everything is one account's.
		{"GET /bucket/key\nX-Amz-Expected-Bucket-Owner: gabion", "", 200, "content"},
		{"GET /bucket/key\nX-Amz-Expected-Bucket-Owner: 111122223333", "", 403, "<Code>AccessDenied</Code>"},
		{"GET /bucket\nX-Amz-Expected-Bucket-Owner: 111122223333", "", 403, "<Code>AccessDenied</Code>"},
		{"DELETE /bucket/key\nX-Amz-Expected-Bucket-Owner: 111122223333", "", 403, "<Code>AccessDenied</Code>"},
		{"PUT /bucket/key\nX-Amz-Expected-Bucket-Owner: ", "other", 403, "<Code>AccessDenied</Code>"},
		{"PUT /bucket/copy\nX-Amz-Copy-Source: bucket/key\nX-Amz-Source-Expected-Bucket-Owner: 1", "", 403, "<Code>AccessDenied</Code>"},
		{"PUT /bucket/copy\nX-Amz-Copy-Source: bucket/key\nX-Amz-Source-Expected-Bucket-Owner: gabion", "", 200, ""},
		{"PUT /regional\nX-Amz-Bucket-Namespace: account-regional", "", 501, "<Code>NotImplemented</Code>"},
		{"PUT /global\nX-Amz-Bucket-Namespace: global", "", 200, ""},
		{"PUT /enforced\nX-Amz-Object-Ownership: BucketOwnerEnforced", "", 200, ""},
		{"PUT /preferred\nX-Amz-Object-Ownership: BucketOwnerPreferred", "", 501, "<Code>NotImplemented</Code>"},
		{"PUT /writer\nX-Amz-Object-Ownership: ObjectWriter", "", 501, "<Code>NotImplemented</Code>"},
		{"PUT /nobody\nX-Amz-Object-Ownership: x", "", 400, "<Code>InvalidArgument</Code>"},
		{"HEAD /writer", "", 404, ""},

		// The one list of access that there is.
		{"GET /bucket?acl", "", 200, "<Permission>FULL_CONTROL</Permission>"},
		{"GET /absent?acl", "", 404, "<Code>NoSuchBucket</Code>"},
		{"GET /bucket/key?acl", "", 200, `xsi:type="CanonicalUser"`},
		{"GET /bucket/absent?acl", "", 404, "<Code>NoSuchKey</Code>"},
		{"PUT /bucket?acl\nX-Amz-Acl: private", "", 200, ""},
		{"PUT /absent?acl\nX-Amz-Acl: private", "", 404, "<Code>NoSuchBucket</Code>"},
		{"PUT /bucket/key?acl\nX-Amz-Acl: bucket-owner-full-control", "", 200, ""},
		{"PUT /bucket/absent?acl\nX-Amz-Acl: private", "", 404, "<Code>NoSuchKey</Code>"},
		{"PUT /bucket/key?acl\nX-Amz-Acl: public-read", "", 400, "<Code>AccessControlListNotSupported</Code>"},
		{"PUT /bucket/key?acl\nX-Amz-Grant-Read: id=1", "", 400, "<Code>AccessControlListNotSupported</Code>"},
		{"PUT /bucket/key?acl", "<AccessControlPolicy></AccessControlPolicy>", 400, "<Code>AccessControlListNotSupported</Code>"},
		{"PUT /bucket/key?acl", accessList("gabion", "FULL_CONTROL"), 200, ""},
		{"PUT /bucket/absent?acl", accessList("gabion", "FULL_CONTROL"), 404, "<Code>NoSuchKey</Code>"},
		{"PUT /bucket/key?acl", accessList("gabion", "READ"), 400, "<Code>AccessControlListNotSupported</Code>"},
		{"PUT /bucket/key?acl", accessList("somebody", "FULL_CONTROL"), 400, "<Code>AccessControlListNotSupported</Code>"},
		{"PUT /bucket/key?acl\nContent-MD5: AAAAAAAAAAAAAAAAAAAAAA==", accessList("gabion", "FULL_CONTROL"), 400, "<Code>BadDigest</Code>"},

		// Locks are not offered; to want none is no mistake.
		{"PUT /lockless\nX-Amz-Bucket-Object-Lock-Enabled: false", "", 200, ""},
		{"PUT /lockless\nX-Amz-Bucket-Object-Lock-Enabled: False", "", 200, ""},
		{"PUT /locked\nX-Amz-Bucket-Object-Lock-Enabled: true", "", 501, "<Code>NotImplemented</Code>"},
		{"PUT /locked\nX-Amz-Bucket-Object-Lock-Enabled: x", "", 501, "<Code>NotImplemented</Code>"},
		{"HEAD /locked", "", 404, ""},
		{"PUT /bucket/locked\nX-Amz-Object-Lock-Legal-Hold: ON", "", 501, "<Code>NotImplemented</Code>"},
		{"PUT /bucket/locked\nX-Amz-Object-Lock-Mode: GOVERNANCE", "", 501, "<Code>NotImplemented</Code>"},

		// What a bucket could have, and has not.
		{"GET /bucket?website", "", 404, "<Code>NoSuchWebsiteConfiguration</Code>"},
		{"GET /bucket?replication", "", 404, "<Code>ReplicationConfigurationNotFoundError</Code>"},
		{"GET /bucket?publicAccessBlock", "", 404, "<Code>NoSuchPublicAccessBlockConfiguration</Code>"},
		{"GET /bucket?ownershipControls", "", 200, "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"},
		{"GET /bucket?logging", "", 200, "<BucketLoggingStatus "},
		{"GET /bucket?notification", "", 200, "<NotificationConfiguration "},
		{"GET /bucket?accelerate", "", 200, "<AccelerateConfiguration "},
		{"GET /absent?logging", "", 404, "<Code>NoSuchBucket</Code>"},
	} {
		x.play(t, server)
	}
}

// play sends the request, and looks for what is wanted of its answer.
func (x exchange) play(t *testing.T, server *httptest.Server) {
	t.Helper()
	got := raw(t, server, x.request, x.body)
	status, _, _ := strings.Cut(strings.TrimPrefix(got, "HTTP/1.1 "), " ")
	if status != fmt.Sprint(x.status) {
		t.Errorf("%s: %s, want %d\n%s", x.request, status, x.status, got)
	}
	for line := range strings.SplitSeq(strings.TrimPrefix(x.want, "\n"), "\n") {
		if !strings.Contains(got, line) {
			t.Errorf("%s: no %q in\n%s", x.request, line, got)
		}
	}
}

// raw sends a request, and returns the answer as it comes, with lines that end as in Unix.
func raw(t *testing.T, server *httptest.Server, request, body string) string {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	line, headers, _ := strings.Cut(request, "\n")
	text := line + " HTTP/1.1\nHost: a\nConnection: close\n"
	if headers != "" {
		text += headers + "\n"
	}
	if body != "" || strings.HasPrefix(line, "P") {
		text += fmt.Sprintf("Content-Length: %d\n", len(body))
	}
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n")+"\r\n"+body); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(all), "\r\n", "\n")
}

// TestRefusedAtOnce refuses a client that waits for "100 Continue" without waiting for its body.
func TestRefusedAtOnce(t *testing.T) {
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = io.WriteString(c, "PUT /bucket/key HTTP/1.1\r\nHost: a\r\nContent-Length: 123\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil) // it would wait as long as the test
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusNotFound {
		t.Errorf("%s, want 404", res.Status)
	}
}

// accessList is a document with one grant, as clients write it.
func accessList(id, permission string) string {
	return `<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>gabion</ID></Owner>` +
		`<AccessControlList><Grant>` +
		`<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>` + id +
		`</ID></Grantee><Permission>` + permission + `</Permission></Grant></AccessControlList></AccessControlPolicy>`
}
