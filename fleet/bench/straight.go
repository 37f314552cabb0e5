package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// straight is the client that asks the S3 store itself.
const straight = "the SDK"

// sdk writes below a prefix of its own in the bucket of the chunks.
type sdk struct {
	client *s3.Client
	bucket string
}

// dialStraight takes of the URL of the chunks what says where the store is.
func dialStraight(ctx context.Context, j *job) (client, error) {
	u, err := url.Parse(j.Chunks)
	if err != nil {
		return nil, err
	}
	place := u.Query()
	conf, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return sdk{bucket: u.Host, client: s3.NewFromConfig(conf, func(o *s3.Options) {
		o.DisableLogOutputChecksumValidationSkipped = true // ranges of an object have none
		o.UsePathStyle = place.Get("path-style") == "true"
		if region := place.Get("region"); region != "" {
			o.Region = region
		}
		if endpoint := place.Get("endpoint"); endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})}, nil
}

func (s sdk) close() error { return nil }

func (s sdk) name(key string) *string { return aws.String("straight/" + key) }

func (s sdk) put(ctx context.Context, key string, body []byte) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: s.name(key), Body: bytes.NewReader(body),
	})
	return err
}

func (s sdk) begin(ctx context.Context, key string) (string, error) {
	up, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: s.name(key),
	})
	if err != nil {
		return "", err
	}
	return *up.UploadId, nil
}

func (s sdk) part(
	ctx context.Context, key, upload string, number int, body []byte,
) (string, error) {
	part, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &s.bucket, Key: s.name(key), UploadId: &upload, PartNumber: aws.Int32(int32(number)),
		Body: bytes.NewReader(body),
	})
	if err != nil {
		return "", err
	}
	return *part.ETag, nil
}

func (s sdk) complete(ctx context.Context, key, upload string, etags []string) error {
	var parts []types.CompletedPart
	for i := range etags {
		parts = append(parts, types.CompletedPart{
			PartNumber: aws.Int32(int32(i + 1)), ETag: &etags[i],
		})
	}
	_, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: s.name(key), UploadId: &upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

func (s sdk) read(ctx context.Context, key string, start, length int64) (_ int64, err error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: s.name(key),
		Range: aws.String(rangeOf(start, length)),
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Body.Close()) }()
	return io.Copy(io.Discard, out.Body)
}
