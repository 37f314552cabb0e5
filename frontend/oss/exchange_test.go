package oss_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/oss"
)

// TestObjects is what OSS answers about objects.
func TestObjects(t *testing.T) {
	play(t, anonymous(memoryEngine(t)), []exchange{
		{"PUT /bucket", "", 200, "Location: /bucket"},
		{"PUT /bucket/a%2Fb%20c\nContent-Type: text/plain\nX-Oss-Meta-Who: me\nX-Oss-Tagging: k=v", "123456789", 200,
			"Etag: \"25F9E794323B453885F5181F1B624D0B\"\nX-Oss-Hash-Crc64ecma: 11051210869376104954\nContent-Md5: JfnnlDI7RTiF9RgfG2JNCw=="},
		{"GET /bucket/a/b%20c", "", 200,
			"Content-Type: text/plain\nX-Oss-Meta-Who: me\nX-Oss-Tagging-Count: 1\nX-Oss-Object-Type: Normal\nX-Oss-Storage-Class: Standard\n123456789"},
		{"HEAD /bucket/a/b%20c", "", 200, "Content-Length: 9\nX-Oss-Hash-Crc64ecma: 11051210869376104954"},
		{"HEAD /bucket/a/b%20c?objectMeta", "", 200, "Content-Length: 9\nX-Oss-Meta-Who: "},
		{"GET /bucket/a/b%20c?objectMeta", "", 200, "Content-Length: 9\nX-Oss-Hash-Crc64ecma: 11051210869376104954"},
		{"GET /bucket/absent?objectMeta", "", 404, "<Code>NoSuchKey</Code>"},
		{"GET /absent/a?objectMeta", "", 404, "<Code>NoSuchBucket</Code>"},
		{"GET /bucket/a/b%20c\nRange: bytes=2-4", "", 206, "Content-Range: bytes 2-4/9\nContent-Length: 3\n345"},
		{"GET /bucket/a/b%20c\nRange: bytes=2-40", "", 200, "Content-Length: 9\n123456789"},
		{"GET /bucket/a/b%20c\nRange: bytes=2-40\nX-Oss-Range-Behavior: standard", "", 206, "Content-Range: bytes 2-8/9"},
		{"GET /bucket/a/b%20c\nRange: bytes=9-\nX-Oss-Range-Behavior: standard", "", 416, "<Code>InvalidRange</Code>"},
		{"GET /bucket/a/b%20c\nIf-None-Match: \"25f9e794323b453885f5181f1b624d0b\"", "", 304, "Etag: \"25F9E794323B453885F5181F1B624D0B\""},
		{"GET /bucket/a/b%20c\nIf-Match: \"0\"", "", 412, "<Code>PreconditionFailed</Code>\n<Condition>If-Match</Condition>"},
		{"PUT /bucket/copy\nX-Oss-Copy-Source: /bucket/a%2Fb%20c", "", 200, "<CopyObjectResult>\nX-Oss-Hash-Crc64ecma: 11051210869376104954"},
		{"PUT /bucket/copy\nX-Oss-Forbid-Overwrite: true", "x", 409, "<Code>FileAlreadyExists</Code>"},
		{"PUT /bucket/copy\nX-Oss-Copy-Source: /bucket/absent", "", 404, "<Message>The specified key does not exist.</Message>"},
		{"PUT /bucket/b%20+c\nX-Oss-Copy-Source: /bucket/a%2Fb+c", "", 200, ""},
		{"PUT /bucket/copy\nX-Oss-Copy-Source: /bucket/b+%2Bc", "", 200, ""},
		{"DELETE /bucket/b%20+c", "", 204, ""},
		{"GET /bucket/copy?tagging", "", 200, "<TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>"},
		{"PUT /bucket/copy?tagging", "<Tagging><TagSet><Tag><Key>2</Key><Value></Value></Tag></TagSet></Tagging>", 200, ""},
		{"GET /bucket/copy?tagging", "", 200, "<Tag><Key>2</Key><Value></Value></Tag>"},
		{"PUT /bucket/copy?tagging", "<Tagging><TagSet></TagSet></Tagging>", 400, "<Code>MalformedXML</Code>"},
		{"GET /bucket/copy?tagging", "", 200, "<Tag><Key>2</Key><Value></Value></Tag>"},
		{"DELETE /bucket/copy?tagging", "", 204, ""},
		{"PUT /bucket/secret\nX-Oss-Server-Side-Encryption: AES256", "secret", 200, "X-Oss-Server-Side-Encryption: AES256"},
		{"GET /bucket/secret", "", 200, "X-Oss-Server-Side-Encryption: AES256\nsecret"},
		{"PUT /bucket/secret\nX-Oss-Copy-Source: /bucket/secret\nX-Oss-Server-Side-Encryption: AES256\nX-Oss-Server-Side-Encryption-Key-Id: key", "", 200,
			"X-Oss-Server-Side-Encryption: AES256"},
		{"PUT /bucket/meta\nX-Oss-Meta-Old: 1", "x", 200, ""},
		{"PUT /bucket/meta\nX-Oss-Copy-Source: /bucket/meta\nX-Oss-Metadata-Directive: COPY\nContent-Type: text/css\nX-Oss-Meta-New: 2", "", 200, ""},
		{"HEAD /bucket/meta", "", 200, "Content-Type: text/css\nX-Oss-Meta-New: 2\nX-Oss-Meta-Old: "},
		{"DELETE /bucket/meta", "", 204, ""},
		{"PUT /bucket/bad\nX-Oss-Server-Side-Encryption: ROT13", "x", 400, "<Message>The Encryption request you specified is not valid. Supported value"},
		{"PUT /bucket/bad\nX-Oss-Tagging: %zz", "x", 400, "<Code>InvalidArgument</Code>"},
		{"PUT /bucket/bad\nX-Oss-Tagging: a;b", "x", 400, "<Code>InvalidArgument</Code>"},
		{"PUT /bucket/bad\nX-Oss-Tagging: a%26=b", "x", 400, "<Code>InvalidTag</Code><Message>The TagKey you have provided is invalid"},
		{"PUT /bucket/bad\nX-Oss-Tagging: a=b%26", "x", 400, "<Code>InvalidTag</Code><Message>The TagValue you have provided is invalid"},
		{"PUT /bucket/empty", "", 411, "<Code>MissingContentLength</Code>"},
		{"PUT /bucket/empty\nContent-Length: 0", "", 200, "X-Oss-Hash-Crc64ecma: 0"},
		{"PUT /bucket/bad\nContent-MD5: AAAAAAAAAAAAAAAAAAAAAA==", "x", 400, "<Code>InvalidDigest</Code>\nX-Oss-Ec: 0017-00000503"},
		{"PUT /bucket/bad\nX-Oss-Hash-Crc64ecma: 1", "x", 400, "<Code>InvalidCRC64</Code>"},
		{"HEAD /bucket/bad", "", 404, "X-Oss-Ec: 0026-00000001"},
		{"POST /bucket?delete", "<Delete><Object><Key>secret</Key></Object><Object><Key>absent</Key></Object></Delete>", 200,
			"<Deleted><Key>secret</Key></Deleted><Deleted><Key>absent</Key></Deleted>"},
		{"POST /bucket?delete", "<Delete><Quiet>true</Quiet><Object><Key>empty</Key></Object></Delete>", 200, ""},
		{"PUT /bucket/&%23x01;%01", "x", 200, ""},
		{"POST /bucket?delete&encoding-type=url", "<Delete><Object><Key>&amp;#x01;&#x01;</Key></Object></Delete>", 200,
			"<Key>%26%23x01%3B%01</Key>"},
		{"PUT /bucket/raw%0C&amp;%02", "x", 200, ""},
		{"POST /bucket?delete&encoding-type=url", "<Delete><Object><Key>raw\x0c&amp;amp;\x02</Key></Object></Delete>", 200,
			"<Key>raw%0C%26amp%3B%02</Key>"},
		{"HEAD /bucket/raw%0C&amp;%02", "", 404, ""},
		// References are those of XML, not of HTML, which has others and takes some for Windows-1252.
		{"PUT /bucket/nel%C2%85", "x", 200, ""},
		{"POST /bucket?delete&encoding-type=url", "<Delete><Object><Key>nel&#133;</Key></Object></Delete>", 200, "<Key>nel%C2%85</Key>"},
		{"HEAD /bucket/nel%C2%85", "", 404, ""},
		{"POST /bucket?delete&encoding-type=url", "<Delete><Object><Key>&lt;&gt;&amp;&quot;&apos;&#x1F600;&#65;</Key></Object></Delete>", 200, "<Key>%3C%3E%26%22%27%F0%9F%98%80A</Key>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&copy</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&eacute;</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&#xD800;</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&#x110000;</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&#0;</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&#;</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&#x;</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&#X41;</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&;</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>a&</Key></Object></Delete>", 400, "<Code>MalformedXML</Code>"},

		{"POST /bucket?delete", "<Delete><Object><Key>copy</Key></Object>", 400, "<Code>MalformedXML</Code>"},
		{"HEAD /bucket/&%23x01;%01", "", 404, ""},
		{"DELETE /bucket/copy", "", 204, ""},
		{"DELETE /bucket", "", 409, "<Code>BucketNotEmpty</Code>\nX-Oss-Ec: 0015-00000301"},
		{"DELETE /bucket/a/b%20c", "", 204, ""},
		{"DELETE /bucket", "", 204, ""},
		{"GET /bucket/a", "", 404, "<Code>NoSuchBucket</Code>\n<BucketName>bucket</BucketName>\n<EC>0015-00000101</EC>"},
	})
}

// TestUploads is what OSS answers about multipart uploads.
func TestUploads(t *testing.T) {
	first := strings.Repeat("a", 100<<10)
	play(t, anonymous(memoryEngine(t)), []exchange{
		{"PUT /bucket", "", 200, ""},
		{"PUT /bucket/source\nContent-Length: 6", "source", 200, ""},
		{"POST /bucket/k%20y?uploads&encoding-type=url\nContent-Type: text/plain", "", 200,
			"<EncodingType>url</EncodingType><Bucket>bucket</Bucket><Key>k%20y</Key>"},
		{"GET /bucket/k%20y?uploadId=UPLOAD", "", 200, "<PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker></NextPartNumberMarker>"},
		{"PUT /bucket/k%20y?partNumber=1&uploadId=UPLOAD", first, 200, "Etag: \"302D3A0C8E319EAA95B059B346DE1D1D\""},
		{"PUT /bucket/k%20y?partNumber=2&uploadId=UPLOAD\nX-Oss-Copy-Source: /bucket/source\nX-Oss-Copy-Source-Range: bytes=0-2", "", 200,
			"Content-Range: bytes 0-2/6\n<CopyPartResult>"},
		{"PUT /bucket/k%20y?uploadId=UPLOAD", "x", 400, "<Message>Unexpected query string parameter</Message>\n" +
			"<ArgumentName>ResourceType</ArgumentName><ArgumentValue>partNumber</ArgumentValue>\n<EC>0017-00000219</EC>"},
		{"PUT /bucket/k%20y?partNumber=&uploadId=UPLOAD", "x", 400, "<EC>0017-00000219</EC>"},
		{"PUT /bucket/k%20y?partNumber=x&uploadId=UPLOAD", "x", 400,
			"<ArgumentName>PartNumber</ArgumentName>\n<EC>0017-00000220</EC>"},
		{"PUT /bucket/k%20y?partNumber=1&uploadId=UPLOAD\nX-Oss-Server-Side-Encryption: AES256", "x", 400, "<Code>InvalidArgument</Code>"},
		{"PUT /bucket/k%20y?partNumber=1&uploadId=no", "x", 404, "<Code>NoSuchUpload</Code>\n<UploadId>no</UploadId>\n<EC>0042-00000104</EC>"},
		{"GET /bucket/k%20y?uploadId=UPLOAD&max-parts=1", "", 200,
			"<NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>\n<HashCrc64ecma>"},
		{"GET /bucket/k%20y?uploadId=UPLOAD&part-number-marker=1", "", 200, "<PartNumber>2</PartNumber>\n<Size>3</Size>"},
		{"GET /bucket?uploads", "", 200, "<Upload><Key>k y</Key>"},
		{"POST /bucket/k%20y?uploadId=UPLOAD", "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>0</ETag></Part></CompleteMultipartUpload>", 400,
			"<Code>InvalidPart</Code>\n<PartNumber>2</PartNumber>"},
		{"POST /bucket/k%20y?uploadId=UPLOAD", "", 400, "<Code>MalformedXML</Code>\n<EC>0042-00000205</EC>"},
		{"POST /bucket/k%20y?uploadId=UPLOAD\nX-Oss-Complete-All: yes",
			"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>0</ETag></Part></CompleteMultipartUpload>", 400, "<EC>0042-00000216</EC>"},
		{"POST /bucket/k%20y?uploadId=UPLOAD\nX-Oss-Complete-All: yes\nX-Oss-Server-Side-Encryption: KMS", "", 400, "<Code>InvalidArgument</Code>"},
		{"POST /bucket/k%20y?uploadId=UPLOAD\nX-Oss-Complete-All: yes\nX-Oss-Server-Side-Data-Encryption: SM4", "", 400, "<Code>InvalidArgument</Code>"},
		{"POST /bucket/k%20y?uploadId=UPLOAD\nX-Oss-Complete-All: yes\nX-Oss-Object-Acl: private", "", 200,
			"<Location>http://127.0.0.1/bucket/k%20y</Location><Bucket>bucket</Bucket><Key>k y</Key>"},
		{"POST /bucket/k%20y?uploadId=UPLOAD\nX-Oss-Complete-All: yes", "", 404, "<EC>0042-00000203</EC>"},
		{"GET /bucket/k%20y?acl", "", 200, "<Grant>private</Grant>"},
		{"HEAD /bucket/k%20y", "", 200, "X-Oss-Object-Type: Multipart\nContent-Length: 102403\nContent-Type: text/plain"},
		{"DELETE /bucket/k%20y?uploadId=UPLOAD", "", 404, "<EC>0042-00000002</EC>"},
	})
}

// TestListings is what OSS answers to who lists objects.
func TestListings(t *testing.T) {
	put := func(key string) exchange { return exchange{"PUT /bucket/" + key, "x", 200, ""} }
	play(t, anonymous(memoryEngine(t)), []exchange{
		{"PUT /bucket", "", 200, ""},
		put("a%01"), put("b/1"), put("b/2"), put("c"),
		{"GET /bucket?delimiter=/&encoding-type=url", "", 200,
			"<Key>a%01</Key>\n<CommonPrefixes><Prefix>b%2F</Prefix></CommonPrefixes>\n<Delimiter>%2F</Delimiter>\n<MaxKeys>100</MaxKeys><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"},
		{"GET /bucket?list-type=2&prefix=b/&encoding-type=url", "", 200, "<Prefix>b%2F</Prefix>\n<Key>b%2F1</Key>"},
		{"GET /bucket?max-keys=1", "", 200, "<Key>a&#x1;</Key>\n<NextMarker>a&#x1;</NextMarker>"},
		{"GET /bucket?prefix=b/&max-keys=1", "", 200,
			"<IsTruncated>true</IsTruncated>\n<NextMarker>b/1</NextMarker>\n<Key>b/1</Key>\n<Owner><ID>"},
		{"GET /bucket?prefix=b/&marker=b/1", "", 200, "<Key>b/2</Key>"},
		{"GET /bucket?list-type=2&prefix=b/&max-keys=1", "", 200,
			"<KeyCount>1</KeyCount>\n<NextContinuationToken>Yi8x</NextContinuationToken>\n<Key>b/1</Key>"},
		{"GET /bucket?list-type=2&continuation-token=Yi8x", "", 200, "<KeyCount>2</KeyCount>\n<Key>b/2</Key>"},
		{"GET /bucket?list-type=2&continuation-token=!", "", 400, "<ArgumentName>continuation-token</ArgumentName>"},
		{"GET /bucket?list-type=2&start-after=b/2&fetch-owner=true", "", 200, "<StartAfter>b/2</StartAfter>\n<Key>c</Key>\n<Owner>"},
		{"GET /bucket?versions&max-keys=1", "", 200, "<NextVersionIdMarker></NextVersionIdMarker>\n<VersionId>null</VersionId><IsLatest>true</IsLatest>"},
		{"GET /bucket?max-keys=1001", "", 400, "<Code>InvalidArgument</Code>"},
		{"GET /bucket?max-keys=x", "", 400, "<ArgumentName>max-keys</ArgumentName>\n<ArgumentValue>x</ArgumentValue>"},
		{"GET /bucket?encoding-type=base64", "", 400, "<ArgumentName>encoding-type</ArgumentName>"},
	})
}

// TestBuckets is what OSS answers about buckets.
func TestBuckets(t *testing.T) {
	play(t, anonymous(memoryEngine(t)), []exchange{
		{"PUT /bucket\nX-Oss-Acl: public-read", "<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>", 200, ""},
		{"PUT /bucket", "", 200, ""},
		{"GET /bucket?acl", "", 200, "<Grant>public-read</Grant>"},
		{"PUT /bucket\nX-Oss-Acl: public-read-write", "<CreateBucketConfiguration><LocationConstraint>oss-local</LocationConstraint></CreateBucketConfiguration>", 200, ""},
		{"GET /bucket?acl", "", 200, "<Grant>public-read-write</Grant>"},
		{"PUT /bucket\nX-Oss-Acl: public-read", "", 200, ""},
		{"PUT /bucket", "<CreateBucketConfiguration><StorageClass>Archive</StorageClass></CreateBucketConfiguration>", 409,
			"<Code>BucketAlreadyExists</Code><Message>Cannot modify existing bucket&#39;s storage class."},
		{"PUT /bucket", "<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>", 200, ""},
		{"PUT /elsewhere", "<CreateBucketConfiguration><LocationConstraint>oss-elsewhere</LocationConstraint></CreateBucketConfiguration>", 400,
			"<Code>InvalidLocationConstraint</Code><Message>The specified location-constraint is not valid"},
		{"PUT /strange", "<CreateBucketConfiguration><StorageClass>Strange</StorageClass></CreateBucketConfiguration>", 400,
			"<ArgumentName>StorageClass</ArgumentName>"},
		{"PUT /other", "", 200, ""},
		{"PUT /UPPER", "", 400, "<Code>InvalidBucketName</Code>"},
		{"GET /?max-keys=1", "", 200, "<Name>bucket</Name>\n<StorageClass>IA</StorageClass>\n<IsTruncated>true</IsTruncated><NextMarker>bucket</NextMarker>"},
		{"GET /?marker=bucket", "", 200, "<Name>other</Name>\n<Location>oss-local</Location>\n<ExtranetEndpoint>127.0.0.1</ExtranetEndpoint>"},
		{"GET /?max-keys=0", "", 400, "<ArgumentName>max-keys</ArgumentName>"},
		{"GET /bucket?bucketInfo", "", 200, "<Bucket><Name>bucket</Name>\n<AccessControlList><Grant>public-read</Grant></AccessControlList>"},
		{"GET /bucket?location", "", 200, "<LocationConstraint>oss-local</LocationConstraint>"},
		{"HEAD /bucket", "", 200, "X-Oss-Bucket-Region: oss-local"},
		{"HEAD /absent", "", 404, "X-Oss-Ec: 0015-00000101\nX-Oss-Bucket-Region: "},
		{"GET /bucket?bucketInfo", "", 200, "<ServerSideEncryptionRule><SSEAlgorithm>None</SSEAlgorithm></ServerSideEncryptionRule>\n<AccessMonitor>Disabled</AccessMonitor>\n" +
			"<Comment></Comment><ResourceGroupId>rg-default-id</ResourceGroupId><BlockPublicAccess>false</BlockPublicAccess>"},
		{"PUT /bucket/k", "123", 200, ""},
		{"HEAD /bucket/k", "", 200, "X-Oss-Storage-Class: IA"},
		{"PUT /bucket/standard\nX-Oss-Storage-Class: Standard\nX-Oss-Copy-Source: /bucket/k", "", 200, ""},
		{"HEAD /bucket/standard", "", 200, "X-Oss-Storage-Class: Standard"},
		{"PUT /bucket/standard\nX-Oss-Copy-Source: /bucket/standard", "", 200, ""},
		{"HEAD /bucket/standard", "", 200, "X-Oss-Storage-Class: IA"},
		{"DELETE /bucket/standard", "", 204, ""},
		{"POST /bucket/up?uploads", "", 200, ""},
		{"GET /bucket?uploads", "", 200, "<StorageClass>IA</StorageClass>"},
		{"DELETE /bucket/up?uploadId=UPLOAD", "", 204, ""},
		{"GET /bucket?stat", "", 200, "<Storage>3</Storage><ObjectCount>1</ObjectCount><MultipartUploadCount>0</MultipartUploadCount><LiveChannelCount>0</LiveChannelCount>\n" +
			"<StandardStorage>0</StandardStorage><StandardObjectCount>0</StandardObjectCount>" +
			"<InfrequentAccessStorage>3</InfrequentAccessStorage><InfrequentAccessRealStorage>3</InfrequentAccessRealStorage><InfrequentAccessObjectCount>1</InfrequentAccessObjectCount>" +
			"<ArchiveStorage>0</ArchiveStorage><ArchiveRealStorage>0</ArchiveRealStorage><ArchiveObjectCount>0</ArchiveObjectCount>" +
			"<ColdArchiveStorage>0</ColdArchiveStorage>\n<DeepColdArchiveObjectCount>0</DeepColdArchiveObjectCount>" +
			"<DeleteMarkerCount>0</DeleteMarkerCount>"},
		{"PUT /bucket/cold\nX-Oss-Storage-Class: DeepColdArchive", "12345", 200, ""},
		{"PUT /bucket/standard\nX-Oss-Storage-Class: Standard", "1234567", 200, ""},
		{"GET /bucket?stat", "", 200, "<Storage>15</Storage><ObjectCount>3</ObjectCount>\n" +
			"<StandardStorage>7</StandardStorage><StandardObjectCount>1</StandardObjectCount>\n" +
			"<DeepColdArchiveStorage>5</DeepColdArchiveStorage><DeepColdArchiveRealStorage>5</DeepColdArchiveRealStorage><DeepColdArchiveObjectCount>1</DeepColdArchiveObjectCount>"},
		{"DELETE /bucket/cold", "", 204, ""}, {"DELETE /bucket/standard", "", 204, ""},
		{"GET /bucket?acl", "", 200, "<Grant>public-read</Grant>"},
		{"PUT /bucket?acl\nX-Oss-Acl: private", "", 200, ""},
		{"GET /bucket?acl", "", 200, "<Grant>private</Grant>"},
		{"PUT /bucket?acl\nX-Oss-Acl: mine", "", 400, "<ArgumentName>x-oss-acl</ArgumentName>"},
		{"PUT /bucket?acl", "", 200, ""},
		{"GET /bucket?acl", "", 200, "<Grant>private</Grant>"},
		{"PUT /fresh?acl\nX-Oss-Acl: public-read", "", 200, ""},
		{"GET /fresh?bucketInfo", "", 200, "<Grant>public-read</Grant>\n<StorageClass>Standard</StorageClass>"},
		{"GET /bucket/k?acl", "", 200, "<Grant>default</Grant>"},
		{"PUT /bucket/k?acl\nX-Oss-Object-Acl: public-read", "", 200, ""},
		{"GET /bucket/k?acl", "", 200, "<Grant>public-read</Grant>"},
		{"PUT /bucket/k?acl", "", 400, "<Code>MissingArgument</Code><Message>Missing Some Required Arguments.</Message>"},
		{"PUT /bucket/k\nX-Oss-Copy-Source: /bucket/k\nX-Oss-Metadata-Directive: REPLACE", "", 200, ""},
		{"GET /bucket/k?acl", "", 200, "<Grant>public-read</Grant>"},
		{"PUT /bucket/l\nX-Oss-Copy-Source: /bucket/k", "", 200, ""},
		{"GET /bucket/l?acl", "", 200, "<Grant>default</Grant>"},
		{"GET /bucket?versioning", "", 200, "<VersioningConfiguration></VersioningConfiguration>"},
		{"GET /absent?versioning", "", 404, "<Code>NoSuchBucket</Code>"},
	})
}

// TestNotOffered holds that what is not offered is refused and does nothing: least of all what the
// same request would do without it.
func TestNotOffered(t *testing.T) {
	const missing = "<Code>NotImplemented</Code>"
	play(t, anonymous(memoryEngine(t)), []exchange{
		{"PUT /bucket", "", 200, ""},
		{"PUT /bucket/k", "x", 200, ""},
		{"POST /bucket/a?append&position=0", "x", 501, missing},
		{"PUT /bucket/a?symlink\nX-Oss-Symlink-Target: k", "", 501, missing},
		{"PUT /bucket?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", 501, missing},
		{"PUT /bucket?lifecycle", "<LifecycleConfiguration></LifecycleConfiguration>", 501, missing},
		{"DELETE /bucket?website", "", 501, missing},
		{"GET /bucket/k?x-oss-process=image/resize,w_1", "", 501, missing},
		{"PUT /bucket/a\nX-Oss-Callback: e30=", "x", 501, missing},
		{"PUT /bucket/a\nX-Oss-Server-Side-Encryption: KMS\nX-Oss-Server-Side-Data-Encryption: SM4", "x", 501, missing},
		{"PUT /bucket/a\nIf-None-Match: *", "x", 501, missing},
		{"PATCH /bucket/k", "", 501, missing},
		{"PUT /new?accessmonitor", "<AccessMonitorConfiguration/>", 501, missing},
		{"GET /bucket?accessmonitor", "", 501, missing},
		{"PUT /new?httpsConfig", "<HttpsConfiguration/>", 501, missing},
		{"DELETE /bucket?publicAccessBlock", "", 501, missing},
		{"GET /?regions", "", 501, missing},
		{"PUT /bucket/a?legalHold", "<LegalHold/>", 501, missing},
		{"DELETE /bucket/k?retention", "", 501, missing},
		{"GET /new", "", 404, "<Code>NoSuchBucket</Code>"},
		{"PUT /bucket?worm", "<InitiateWormConfiguration/>", 501, missing},
		{"POST /bucket?wormId=1", "", 501, missing},
		{"PUT /new?qosInfo", "<QoSConfiguration/>", 501, missing},
		{"PUT /new?bucketArchiveDirectRead", "<ArchiveDirectReadConfiguration/>", 501, missing},
		{"PUT /new?comp=add&cname", "<BucketCnameConfiguration/>", 501, missing},
		{"PUT /bucket/k?comp=add", "x", 501, missing},
		{"POST /bucket/k?x-oss-async-process", "x", 501, missing},
		{"PUT /bucket/k?x-oss-something", "x", 501, missing},
		{"PUT /bucket/k?x-oss-something=", "x", 501, missing},
		{"PUT /bucket/k?X-Oss-Something", "x", 501, missing},
		{"PUT /bucket?unheardOf", "", 501, missing},
		{"POST /bucket", "", 501, missing},
		{"PUT /", "", 501, missing},
		{"PUT //k", "x", 400, "<Code>InvalidBucketName</Code>"},
		{"GET /bucket/k?versionId=2", "", 404, "<Code>NoSuchVersion</Code>"},
		{"POST /bucket?delete", "<Delete><Object><Key>k</Key><VersionId>2</VersionId></Object></Delete>", 404, "<Code>NoSuchVersion</Code>"},
		{"GET /bucket/k?versionId=null", "", 200, "x"},
		{"GET /bucket", "", 200, "<Key>k</Key>"},
		{"HEAD /bucket/a", "", 404, ""},
		// What no sub-resource is named as is nobody's, as clients add it to the URLs that they sign.
		{"PUT /bucket/a?x-param-null=&x-param-space=%20&x-param=value", "y", 200, ""},
		{"GET /bucket/a?param2=&%2Bparam2=&%7Cparam2=&a.b&=", "", 200, "y"},
		{"GET /bucket?param-1&list-type=2", "", 200, "<KeyCount>2</KeyCount>"},
		{"GET /bucket?list-type=", "", 400, "<ArgumentName>list-type</ArgumentName>"},
		{"GET /bucket?marker=&max-keys=&encoding-type=", "", 200, "<Key>a</Key>"},
	})
}

// TestVirtualHost finds the bucket in the name of the host.
func TestVirtualHost(t *testing.T) {
	play(t, anonymous(memoryEngine(t)), []exchange{
		{"PUT /\nHost: bucket.localhost:80", "", 200, ""},
		{"PUT /bucket/k\nHost: bucket.localhost:80", "x", 200, ""},
		{"GET /bucket/bucket/k", "", 200, "x"},
		{"GET /?bucketInfo\nHost: bucket.localhost:80", "", 200, "<ExtranetEndpoint>localhost:80</ExtranetEndpoint>"},
	})
}

// TestAuthorize asks before anything is done: a copy also whether its source may be read.
func TestAuthorize(t *testing.T) {
	e := memoryEngine(t)
	play(t, anonymous(e), []exchange{
		{"PUT /bucket", "", 200, ""},
		{"PUT /bucket/k", "content", 200, ""},
		{"POST /bucket/k?uploads", "", 200, ""},
	})
	var asked []access.Action
	h := oss.New(e, &oss.Options{Access: access.Options{
		Anonymous: true,
		Authorize: func(_ context.Context, a access.Action) error {
			asked = append(asked, a)
			if a.Name == "CopyObject" || a.Name == "CreateBucket" || a.Name == "DeleteObjects" || a.Key == "k" && a.Name == "DeleteObject" && len(asked) > 1 {
				return nil
			}
			return errors.New("no")
		},
	}})
	for _, row := range []struct {
		request string
		want    []access.Action
	}{
		{"GET /", []access.Action{{Name: "ListBuckets"}}},
		{"DELETE /bucket/k", []access.Action{{Name: "DeleteObject", Bucket: "bucket", Key: "k"}}},
		{"POST /bucket?delete", []access.Action{
			{Name: "DeleteObjects", Bucket: "bucket"}, {Name: "DeleteObject", Bucket: "bucket", Key: "k"},
			{Name: "DeleteObject", Bucket: "bucket", Key: "\x01"},
		}},
		{"PUT /bucket?acl\nX-Oss-Acl: private", []access.Action{{Name: "PutBucketAnnotations", Bucket: "bucket"}}},
		{"PUT /bucket\nX-Oss-Acl: public-read", []access.Action{
			{Name: "CreateBucket", Bucket: "bucket"}, {Name: "PutBucketAnnotations", Bucket: "bucket"},
		}},
		{"PUT /bucket/copy\nX-Oss-Copy-Source: /bucket/k", []access.Action{
			{Name: "CopyObject", Bucket: "bucket", Key: "copy"}, {Name: "GetObject", Bucket: "bucket", Key: "k"},
		}},
	} {
		asked = nil
		sent := ""
		if strings.HasPrefix(row.request, "POST /bucket?delete") {
			sent = "<Delete><Object><Key>k</Key></Object><Object><Key>&#x01;</Key></Object></Delete>"
		}
		res, body := send(t, h, row.request, sent)
		if res.StatusCode != 403 || !strings.Contains(body, "<Code>AccessDenied</Code>") {
			t.Errorf("%s: %d %s", row.request, res.StatusCode, body)
		}
		if !slices.Equal(asked, row.want) {
			t.Errorf("%s asks for %+v, want %+v", row.request, asked, row.want)
		}
	}
	// Of a list that is too long nobody is asked about each key.
	asked = nil
	list := "<Delete>" + strings.Repeat("<Object><Key>k</Key></Object>", 1001) + "</Delete>"
	res, body := send(t, h, "POST /bucket?delete", list)
	if res.StatusCode != 400 || !strings.Contains(body, "<Code>MalformedXML</Code>") || !strings.Contains(body, "<EC>0016-00000608</EC>") || len(asked) != 1 {
		t.Errorf("1001 keys: %d %s, %d questions", res.StatusCode, body, len(asked))
	}
	play(t, anonymous(e), []exchange{{"GET /bucket/k", "", 200, "content"}, {"HEAD /bucket/copy", "", 404, ""}})
}

// TestWhoIsRefused is what OSS answers to those who do not come in: with what it knows of why, so that
// clients correct their clocks, and never with anything of a secret.
func TestWhoIsRefused(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := oss.New(memoryEngine(t), &oss.Options{Access: access.Options{
		Keys: access.StaticKeys{"AK": "hidden"}, Now: func() time.Time { return now },
	}})
	const date, v4 = "\nDate: Fri, 02 Jan 2026 03:04:05 GMT", "/20260102/local/oss/aliyun_v4_request,Signature=00\n" +
		"X-Oss-Content-Sha256: UNSIGNED-PAYLOAD\nX-Oss-Date: 20260102T"
	const skewed = "X-Oss-Ec: 0002-00000504\n<Code>RequestTimeTooSkewed</Code>\n<ServerTime>2026-01-02T03:04:05.000Z</ServerTime>" +
		"<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>\n"
	const unknown = "X-Oss-Ec: 0002-00000902\n<Code>InvalidAccessKeyId</Code><Message>The OSS Access Key Id you provided does not exist in our records.</Message>\n" +
		"<OSSAccessKeyId>NOBODY</OSSAccessKeyId>"
	const mismatch = "X-Oss-Ec: 0002-00000040\n<Code>SignatureDoesNotMatch</Code>\n<OSSAccessKeyId>AK</OSSAccessKeyId>\n<EC>0002-00000040</EC>\n"
	play(t, h, []exchange{
		{"GET /bucket/k\nAuthorization: OSS AK:c2ln\nDate: Fri, 02 Jan 2026 04:04:05 GMT", "", 403, skewed + "<RequestTime>2026-01-02T04:04:05.000Z</RequestTime>"},
		{"GET /bucket/k\nAuthorization: OSS4-HMAC-SHA256 Credential=AK" + v4 + "020405Z", "", 403, skewed + "<RequestTime>2026-01-02T02:04:05.000Z</RequestTime>"},
		{"GET /bucket/k\nAuthorization: OSS NOBODY:c2ln" + date, "", 403, unknown},
		{"GET /bucket/k\nAuthorization: OSS4-HMAC-SHA256 Credential=NOBODY" + v4 + "030405Z", "", 403, unknown},
		{"GET /bucket/k\nAuthorization: OSS AK:c2ln" + date, "", 403, mismatch + "<SignatureProvided>c2ln</SignatureProvided>\n<StringToSign>GET&#xA;&#xA;&#xA;Fri, 02 Jan 2026 03:04:05 GMT&#xA;/bucket/k</StringToSign>"},
		{"GET /bucket/k\nAuthorization: OSS4-HMAC-SHA256 Credential=AK" + v4 + "030405Z", "", 403, mismatch + "<SignatureProvided>00</SignatureProvided>"},
		{"HEAD /bucket/k\nAuthorization: OSS AK:c2ln" + date, "", 403, "X-Oss-Ec: 0002-00000040"},
		{"GET /bucket/k", "", 403, "X-Oss-Ec: 0003-00000001\n<Code>AccessDenied</Code>"},
		{"GET /bucket", "", 403, "X-Oss-Ec: \n<Code>AccessDenied</Code>"},
	})
	_, said := send(t, h, "GET /bucket/k\nAuthorization: OSS AK:c2ln"+date, "")
	if strings.Contains(said, "hidden") {
		t.Errorf("the secret is told: %s", said)
	}
}
