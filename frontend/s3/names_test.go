package s3_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestNamesThatXMLLacks has a key with characters that XML does not have in documents that are there for keys, by
// references, and deletes it as clients write it. Other answers are such as strict parsers read.
func TestNamesThatXMLLacks(t *testing.T) {
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	const key, said = "/bucket/a%01%EF%BF%BE%EF%BF%BF%26b", "a&#x1;&#xFFFE;&#xFFFF;&amp;b"
	send := func(request, body, want string) (answer string) {
		t.Helper()
		answer = raw(t, server, request, body)
		if !strings.Contains(answer, want) {
			t.Errorf("%s: no %q in\n%s", request, want, answer)
		}
		return answer
	}
	send("PUT /bucket", "", "200 OK")
	const plain = "<Key>a\ufffd\ufffd\ufffd&amp;b</Key>"
	send("GET "+key, "", plain)
	send("GET /bucket?max-keys=%01", "", "<ArgumentValue>\ufffd</ArgumentValue>")

	started := send("POST "+key+"?uploads", "", plain)
	_, id, _ := strings.Cut(started, "<UploadId>")
	id, _, _ = strings.Cut(id, "</UploadId>")
	send("PUT "+key+"?partNumber=1&uploadId="+id, "content", "200 OK")
	send("GET "+key+"?uploadId="+id, "", "<Key>"+said+"</Key>")
	send("GET /bucket?uploads", "", "<Key>"+said+"</Key>")
	send("POST "+key+"?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"+
		"<ETag>9a0364b9e99bb480dd25e1f0284c8555</ETag></Part></CompleteMultipartUpload>", plain)
	send("GET /bucket?versions", "", "<Key>"+said+"</Key>")
	send("GET /bucket", "", "<Key>"+said+"</Key>")

	for _, asked := range []string{said, "a\x01\ufffe\uffff&#38;b", "a&#1;&#65534;&#xfFfF;&amp;b"} {
		send("PUT "+key, "content", "200 OK")
		send("POST /bucket?delete", "<Delete><Object><Key>"+asked+"</Key><ETag>&quot;9a0364b9e99bb480dd25e1f0284c8555&quot;</ETag>"+
			"</Object></Delete>", "<Deleted><Key>"+said+"</Key></Deleted>")
		send("HEAD "+key, "", "404 Not Found")
	}
	send("POST /bucket?delete", "<Delete><Object><Key>"+said+"</Key><Size>1</Size></Object></Delete>", "<Error><Key>"+said+"</Key>")
	send("POST /bucket?delete", "<Delete><Object><Key>&#0;</Key></Object></Delete>", "<Code>MalformedXML</Code>")
	send("POST /bucket?delete\nX-Amz-Checksum-Crc32: AAAAAA==", "<Delete><Object><Key>a</Key></Object></Delete>", "<Code>BadDigest</Code>")

	const form = "--b\r\nContent-Disposition: form-data; name=key\r\n\r\na\x01b\r\n" +
		"--b\r\nContent-Disposition: form-data; name=success_action_status\r\n\r\n201\r\n" +
		"--b\r\nContent-Disposition: form-data; name=file\r\n\r\ncontent\r\n--b--\r\n"
	send("POST /bucket\nContent-Type: multipart/form-data; boundary=b", form, "<Key>a\ufffdb</Key>")
}

// TestUploadOfSuchNames uploads to a key with such a character by the SDK, which reads XML strictly.
func TestUploadOfSuchNames(t *testing.T) {
	c, bucket, key := plain(t), aws.String("bucket"), aws.String("a\x01b")
	_, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: bucket, Key: key})
	wantCode(t, "GetObject", err, "NoSuchKey")
	up, err := c.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.UploadPart(t.Context(), &awss3.UploadPartInput{
		Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("content"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CompleteMultipartUpload(t.Context(), &awss3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{
			Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := get(t, c, &awss3.GetObjectInput{Key: key}); string(got) != "content" {
		t.Errorf("%q", got)
	}
}
