package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	ossv2 "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	osscredentials "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucket is where the object is.
const bucket = "bench"

// s3Client is the AWS SDK's. It uploads by its transfer manager; that would read back at 150 MB/s,
// whoever sends, so it downloads in one stream.
type s3Client struct{ api *s3.Client }

func dialS3(ctx context.Context, s *server) (client, error) {
	api := s3.New(s3.Options{
		BaseEndpoint: new("http://" + s.addr), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	return &s3Client{api}, untilReady(ctx, func(ctx context.Context) error {
		_, err := api.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: new(bucket)})
		return err
	})
}

// untilReady asks a server until it answers well: one that listens need not be ready, or may hang.
func untilReady(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready after %v: %w", startTimeout, errors.Join(ctx.Err(), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *s3Client) upload(ctx context.Context, key string, body []byte) error {
	manager := transfermanager.New(c.api, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.Concurrency = partSize, parallel
	})
	_, err := manager.UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: new(bucket), Key: &key, Body: bytes.NewReader(body),
	})
	return err
}

func (c *s3Client) download(ctx context.Context, key string, w io.Writer) error {
	out, err := c.api.GetObject(ctx, &s3.GetObjectInput{Bucket: new(bucket), Key: &key})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	_, err = io.Copy(w, out.Body)
	return err
}

// ossClient is the OSS SDK's, with its uploader.
type ossClient struct{ api *ossv2.Client }

func dialOSS(ctx context.Context, s *server) (client, error) {
	api := ossv2.NewClient(ossv2.LoadDefaultConfig().
		WithEndpoint("http://" + s.addr).WithRegion("local").WithUsePathStyle(true).
		WithCredentialsProvider(osscredentials.NewStaticCredentialsProvider(accessKey, secretKey)))
	return &ossClient{api}, untilReady(ctx, func(ctx context.Context) error {
		_, err := api.PutBucket(ctx, &ossv2.PutBucketRequest{Bucket: new(bucket)})
		return err
	})
}

func (c *ossClient) upload(ctx context.Context, key string, body []byte) error {
	u := c.api.NewUploader(func(o *ossv2.UploaderOptions) {
		o.PartSize, o.ParallelNum = partSize, parallel
	})
	_, err := u.UploadFrom(ctx, &ossv2.PutObjectRequest{Bucket: new(bucket), Key: &key},
		bytes.NewReader(body))
	return err
}

func (c *ossClient) download(ctx context.Context, key string, w io.Writer) error {
	out, err := c.api.GetObject(ctx, &ossv2.GetObjectRequest{Bucket: new(bucket), Key: &key})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	_, err = io.Copy(w, out.Body)
	return err
}
