package s3_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/frontend/access"
)

const partSize = 5 << 20

// TestTransferManager sends an object of several parts and one of a single request by the SDK's
// transfer manager, with every checksum that there is, and gets them back. Over TLS the SDK sends
// checksums in trailers, else in headers.
func TestTransferManager(t *testing.T) {
	large, small := random(1, 2*partSize+12345), random(2, 1000)
	for scheme, start := range map[string]func(http.Handler) *httptest.Server{
		"http": httptest.NewServer, "https": httptest.NewTLSServer,
	} {
		server := serve(t, memoryEngine(t), access.Options{}, start)
		c := client(server)
		if _, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
			t.Fatal(err)
		}
		manager := transfermanager.New(c, func(o *transfermanager.Options) {
			o.PartSizeBytes, o.MultipartUploadThreshold = partSize, partSize
		})
		for _, mode := range []struct{ algorithm, kind string }{
			{"", ""}, {"CRC32", "COMPOSITE"}, {"CRC32", "FULL_OBJECT"}, {"CRC32C", "COMPOSITE"}, {"CRC32C", "FULL_OBJECT"},
			{"CRC64NVME", "FULL_OBJECT"}, {"SHA1", "COMPOSITE"}, {"SHA256", "COMPOSITE"},
		} {
			for name, body := range map[string][]byte{"large": large, "small": small, "empty": nil} {
				t.Run(fmt.Sprint(scheme, " ", mode.algorithm, " ", mode.kind, " ", name), func(t *testing.T) {
					key := aws.String(mode.algorithm + mode.kind + name)
					_, err := manager.UploadObject(t.Context(), &transfermanager.UploadObjectInput{
						Bucket: aws.String("bucket"), Key: key, Body: onlyReader{bytes.NewReader(body)},
						ChecksumAlgorithm: tmtypes.ChecksumAlgorithm(mode.algorithm), ChecksumType: tmtypes.ChecksumType(mode.kind),
					})
					if err != nil {
						t.Fatal(err)
					}
					out, err := manager.GetObject(t.Context(), &transfermanager.GetObjectInput{
						Bucket: aws.String("bucket"), Key: key, ChecksumMode: tmtypes.ChecksumModeEnabled,
					})
					if err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(got, body) {
						t.Errorf("GetObject: %d bytes, %v", len(got), err)
					}
					if mode.algorithm != "" {
						wantChecksum(t, c, *key, crypto.ChecksumAlgorithm(mode.algorithm), mode.kind, body)
					}
				})
			}
		}
	}
}

// An onlyReader hides that it can seek, so that a client has to send the checksum when it knows it.
type onlyReader struct{ io.Reader }

// wantChecksum demands that an object's checksum is what its type says of its content.
func wantChecksum(t *testing.T, c *awss3.Client, key string, a crypto.ChecksumAlgorithm, kind string, body []byte) {
	t.Helper()
	head, err := c.HeadObject(t.Context(), &awss3.HeadObjectInput{
		Bucket: aws.String("bucket"), Key: &key, ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) []byte {
		h := a.New()
		h.Write(b)
		return h.Sum(nil)
	}
	want := sum(body)
	suffix := ""
	if kind == "COMPOSITE" && len(body) > partSize {
		var sums [][]byte
		for len(body) > 0 {
			n := min(partSize, len(body))
			sums = append(sums, sum(body[:n]))
			body = body[n:]
		}
		want, suffix = a.Composite(sums), fmt.Sprint("-", len(sums))
	}
	got := aws.ToString(map[crypto.ChecksumAlgorithm]*string{
		crypto.CRC32: head.ChecksumCRC32, crypto.CRC32C: head.ChecksumCRC32C, crypto.CRC64NVME: head.ChecksumCRC64NVME,
		crypto.SHA1: head.ChecksumSHA1, crypto.SHA256: head.ChecksumSHA256,
	}[a])
	if got != base64.StdEncoding.EncodeToString(want)+suffix {
		t.Errorf("the checksum is %s, want %s%s", got, base64.StdEncoding.EncodeToString(want), suffix)
	}
}

// TestComplete completes by hand: wrong and missing checksums, sizes and conditions are refused, and
// leave the upload as it was.
func TestComplete(t *testing.T) {
	c := plain(t)
	bucket, key := aws.String("bucket"), aws.String("key")
	up, err := c.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{
		Bucket: bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ServerSideEncryption: types.ServerSideEncryptionAes256,
	})
	if err != nil || up.ChecksumType != types.ChecksumTypeComposite || up.ServerSideEncryption != types.ServerSideEncryptionAes256 {
		t.Fatalf("CreateMultipartUpload: %+v, %v", up, err)
	}
	part := func(n int32, body []byte) types.CompletedPart {
		got, err := c.UploadPart(t.Context(), &awss3.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: &n, Body: bytes.NewReader(body),
			ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		})
		if err != nil {
			t.Fatal(err)
		}
		return types.CompletedPart{PartNumber: &n, ETag: got.ETag, ChecksumSHA256: got.ChecksumSHA256}
	}
	one, two := random(1, partSize), random(2, 100)
	parts := []types.CompletedPart{part(1, one), part(7, two)}
	listed, err := c.ListParts(t.Context(), &awss3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	if err != nil || len(listed.Parts) != 2 || *listed.Parts[1].ChecksumSHA256 != *parts[1].ChecksumSHA256 || *listed.Parts[1].Size != 100 {
		t.Errorf("ListParts: %+v, %v", listed, err)
	}
	uploads, err := c.ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil || len(uploads.Uploads) != 1 || *uploads.Uploads[0].UploadId != *up.UploadId {
		t.Errorf("ListMultipartUploads: %+v, %v", uploads, err)
	}

	sums := sha256.New()
	for _, b := range [][]byte{one, two} {
		sum := sha256.Sum256(b)
		sums.Write(sum[:])
	}
	sum := base64.StdEncoding.EncodeToString(sums.Sum(nil))
	complete := func(change func(*awss3.CompleteMultipartUploadInput)) (*awss3.CompleteMultipartUploadOutput, error) {
		in := &awss3.CompleteMultipartUploadInput{
			Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		}
		change(in)
		return c.CompleteMultipartUpload(t.Context(), in)
	}
	for code, change := range map[string]func(*awss3.CompleteMultipartUploadInput){
		"BadDigest":      func(in *awss3.CompleteMultipartUploadInput) { in.ChecksumSHA256 = parts[0].ChecksumSHA256 },
		"InvalidRequest": func(in *awss3.CompleteMultipartUploadInput) { in.MpuObjectSize = aws.Int64(5) },
		"NoSuchKey":      func(in *awss3.CompleteMultipartUploadInput) { in.IfMatch = aws.String("x") },
		"NotImplemented": func(in *awss3.CompleteMultipartUploadInput) { in.IfNoneMatch = aws.String("x") },
		"EntityTooSmall": func(in *awss3.CompleteMultipartUploadInput) {
			in.MultipartUpload = &types.CompletedMultipartUpload{Parts: []types.CompletedPart{parts[1], part(8, two)}}
		},
		"InvalidPartOrder": func(in *awss3.CompleteMultipartUploadInput) {
			in.MultipartUpload = &types.CompletedMultipartUpload{Parts: []types.CompletedPart{parts[1], parts[0]}}
		},
		"MalformedXML": func(in *awss3.CompleteMultipartUploadInput) { in.MultipartUpload = nil },
		"NoSuchUpload": func(in *awss3.CompleteMultipartUploadInput) { in.UploadId = aws.String("x") },
	} {
		_, err := complete(change)
		wantCode(t, "Complete", err, code)
	}
	done, err := complete(func(in *awss3.CompleteMultipartUploadInput) {
		in.ChecksumSHA256, in.IfNoneMatch, in.MpuObjectSize = &sum, aws.String("*"), aws.Int64(partSize+100)
	})
	if err != nil || *done.ChecksumSHA256 != sum+"-2" || !strings.HasSuffix(*done.ETag, `-2"`) {
		t.Fatalf("Complete: %+v, %v", done, err)
	}
	got, head := get(t, c, &awss3.GetObjectInput{Key: key, PartNumber: aws.Int32(2), ChecksumMode: types.ChecksumModeEnabled})
	if !bytes.Equal(got, two) || *head.PartsCount != 2 || aws.ToString(head.ChecksumSHA256) != *parts[1].ChecksumSHA256 {
		t.Errorf("part 2: %+v", head)
	}
	attributes, err := c.GetObjectAttributes(t.Context(), &awss3.GetObjectAttributesInput{
		Bucket: bucket, Key: key, MaxParts: aws.Int32(1), PartNumberMarker: aws.String("1"),
		ObjectAttributes: []types.ObjectAttributes{"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := attributes.ObjectParts
	said := fmt.Sprint(*attributes.ObjectSize, attributes.StorageClass, *attributes.Checksum.ChecksumSHA256, *p.TotalPartsCount,
		*p.IsTruncated, len(p.Parts), *p.Parts[0].Size, *p.Parts[0].PartNumber)
	if want := fmt.Sprint(partSize+100, "STANDARD", sum+"-2", 2, false, 1, 100, 2); said != want {
		t.Errorf("GetObjectAttributes: %s, want %s", said, want)
	}
}

// TestPartCopy makes an upload of ranges of an object, and gives another one up.
func TestPartCopy(t *testing.T) {
	c := plain(t)
	bucket := aws.String("bucket")
	body := random(1, 2*partSize)
	put(t, c, "a source +", body)
	up, err := c.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("key")})
	if err != nil {
		t.Fatal(err)
	}
	partCopy := func(n int32, of string) (*awss3.UploadPartCopyOutput, error) {
		return c.UploadPartCopy(t.Context(), &awss3.UploadPartCopyInput{
			Bucket: bucket, Key: aws.String("key"), UploadId: up.UploadId, PartNumber: &n,
			CopySource: aws.String("/bucket/a%20source%20%2B"), CopySourceRange: &of,
		})
	}
	var parts []types.CompletedPart
	for i, of := range []string{"bytes=1-5242880", "bytes=0-9"} {
		n := int32(i + 1)
		got, err := partCopy(n, of)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: &n, ETag: got.CopyPartResult.ETag})
	}
	_, err = partCopy(3, "bytes=0-99999999")
	wantCode(t, "UploadPartCopy beyond the end", err, "InvalidArgument")
	_, err = c.CompleteMultipartUpload(t.Context(), &awss3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: aws.String("key"), UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Clone(body[1:partSize+1]), body[:10]...)
	if got, _ := get(t, c, &awss3.GetObjectInput{Key: aws.String("key")}); !bytes.Equal(got, want) {
		t.Error("the object of ranges reads back wrong")
	}

	up, err = c.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("key")})
	if err != nil {
		t.Fatal(err)
	}
	abort := &awss3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String("key"), UploadId: up.UploadId}
	if _, err := c.AbortMultipartUpload(t.Context(), abort); err != nil {
		t.Error(err)
	}
	_, err = c.AbortMultipartUpload(t.Context(), abort)
	wantCode(t, "Abort again", err, "NoSuchUpload")
}
