package s3_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestWords answers errors in the words of S3, also where the engine has OSS's, and calls what is at fault
// as S3 does.
func TestWords(t *testing.T) {
	ctx, e := t.Context(), memoryEngine(t)
	server := httptest.NewServer(s3.New(e, &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	raw(t, server, "PUT /bucket", "")
	raw(t, server, "PUT /bucket/key", "abc")
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"})
	if err != nil {
		t.Fatal(err)
	}
	upload := "/bucket/key?uploadId=" + up.UploadID
	raw(t, server, "PUT "+upload+"&partNumber=1", "part")
	raw(t, server, "PUT "+upload+"&partNumber=2", "part")
	list := func(parts ...string) string {
		for i, number := range parts {
			parts[i] = "<Part><PartNumber>" + number + "</PartNumber><ETag>f4c9385f1902f7334b00b9b4ecd164de</ETag></Part>"
		}
		return "<CompleteMultipartUpload>" + strings.Join(parts, "") + "</CompleteMultipartUpload>"
	}
	long := strings.Repeat("k", 1025)
	for _, c := range []struct{ request, body, want string }{
		{"POST " + upload, list("1", "2"), "<Message>Your proposed upload is smaller than the minimum allowed size</Message>"},
		{"POST " + upload, list("1", "2"), "<ProposedSize>4</ProposedSize><MinSizeAllowed>5242880</MinSizeAllowed>"},
		{"POST " + upload, list("2", "1"), "<Message>The list of parts was not in ascending order. Parts must be ordered by part number.<"},
		{"POST " + upload, list("3"), "could not be found.  The part may not have been uploaded, or the specified entity tag may not match"},
		{"POST " + upload, list("-4"), "<Message>PartNumber must be &gt;= 1</Message>"},
		{"POST " + upload, list("10001"), "<Message>Part number must be an integer between 1 and 10000, inclusive</Message>"},
		{"POST " + upload, list(), "<Message>The XML you provided was not well-formed or did not validate against our published schema.<"},
		{"POST " + upload, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>", "<Code>MalformedXML</Code>"},
		{"POST " + upload, "<CompleteMultipartUpload><Part><ETag>0a</ETag></Part></CompleteMultipartUpload>", "<Code>MalformedXML</Code>"},
		{"POST " + upload + "\nX-Amz-Mp-Object-Size: 9", list("1"), "header value 9 does not match what was computed: 4<"},
		{"POST " + upload + "\nX-Amz-Mp-Object-Size: -1", list("1"), "header is less than zero: '-1'<"},
		{"POST " + upload + "\nX-Amz-Mp-Object-Size: size", list("1"), "header is invalid: 'size'<"},
		{"PUT " + upload + "&partNumber=0", "part", "<Message>Part number must be an integer between 1 and 10000, inclusive</Message>"},
		{"PUT " + upload + "&partNumber=0", "part", "<ArgumentName>partNumber</ArgumentName><ArgumentValue>0</ArgumentValue>"},
		{"PUT " + upload + "&partNumber=x", "part", "<Message>Part number must be an integer between 1 and 10000, inclusive</Message>"},
		{"PUT " + upload + "&partNumber=1\nX-Amz-Copy-Source: bucket/key\nX-Amz-Copy-Source-Range: 1-2", "",
			"<Message>The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are"},
		{"PUT " + upload + "&partNumber=1\nX-Amz-Copy-Source: bucket/key\nX-Amz-Copy-Source-Range: bytes=1-9", "",
			"<Message>Range specified is not valid for source object of size: 3</Message>"},
		{"PUT " + upload + "&partNumber=1\nX-Amz-Checksum-Crc32: AAAA", "part", "Value for x-amz-checksum-crc32 header is invalid."},
		{"PUT " + upload + "&partNumber=1\nX-Amz-Checksum-Crc32: \nX-Amz-Checksum-Sha1: ", "part", "Expecting a single x-amz-checksum- header."},
		{"PUT /bucket/key\nX-Amz-Checksum-Crc32: AAAAAA==", "abc", "<Message>The CRC32 you specified did not match the calculated checksum.<"},
		{"PUT /bucket/key\nContent-Md5: XrY7u+Ae7tCTyyK7j1rNww==", "abc", "<Message>The Content-MD5 you specified did not match what we received.<"},
		{"PUT /bucket/key\nX-Amz-Sdk-Checksum-Algorithm: SHA1\nX-Amz-Checksum-Crc32: NSRBwg==", "abc",
			"<Message>Value for x-amz-sdk-checksum-algorithm header is invalid.<"},
		{"POST /bucket/key?uploads\nX-Amz-Checksum-Type: COMPOSITE", "", "The x-amz-checksum-type header can only be used with"},
		{"POST /bucket/key?uploads\nX-Amz-Checksum-Type: COMPOSITE\nX-Amz-Checksum-Algorithm: CRC64NVME", "",
			"<Message>The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.<"},
		{"PUT /bucket/" + long, "", "<Message>Your key is too long</Message>"},
		{"PUT /bucket/" + long, "", "<Size>1025</Size><MaxSizeAllowed>1024</MaxSizeAllowed>"},
		{"PUT /bucket/key\nX-Amz-Meta-A: " + long + long, "", "<Message>Your metadata headers exceed the maximum allowed metadata size</Message>"},
		{"PUT /bucket/key\nX-Amz-Meta-A: " + long + long, "", "<Size>2051</Size><MaxSizeAllowed>2048</MaxSizeAllowed>"},
		{"PUT /bucket/key\nX-Amz-Storage-Class: x", "", "<Message>The storage class you specified is not valid</Message>"},
		{"PUT /bucket/key\nX-Amz-Tagging: a=%3F", "", "<Message>The TagValue you have provided is invalid</Message>"},
		{"PUT /bucket/key\nX-Amz-Website-Redirect-Location: x", "", "location must have a prefix of 'http://' or 'https://' or '/'.<"},
		{"PUT /bucket/key\nX-Amz-Copy-Source: bucket/key", "", "website redirect location or encryption attributes.<"},
		{"PUT /bucket/key\nX-Amz-Copy-Source: bucket/key\nX-Amz-Metadata-Directive: x", "", "<Message>Unknown metadata directive.</Message>"},
		{"PUT /bucket/key\nX-Amz-Copy-Source: bucket/key\nX-Amz-Tagging-Directive: x", "",
			"<ArgumentName>x-amz-tagging-directive</ArgumentName><ArgumentValue>x</ArgumentValue>"},
		{"PUT /bucket/key\nIf-None-Match: x", "", "<Message>A header you provided implies functionality that is not implemented</Message>"},
		{"PUT /bucket/key\nIf-None-Match: x", "", "<additionalMessage>IfNoneMatch is \"x\": of a write only * is implemented.<"},
		{"PUT /bucket?cors", "", "<Code>NotImplemented</Code>"},
		{"PUT /other?cors", "", "<Code>NoSuchBucket</Code>"},
		{"GET /bucket?tagging", "", "<Message>The TagSet does not exist</Message>"},
		{"GET /bucket/key\nRange: bytes=9-", "", "<Message>The requested range is not satisfiable</Message>"},
		{"GET /bucket/key?partNumber=2", "", "<Message>The requested partnumber is not satisfiable</Message>"},
		{"GET /bucket/key?partNumber=1\nRange: bytes=0-1", "", "<Message>Cannot specify both Range header and partNumber query parameter<"},
		{"GET /bucket/key\nX-Amz-Expected-Bucket-Owner: x", "", "<Message>Access Denied</Message>"},
		{"GET /bucket?max-keys=-1", "", "<Message>Argument maxKeys must be an integer between 0 and 2147483647</Message>"},
		{"GET /bucket?max-keys=x", "", "<Message>Provided max-keys not an integer or within integer range</Message>"},
		{"GET /?max-buckets=-1", "", "<Message>Argument max-buckets must be an integer between 1 and 10000.</Message>"},
		{"PUT /public\nX-Amz-Acl: public-read", "", "<Code>InvalidBucketAclWithObjectOwnership</Code>"},
		{"DELETE /bucket", "", "<Message>The bucket you tried to delete is not empty</Message>"},
		{"POST /bucket?delete", "<Delete><Object><Key>" + long + "</Key></Object></Delete>",
			"<Code>KeyTooLongError</Code><Message>Your key is too long</Message>"},
	} {
		if got := raw(t, server, c.request, c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s: no %q in\n%s", c.request, c.want, got)
		}
	}
}
