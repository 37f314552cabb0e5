package s3_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestNamesThatXMLLacks has a key with characters that XML does not have in every document that has keys, by
// references, and deletes it as each of them says it.
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
	send("GET "+key, "", "<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>")
	send("GET "+key, "", "<Key>"+said+"</Key><Resource>/bucket/"+said+"</Resource>")

	started := send("POST "+key+"?uploads", "", "<Key>"+said+"</Key>")
	_, id, _ := strings.Cut(started, "<UploadId>")
	id, _, _ = strings.Cut(id, "</UploadId>")
	send("PUT "+key+"?partNumber=1&uploadId="+id, "content", "200 OK")
	send("GET "+key+"?uploadId="+id, "", "<Key>"+said+"</Key>")
	send("GET /bucket?uploads", "", "<Key>"+said+"</Key>")
	send("GET /bucket?uploads&key-marker=a%01&upload-id-marker=b%02", "", "<UploadIdMarker>b&#x2;</UploadIdMarker>")
	send("POST "+key+"?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"+
		"<ETag>9a0364b9e99bb480dd25e1f0284c8555</ETag></Part></CompleteMultipartUpload>", "<Key>"+said+"</Key>")
	send("GET /bucket?versions", "", "<Key>"+said+"</Key>")
	send("GET /bucket", "", "<Key>"+said+"</Key>")
	send("GET /bucket?max-keys=%01", "", "<ArgumentValue>&#x1;</ArgumentValue>")
	send("GET /?prefix=%01", "", "<Prefix>&#x1;</Prefix>")

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
	send("POST /bucket\nContent-Type: multipart/form-data; boundary=b", form, "<Key>a&#x1;b</Key>")
}
