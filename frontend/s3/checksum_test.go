package s3_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestChecksumHeaders is what S3 answers to headers of checksums that an SDK would not send.
func TestChecksumHeaders(t *testing.T) {
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	const unsupported = "<Message>Checksum algorithm provided is unsupported. Please try again with any of the valid types: " +
		"[CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]</Message>"
	for _, x := range []exchange{
		{"PUT /bucket", "", 200, ""},
		{"PUT /bucket/key\nX-Amz-Checksum-Crc32: ", "x", 400, "<Code>InvalidRequest</Code><Message>Value for x-amz-checksum-crc32 header is invalid.</Message>"},
		{"PUT /bucket/key\nX-Amz-Checksum-Crc32: AAAA", "x", 400, "<Message>Value for x-amz-checksum-crc32 header is invalid.</Message>"},
		{"PUT /bucket/key\nX-Amz-Checksum-Crc32: AAAAAA==", "x", 400, "<Code>BadDigest</Code><Message>The CRC32 you specified did not match the calculated checksum.</Message>"},
		{"PUT /bucket/key\nX-Amz-Checksum-Crc32: AAAAAA==\nX-Amz-Sdk-Checksum-Algorithm: SHA1", "x", 400, "<Message>Value for x-amz-sdk-checksum-algorithm header is invalid.</Message>"},
		{"PUT /bucket/key\nX-Amz-Checksum-Sha3: AAAA", "x", 400, "<Message>The algorithm type you specified in x-amz-checksum- header is invalid.</Message>"},
		{"PUT /bucket/key\nX-Amz-Checksum-Md5: AAAA", "x", 400, "<Code>InvalidRequest</Code>"},
		{"PUT /bucket/key\nX-Amz-Checksum-Xxhash128: xLwRQzsRHM4=", "x", 400, "<Code>InvalidRequest</Code>"},
		{"PUT /bucket/key\nX-Amz-Checksum-Xxhash64: AAAAAAAAAAA=", "x", 400, "<Code>BadDigest</Code>"},
		{"PUT /bucket/key\nX-Amz-Checksum-Algorithm: x", "x", 400, "<Code>InvalidRequest</Code>" + unsupported},
		{"PUT /bucket/key\nX-Amz-Sdk-Checksum-Algorithm: x", "x", 400, "<Code>InvalidRequest</Code>"},
		{"HEAD /bucket/key", "", 404, ""},
		{"POST /bucket?delete\nX-Amz-Checksum-Crc32: ", "<Delete><Object><Key>key</Key></Object></Delete>", 400, "<Code>InvalidRequest</Code>"},

		{"POST /bucket/key?uploads\nX-Amz-Checksum-Algorithm: x", "", 400, "<Code>InvalidRequest</Code>" + unsupported},
		{"POST /bucket/key?uploads\nX-Amz-Checksum-Algorithm: sha512", "", 200, "X-Amz-Checksum-Type: COMPOSITE"},
		{"POST /bucket/key?uploads\nX-Amz-Checksum-Algorithm: md5\nX-Amz-Checksum-Type: FULL_OBJECT", "", 400, "<Code>InvalidRequest</Code>"},
		{"POST /bucket/key?uploads\nX-Amz-Checksum-Algorithm: crc32\nX-Amz-Checksum-Type: full_object", "", 200, "X-Amz-Checksum-Type: FULL_OBJECT"},
		{"POST /bucket/key?uploads\nX-Amz-Checksum-Algorithm: crc32\nX-Amz-Checksum-Type: x", "", 400, "<Code>InvalidRequest</Code><Message>Value for x-amz-checksum-type header is invalid.</Message>"},
		{"POST /bucket/key?uploads\nX-Amz-Checksum-Type: COMPOSITE", "", 400, "<Code>InvalidRequest</Code>"},
		{"POST /bucket/key?uploads\nX-Amz-Checksum-Algorithm: sha1\nX-Amz-Checksum-Type: FULL_OBJECT", "", 400, "<Code>InvalidRequest</Code>"},
		{"PUT /bucket/copy\nX-Amz-Copy-Source: bucket/key\nX-Amz-Checksum-Algorithm: x", "", 400, "<Code>InvalidRequest</Code>" + unsupported},
	} {
		x.play(t, server)
	}
}

// TestChecksumsOfParts is what S3 answers to lists of parts with checksums that are not those of the upload.
func TestChecksumsOfParts(t *testing.T) {
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{Anonymous: true}}))
	t.Cleanup(server.Close)
	raw(t, server, "PUT /bucket", "")
	const crc32, wrong, sha1 = "<ChecksumCRC32>NSRBwg==</ChecksumCRC32>", "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>",
		"<ChecksumSHA1>AAAAAAAAAAAAAAAAAAAAAAAAAAA=</ChecksumSHA1>"
	const invalid = "<Code>InvalidArgument</Code><Message>Invalid Base64 or multiple checksums present in request</Message>"
	for _, kind := range []string{"COMPOSITE", "FULL_OBJECT", ""} {
		request := "POST /bucket/key?uploads"
		if kind != "" {
			request += "\nX-Amz-Checksum-Algorithm: CRC32\nX-Amz-Checksum-Type: " + kind
		}
		_, id, _ := strings.Cut(raw(t, server, request, ""), "<UploadId>")
		id, _, _ = strings.Cut(id, "</UploadId>")
		raw(t, server, "PUT /bucket/key?partNumber=1&uploadId="+id, "abc")
		complete := func(header, checksums string, status int, want string) {
			t.Helper()
			x := exchange{"POST /bucket/key?uploadId=" + id + header, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>" +
				"<ETag>900150983cd24fb0d6963f7d28e17f72</ETag>" + checksums + "</Part></CompleteMultipartUpload>", status, want}
			x.play(t, server)
		}
		complete("", crc32+sha1, 400, invalid)
		complete("", sha1+crc32, 400, invalid)
		complete("", crc32+crc32, 400, invalid)
		complete("", "<ChecksumCRC32>x</ChecksumCRC32>", 400, invalid)
		complete("", "<ChecksumSHA1>AAAAAA==</ChecksumSHA1>", 400, invalid)
		complete("", wrong, 400, "<Code>InvalidPart</Code>")
		complete("\nX-Amz-Checksum-Type: x", crc32, 400, "<Code>InvalidRequest</Code>")
		if kind == "" {
			complete("", crc32, 400, "<Code>InvalidPart</Code>")
			complete("", sha1, 400, "<Code>InvalidPart</Code>")
			complete("", "", 200, "")
			// Which is an object of one part.
			exchange{"HEAD /bucket/key?partNumber=1", "", 206, "X-Amz-Mp-Parts-Count: 1"}.play(t, server)
			raw(t, server, "PUT /bucket/whole", "abc")
			if got := raw(t, server, "HEAD /bucket/whole?partNumber=1", ""); strings.Contains(got, "Parts-Count") {
				t.Errorf("an object without parts: %s", got)
			}
			continue
		}
		other := strings.Replace("COMPOSITEFULL_OBJECT", kind, "", 1)
		complete("", sha1, 400, "<Code>BadDigest</Code>")
		complete("", "<ChecksumMD5>AAAAAAAAAAAAAAAAAAAAAA==</ChecksumMD5>", 400, "<Code>BadDigest</Code>")
		complete("\nX-Amz-Checksum-Type: "+other, crc32, 400, "<Code>InvalidRequest</Code>")
		complete("\nX-Amz-Checksum-Type: "+strings.ToLower(kind), crc32, 200, "<ChecksumType>"+kind+"</ChecksumType>")
	}
}
