package s3_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestDocuments looks for what documents say beside what an SDK shows of them.
func TestDocuments(t *testing.T) {
	ctx, e := t.Context(), memoryEngine(t)
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "bucket", Rules: engine.S3}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.PutObject(ctx, &engine.PutObjectRequest{
		Bucket: "bucket", Key: "key", Body: strings.NewReader("abc"),
	}); err != nil {
		t.Fatal(err)
	}
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"})
	if err != nil {
		t.Fatal(err)
	}
	list := "<CompleteMultipartUpload>"
	for n := 1; n <= 2; n++ {
		part, err := e.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: "bucket", Key: "key", UploadID: up.UploadID, PartNumber: n, Body: strings.NewReader("part"),
		})
		if err != nil {
			t.Fatal(err)
		}
		list += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n, part.ETag)
	}
	list += "</CompleteMultipartUpload>"

	handler := s3.New(e, &s3.Options{Access: access.Options{Anonymous: true}})
	for _, c := range []struct {
		method, target, bytes, body string
		want                        []string
	}{
		{"GET", "/bucket", "", "", []string{
			xml.Header + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>`,
			"<Owner><ID>gabion</ID><DisplayName>gabion</DisplayName></Owner>",
		}},
		{"GET", "/bucket/absent", "", "", []string{
			xml.Header + "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>",
			"<BucketName>bucket</BucketName><Key>absent</Key>", "<Resource>/bucket/absent</Resource>",
		}},
		{"GET", "/bucket?max-keys=x", "", "", []string{
			"<ArgumentName>max-keys</ArgumentName><ArgumentValue>x</ArgumentValue>",
		}},
		{"GET", "/bucket/key", "bytes=9-", "", []string{
			"<Code>InvalidRange</Code>", "<ActualObjectSize>3</ActualObjectSize>",
		}},
		{"POST", "/bucket/key?uploadId=" + up.UploadID, "", list, []string{
			"<Code>EntityTooSmall</Code>", "<UploadId>" + up.UploadID + "</UploadId>",
			"<ProposedSize>4</ProposedSize><MinSizeAllowed>5242880</MinSizeAllowed>",
		}},
	} {
		r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
		r.Header = http.Header{"Range": {c.bytes}}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		for _, want := range c.want {
			if got := w.Body.String(); !strings.Contains(got, want) {
				t.Errorf("%s %s: %s, want %s", c.method, c.target, got, want)
			}
		}
	}
}
