package s3_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// FuzzServeHTTP sends requests of any bytes that HTTP takes for one, unsigned. Each is answered, a
// refused one with an error of the service's, and that leaves nothing behind.
func FuzzServeHTTP(f *testing.F) {
	e := memoryEngine(f)
	handler := s3.New(e, &s3.Options{Access: access.Options{Anonymous: true}})
	// fresh makes what the requests are about, and returns an upload's id and what gives it up.
	fresh := func() (id string, abort func()) {
		ctx := context.Background()
		_, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "bucket", Rules: engine.S3, IfAbsent: true})
		if err != nil {
			f.Fatal(err)
		}
		_, err = e.PutObject(ctx, &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: strings.NewReader("content")})
		if err != nil {
			f.Fatal(err)
		}
		up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"})
		if err != nil {
			f.Fatal(err)
		}
		return up.UploadID, func() {
			_, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: up.UploadID})
			if err != nil && !errors.Is(err, engine.ErrNoSuchUpload) && !errors.Is(err, engine.ErrNoSuchBucket) {
				f.Error(err)
			}
		}
	}
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /?max-buckets=1&continuation-token=YQ== HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /bucket?list-type=2&encoding-type=url&delimiter=/&start-after=a HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /?uploads&max-uploads=0 HTTP/1.1\r\nHost: bucket.localhost\r\n\r\n",
		"HEAD /bucket/key?partNumber=1 HTTP/1.1\r\nHost: a\r\nX-Amz-Checksum-Mode: ENABLED\r\n\r\n",
		"GET /bucket/key HTTP/1.1\r\nHost: a\r\nRange: bytes=-3\r\nIf-None-Match: \"x\"\r\n\r\n",
		"GET /bucket/key?attributes HTTP/1.1\r\nHost: a\r\nX-Amz-Object-Attributes: ETag,ObjectParts\r\n\r\n",
		"PUT /bucket/new HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Amz-Checksum-Crc32: AAAAAA==\r\nX-Amz-Tagging: a=b\r\n\r\nabc",
		"PUT /bucket/%00%2f..//x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"PUT /bucket/new HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nX-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n" +
			"Content-Encoding: aws-chunked\r\nX-Amz-Decoded-Content-Length: 0\r\nX-Amz-Trailer: x-amz-checksum-crc32\r\n\r\n0\r\n\r\n\r\n\r\n",
		"PUT /bucket/copy HTTP/1.1\r\nHost: a\r\nX-Amz-Copy-Source: /bucket/key?versionId=null\r\nX-Amz-Metadata-Directive: REPLACE\r\n\r\n",
		"PUT /bucket/key?partNumber=1&uploadId=ID HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
		"PUT /bucket/key?partNumber=2&uploadId=ID HTTP/1.1\r\nHost: a\r\nX-Amz-Copy-Source: bucket/key\r\nX-Amz-Copy-Source-Range: bytes=0-1\r\n\r\n",
		"POST /bucket/key?uploads HTTP/1.1\r\nHost: a\r\nX-Amz-Checksum-Algorithm: SHA1\r\nX-Amz-Server-Side-Encryption: AES256\r\n\r\n",
		"POST /bucket/key?uploadId=ID HTTP/1.1\r\nHost: a\r\nContent-Length: 117\r\n\r\n<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>             ",
		"DELETE /bucket/key?uploadId=ID HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /bucket?delete HTTP/1.1\r\nHost: a\r\nContent-Length: 53\r\n\r\n<Delete><Object><Key>key</Key></Object></Delete>     ",
		"PUT /bucket/key?tagging HTTP/1.1\r\nHost: a\r\nContent-Length: 80\r\n\r\n<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>     ",
		"POST /bucket HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"df\r\n--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nform/${filename}\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"success_action_status\"\r\n\r\n201\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncontent\r\n--b--\r\n0\r\n\r\n",
		"PUT /new HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n<a>x",
		"PUT /bucket/key HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nX-Amz-Server-Side-Encryption-Customer-Algorithm: AES256\r\n\r\nx",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		id, abort := fresh()
		defer abort()
		request = bytes.Replace(request, []byte("uploadId=ID"), []byte("uploadId="+id), 1)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			t.Skip()
		}
		before := held(t, e)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r.WithContext(t.Context()))
		if w.Code < 400 || r.Method == http.MethodHead {
			return
		}
		var said struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Code == "" || w.Code == 500 {
			t.Errorf("the answer is %d %s: %v", w.Code, w.Body, err)
		}
		if after := held(t, e); after != before {
			t.Errorf("%d %s has changed what is stored: %v, before %v", w.Code, said.Code, after, before)
		}
	})
}

// held counts what clients have stored, which is known at once, unlike what waits to be swept.
func held(t *testing.T, e *engine.Engine) [3]int64 {
	t.Helper()
	s, err := e.Stats(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return [3]int64{s.Objects, s.Uploads, s.LogicalBytes}
}
