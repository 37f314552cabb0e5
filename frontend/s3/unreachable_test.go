package s3_test

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/index"
)

// TestUnreachable has a store that cannot be reached, or that others have taken a node's lease from.
// Each is a 503 with the code that S3 has for it, and the SDK's own retries get over it.
func TestUnreachable(t *testing.T) {
	idx := clients.NewUnreachableIndex()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.CheckAndClose(t, e) })
	server := serve(t, e, access.Options{}, httptest.NewServer)
	once := client(server)
	again := client(server, func(o *awss3.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
		o.RetryMaxAttempts = 0
	})
	bucket, key := aws.String("bucket"), aws.String("key")
	if _, err := once.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	for _, fact := range []struct {
		when string
		err  error
		code string
	}{
		{"the index cannot be reached", index.ErrUnavailable, "ServiceUnavailable"},
		{"the chunks cannot be reached", blob.ErrUnavailable, "ServiceUnavailable"},
		{"the node has lost its lease", engine.ErrLeaseLost, "ServiceUnavailable"},
	} {
		t.Run(fact.when, func(t *testing.T) {
			calls := map[string]func(*awss3.Client) error{
				"PutObject": func(c *awss3.Client) error {
					_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
						Bucket: bucket, Key: key, Body: bytes.NewReader([]byte("body")),
					})
					return err
				},
				"CreateMultipartUpload": func(c *awss3.Client) error {
					_, err := c.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
					return err
				},
				"ListObjectsV2": func(c *awss3.Client) error {
					_, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: bucket})
					return err
				},
				"DeleteObjects": func(c *awss3.Client) error {
					_, err := c.DeleteObjects(t.Context(), &awss3.DeleteObjectsInput{
						Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("none")}}},
					})
					return err
				},
			}
			for name, call := range calls {
				idx.Refuse(fact.err, 1000)
				err := call(once)
				idx.Refuse(nil, 0)
				var said smithy.APIError
				var answer *awshttp.ResponseError
				if !errors.As(err, &said) || said.ErrorCode() != fact.code ||
					!errors.As(err, &answer) || answer.HTTPStatusCode() != 503 {
					t.Errorf("%s: %v, want %s and 503", name, err, fact.code)
				}
				idx.Refuse(fact.err, 2)
				if err := call(again); err != nil {
					t.Errorf("%s, tried again by the SDK: %v", name, err)
				}
				idx.Refuse(nil, 0)
			}
		})
	}
}
