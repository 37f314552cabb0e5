package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"

	"github.com/gabion-storage/gabion/bench/internal/contest"
)

// versity is the posix backend of versitygw, without the gateway's HTTP in front of it.
//
// It does not sync: nothing in backend/posix calls Sync or fsync, and strace of an upload shows
// neither fsync nor fdatasync.
func versity() contest.Contender {
	return contest.Contender{
		Name: "versitygw",
		Note: "in process, its posix backend; syncs nothing; Complete copies all parts into one" +
			" file; computes CRC-64/NVME, too; does not verify what it reads",
		Open: openVersity,
	}
}

type versityStore struct {
	posix *posix.Posix
	wd    string // the working directory before, because posix.New changes it
}

func openVersity(ctx context.Context, dir string, _ bool) (_ contest.Store, err error) {
	s := &versityStore{}
	if s.wd, err = os.Getwd(); err != nil {
		return nil, err
	}
	if s.posix, err = posix.New(dir, meta.XattrMeta{}, posix.PosixOpts{}); err != nil {
		return nil, errors.Join(err, os.Chdir(s.wd))
	}
	input := &s3.CreateBucketInput{
		Bucket: new(bucket), CreateBucketConfiguration: &types.CreateBucketConfiguration{},
	}
	if err := s.posix.CreateBucket(ctx, input, []byte("{}")); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *versityStore) Initiate(ctx context.Context, key string) (string, error) {
	res, err := s.posix.CreateMultipartUpload(ctx,
		s3response.CreateMultipartUploadInput{Bucket: new(bucket), Key: &key})
	return res.UploadId, err
}

func (s *versityStore) UploadPart(
	ctx context.Context, key, id string, number int, body []byte,
) (string, error) {
	res, err := s.posix.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: new(bucket), Key: &key, UploadId: &id, PartNumber: new(int32(number)),
		Body: bytes.NewReader(body), ContentLength: new(int64(len(body))),
	})
	if err != nil {
		return "", err
	}
	return *res.ETag, nil
}

func (s *versityStore) Complete(
	ctx context.Context, key, id string, etags []string,
) (string, error) {
	upload := &types.CompletedMultipartUpload{}
	for i := range etags {
		part := types.CompletedPart{PartNumber: new(int32(i + 1)), ETag: &etags[i]}
		upload.Parts = append(upload.Parts, part)
	}
	res, _, err := s.posix.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: new(bucket), Key: &key, UploadId: &id, MultipartUpload: upload,
	})
	if err != nil {
		return "", err
	}
	return strings.Trim(*res.ETag, `"`), nil
}

func (s *versityStore) Download(ctx context.Context, key string, w io.Writer) (err error) {
	res, err := s.posix.GetObject(ctx, &s3.GetObjectInput{Bucket: new(bucket), Key: &key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	_, err = io.Copy(w, res.Body)
	return err
}

func (s *versityStore) Close() error {
	s.posix.Shutdown()
	return os.Chdir(s.wd)
}
