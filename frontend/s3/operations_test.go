package s3_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// offered are the operations, as the SDK calls them, that are not refused.
const offered = `
AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteBucket
DeleteObject DeleteObjects DeleteObjectTagging GetBucketAccelerateConfiguration GetBucketAcl GetBucketLocation
GetBucketLogging GetBucketNotificationConfiguration GetBucketOwnershipControls GetBucketVersioning GetObject GetObjectAcl
GetObjectAttributes GetObjectTagging HeadBucket HeadObject ListBuckets ListMultipartUploads ListObjects
ListObjectsV2 ListObjectVersions ListParts PutBucketAcl PutObject PutObjectAcl PutObjectTagging UploadPart UploadPartCopy
ListDirectoryBuckets
`

// vain are the operations that delete what no bucket has, and have done so then.
const vain = `
DeleteBucketCors DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketPolicy DeleteBucketReplication
DeleteBucketTagging DeleteBucketWebsite DeletePublicAccessBlock
`

// inSerializers is an operation in the source of the SDK: its name, its path and its method.
var inSerializers = regexp.MustCompile(
	`serializeOp(\w+)\) HandleSerialize\((?s:.*?)SplitURI\("([^"]+)"\)(?s:.*?)request\.Method = "(\w+)"`)

// inBindings are the headers of an operation there: its name, and the code that sets them.
var (
	inBindings = regexp.MustCompile(`(?s)func awsRestxml_serializeOpHttpBindings(\w+)Input\((.*?)\n}`)
	ownHeader  = regexp.MustCompile(`"X-Amz-([\w-]+)"`)
)

// headers are S3's own headers of the operations that are offered, without their beginning: those that are
// read, that are refused, and that ask for nothing that is not done anyway.
const headers = `
Acl Copy-Source Copy-Source-If-Match Copy-Source-If-Modified-Since Copy-Source-If-None-Match
Copy-Source-If-Unmodified-Since Copy-Source-Range Expected-Bucket-Owner Max-Parts Metadata-Directive Mp-Object-Size
Object-Attributes Object-Ownership Part-Number-Marker Server-Side-Encryption Server-Side-Encryption-Aws-Kms-Key-Id
Source-Expected-Bucket-Owner Storage-Class Tagging Tagging-Directive Website-Redirect-Location

Bucket-Namespace Bucket-Object-Lock-Enabled If-Match-Initiated-Time If-Match-Last-Modified-Time If-Match-Size
Object-Lock-Event-Hold Object-Lock-Event-Hold-Duration-Days Object-Lock-Event-Hold-Duration-Years
Object-Lock-Legal-Hold Object-Lock-Mode Object-Lock-Retain-Until-Date Server-Side-Encryption-Context Write-Offset-Bytes

Bypass-Governance-Retention Mfa Object-Annotation-Directive Optional-Object-Attributes Request-Payer
Server-Side-Encryption-Bucket-Key-Enabled
`

// TestEveryHeader looks for headers that the SDK has, and nobody has thought of: to pass over one can mean to
// do more than the client wants.
func TestEveryHeader(t *testing.T) {
	known, found := strings.Fields(headers), map[string]bool{}
	for _, m := range inBindings.FindAllStringSubmatch(serializers(t), -1) {
		if !slices.Contains(strings.Fields(offered), m[1]) {
			continue
		}
		for _, header := range ownHeader.FindAllStringSubmatch(m[2], -1) {
			name := header[1]
			found[name] = true
			of := strings.Contains(name, "Checksum-") || strings.Contains(name, "-Customer-") ||
				strings.HasPrefix(name, "Grant-") || strings.HasPrefix(name, "Meta-")
			if !of && !slices.Contains(known, name) {
				t.Errorf("%s has X-Amz-%s", m[1], name)
			}
		}
	}
	for _, name := range known {
		if !found[name] {
			t.Errorf("the SDK has no X-Amz-%s", name)
		}
	}
}

// serializers is the source by which the SDK writes requests.
func serializers(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(),
		"go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/s3").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "serializers.go"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// TestEveryOperation refuses each operation of the SDK that is not offered, and does nothing else instead:
// those that are told by a subresource that nobody knows would create a bucket, or store an object.
func TestEveryOperation(t *testing.T) {
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	raw(t, server, "PUT /bucket", "")
	raw(t, server, "PUT /bucket/key", "content")
	found := map[string]bool{}
	for _, m := range inSerializers.FindAllStringSubmatch(serializers(t), -1) {
		name, path, method := m[1], m[2], m[3]
		found[name] = true
		if strings.Contains(offered, name+" ") || strings.Contains(offered, name+"\n") {
			continue
		}
		for _, bucket := range []string{"/bucket", "/new"} {
			request := method + " " + bucket + strings.Replace(strings.Replace(path, "{Key+}", "key", 1), "/?", "?", 1)
			got := raw(t, server, request, "")
			status, _, _ := strings.Cut(strings.TrimPrefix(got, "HTTP/1.1 "), "\n")
			want := []string{"501"}
			switch {
			case slices.Contains(strings.Fields(vain), name):
				want = []string{"204"}
			case method == "GET":
				want = append(want, "404")
			}
			if bucket == "/new" { // which is looked for first, unless a header is refused
				want = []string{"404", "501"}
			}
			if !slices.Contains(want, status[:3]) {
				t.Errorf("%s, %s: %s", name, request, status)
			}
		}
	}
	for name := range strings.FieldsSeq(offered) {
		if !found[name] {
			t.Errorf("the SDK has no %s", name)
		}
	}
	for _, request := range []string{
		"PUT /bucket?inventedTomorrow", "PUT /bucket/key?inventedTomorrow", "DELETE /bucket/key?inventedTomorrow",
		"DELETE /bucket?inventedTomorrow=", "POST /bucket/key?uploads&inventedTomorrow",
	} {
		if got := raw(t, server, request, "other"); !strings.HasPrefix(got, "HTTP/1.1 501") {
			t.Errorf("%s: %s", request, got)
		}
	}
	if got := raw(t, server, "PUT /new?inventedTomorrow", ""); !strings.HasPrefix(got, "HTTP/1.1 404") {
		t.Errorf("a bucket that is not there: %s", got)
	}
	if got := raw(t, server, "GET /bucket/key?20061130", ""); !strings.HasSuffix(got, "content") {
		t.Errorf("what browsers say against their caches: %s", got)
	}
	if got := raw(t, server, "HEAD /new", ""); !strings.HasPrefix(got, "HTTP/1.1 404") {
		t.Errorf("there is a bucket: %s", got)
	}
}
