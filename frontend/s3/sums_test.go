package s3_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// newSums are the checksums that the SDK does not compute: it sends those that it is given.
var newSums = []crypto.ChecksumAlgorithm{"MD5", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"}

// sumField is the field of the SDK's struct that has checksums by this algorithm.
func sumField(a crypto.ChecksumAlgorithm, of any) reflect.Value {
	return reflect.ValueOf(of).Elem().FieldByName("Checksum" + string(a))
}

// withSum gives a struct of the SDK a checksum.
func withSum[T any](a crypto.ChecksumAlgorithm, in *T, value string) *T {
	sumField(a, in).Set(reflect.ValueOf(&value))
	return in
}

// sumIn is the checksum that a struct of the SDK says.
func sumIn(a crypto.ChecksumAlgorithm, out any) string {
	return aws.ToString(sumField(a, out).Interface().(*string))
}

// base64Sum is a checksum as clients send it.
func base64Sum(a crypto.ChecksumAlgorithm, data ...[]byte) string {
	h := a.New()
	for _, d := range data {
		h.Write(d)
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// TestNewSums puts and copies objects with the checksums that came last, as their client knows them.
func TestNewSums(t *testing.T) {
	c := plain(t)
	bucket, body := aws.String("bucket"), random(1, 100_000)
	for _, a := range newSums {
		t.Run(string(a), func(t *testing.T) {
			key, sum := aws.String(string(a)), base64Sum(a, body)
			in := func() *awss3.PutObjectInput {
				return &awss3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(body), ChecksumAlgorithm: types.ChecksumAlgorithm(a)}
			}
			_, err := c.PutObject(t.Context(), withSum(a, in(), base64Sum(a)))
			wantCode(t, "PutObject with another checksum", err, "BadDigest")
			done, err := c.PutObject(t.Context(), withSum(a, in(), sum))
			if err != nil || sumIn(a, done) != sum || done.ChecksumType != types.ChecksumTypeFullObject {
				t.Fatalf("PutObject: %+v, %v", done, err)
			}
			head, err := c.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil || sumIn(a, head) != sum || head.ChecksumType != types.ChecksumTypeFullObject {
				t.Errorf("HeadObject: %+v, %v", head, err)
			}
			got, out := get(t, c, &awss3.GetObjectInput{Key: key, ChecksumMode: types.ChecksumModeEnabled})
			if !bytes.Equal(got, body) || sumIn(a, out) != sum {
				t.Errorf("GetObject: %d bytes, %+v", len(got), out)
			}
			attributes, err := c.GetObjectAttributes(t.Context(), &awss3.GetObjectAttributesInput{
				Bucket: bucket, Key: key, ObjectAttributes: []types.ObjectAttributes{"Checksum"},
			})
			if err != nil || sumIn(a, attributes.Checksum) != sum || attributes.Checksum.ChecksumType != types.ChecksumTypeFullObject {
				t.Errorf("GetObjectAttributes: %+v, %v", attributes, err)
			}
			list, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: bucket, Prefix: key})
			if err != nil || fmt.Sprint(list.Contents[0].ChecksumAlgorithm) != "["+string(a)+"]" {
				t.Errorf("ListObjectsV2: %+v, %v", list, err)
			}
			// A copy can have a checksum of its own.
			put(t, c, "source", body)
			copied, err := c.CopyObject(t.Context(), &awss3.CopyObjectInput{
				Bucket: bucket, Key: key, CopySource: aws.String("bucket/source"), ChecksumAlgorithm: types.ChecksumAlgorithm(a),
			})
			if err != nil || sumIn(a, copied.CopyObjectResult) != sum {
				t.Errorf("CopyObject: %+v, %v", copied, err)
			}
		})
	}
}

// TestNewSumsOfParts completes uploads whose checksum is made from those of their parts, as it is by all
// algorithms but the CRCs: minio-go and versitygw's tests, which were made with S3, know no other type.
func TestNewSumsOfParts(t *testing.T) {
	c := plain(t)
	bucket, one, two := aws.String("bucket"), random(1, partSize), random(2, 1000)
	put(t, c, "source", two)
	for _, a := range newSums {
		t.Run(string(a), func(t *testing.T) {
			key := aws.String(string(a))
			create := &awss3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithm(a)}
			create.ChecksumType = types.ChecksumTypeFullObject
			_, err := c.CreateMultipartUpload(t.Context(), create)
			wantCode(t, "CreateMultipartUpload of a full object's checksum", err, "InvalidRequest")
			create.ChecksumType = ""
			up, err := c.CreateMultipartUpload(t.Context(), create)
			if err != nil || up.ChecksumType != types.ChecksumTypeComposite || up.ChecksumAlgorithm != types.ChecksumAlgorithm(a) {
				t.Fatalf("CreateMultipartUpload: %+v, %v", up, err)
			}
			part := func(n int32, body []byte, sum string) (types.CompletedPart, error) {
				got, err := c.UploadPart(t.Context(), withSum(a, &awss3.UploadPartInput{
					Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: &n, Body: bytes.NewReader(body),
				}, sum))
				if err != nil {
					return types.CompletedPart{}, err
				}
				return *withSum(a, &types.CompletedPart{PartNumber: &n, ETag: got.ETag}, sumIn(a, got)), nil
			}
			_, err = part(1, one, base64Sum(a, two))
			wantCode(t, "UploadPart with another checksum", err, "BadDigest")
			first, err := part(1, one, base64Sum(a, one))
			if err != nil {
				t.Fatal(err)
			}
			n := aws.Int32(2)
			copied, err := c.UploadPartCopy(t.Context(), &awss3.UploadPartCopyInput{
				Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: n, CopySource: aws.String("bucket/source"),
			})
			if err != nil || sumIn(a, copied.CopyPartResult) != base64Sum(a, two) {
				t.Fatalf("UploadPartCopy: %+v, %v", copied, err)
			}
			second := *withSum(a, &types.CompletedPart{PartNumber: n, ETag: copied.CopyPartResult.ETag}, base64Sum(a, two))
			listed, err := c.ListParts(t.Context(), &awss3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
			if err != nil || len(listed.Parts) != 2 || sumIn(a, &listed.Parts[0]) != base64Sum(a, one) ||
				sumIn(a, &listed.Parts[1]) != base64Sum(a, two) || listed.ChecksumAlgorithm != types.ChecksumAlgorithm(a) {
				t.Errorf("ListParts: %+v, %v", listed, err)
			}
			var sums []byte
			for _, body := range [][]byte{one, two} {
				h := a.New()
				h.Write(body)
				sums = h.Sum(sums)
			}
			sum := base64Sum(a, sums)
			complete := func(whole string, parts ...types.CompletedPart) (*awss3.CompleteMultipartUploadOutput, error) {
				return c.CompleteMultipartUpload(t.Context(), withSum(a, &awss3.CompleteMultipartUploadInput{
					Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
				}, whole))
			}
			wrong := second
			_, err = complete(sum, first, *withSum(a, &wrong, base64Sum(a, one)))
			wantCode(t, "Complete with another checksum of a part", err, "InvalidPart")
			_, err = complete(base64Sum(a, one, two)+"-2", first, second)
			wantCode(t, "Complete with the checksum of the whole", err, "BadDigest")
			done, err := complete(sum+"-2", first, second)
			if err != nil || sumIn(a, done) != sum+"-2" || done.ChecksumType != types.ChecksumTypeComposite {
				t.Fatalf("Complete: %+v, %v", done, err)
			}
			head, err := c.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil || sumIn(a, head) != sum+"-2" || head.ChecksumType != types.ChecksumTypeComposite {
				t.Errorf("HeadObject: %+v, %v", head, err)
			}
			got, out := get(t, c, &awss3.GetObjectInput{Key: key, PartNumber: n, ChecksumMode: types.ChecksumModeEnabled})
			if !bytes.Equal(got, two) || sumIn(a, out) != base64Sum(a, two) {
				t.Errorf("GetObject of part 2: %d bytes, %+v", len(got), out)
			}
			attributes, err := c.GetObjectAttributes(t.Context(), &awss3.GetObjectAttributesInput{
				Bucket: bucket, Key: key, ObjectAttributes: []types.ObjectAttributes{"Checksum", "ObjectParts"},
			})
			if err != nil || sumIn(a, attributes.Checksum) != sum+"-2" || sumIn(a, &attributes.ObjectParts.Parts[0]) != base64Sum(a, one) {
				t.Errorf("GetObjectAttributes: %+v, %v", attributes, err)
			}
		})
	}
}

// TestNewSumsElsewhere sends them where the SDK does not: behind a body, with a document, and with one that
// is not right.
func TestNewSumsElsewhere(t *testing.T) {
	e := memoryEngine(t)
	_, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: "bucket", Rules: engine.S3})
	if err != nil {
		t.Fatal(err)
	}
	handler := s3.New(e, &s3.Options{Access: access.Options{Anonymous: true}})
	const deletion = "<Delete><Object><Key>key</Key></Object></Delete>"
	for _, a := range newSums {
		name := "x-amz-checksum-" + strings.ToLower(string(a))
		for _, of := range []string{"abc", deletion, "another"} {
			sum := base64Sum(a, []byte(of))
			send := func(method, path, body, right string, headers map[string]string) string {
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				for name, value := range headers {
					r.Header.Set(name, value)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				want := "<Code>BadDigest</Code>"
				if of == right {
					want = ""
				}
				if (w.Code == 200) != (of == right) || !strings.Contains(w.Body.String(), want) {
					t.Errorf("%s %s with the %s of %q: %d %s", method, path, a, of, w.Code, w.Body)
				}
				return w.Header().Get(name)
			}
			got := send("PUT", "/bucket/key", "3\r\nabc\r\n0\r\n"+name+":"+sum+"\r\n\r\n", "abc", map[string]string{
				"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Trailer": name,
				"X-Amz-Sdk-Checksum-Algorithm": string(a), "X-Amz-Decoded-Content-Length": "3",
			})
			if of == "abc" && got != sum {
				t.Errorf("PutObject says %s, want %s", got, sum)
			}
			send("POST", "/bucket?delete", deletion, deletion, map[string]string{name: sum})
		}
	}
}
