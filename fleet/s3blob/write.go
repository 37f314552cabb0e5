package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// write stores the object of a group. Its name is nobody else's. So where an object is there
// already, an earlier attempt has stored it and the answer was lost.
func (s *Store) write(g *group) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Timeout)
	defer cancel()
	name := s.volumeName(g.id, g.frames())
	err := s.put(ctx, name, io.NewSectionReader(g, 0, g.size), func(in *s3.PutObjectInput) {
		in.ContentLength = &g.size
		in.StorageClass = s.options.StorageClass
	})
	if isThere(err) {
		var size int64
		if size, err = s.size(ctx, name); err == nil && size != g.size {
			err = fmt.Errorf("%s has %d bytes, %d were written", name, size, g.size)
		}
	}
	if err != nil {
		return failed(fmt.Sprintf("writing volume %d", g.id), err)
	}
	return nil
}

// put writes an object that must not be there yet. Whatever it is, it says how it is encrypted: the
// bucket may refuse what does not.
func (s *Store) put(
	ctx context.Context, name string, body io.ReadSeeker, more func(*s3.PutObjectInput),
) error {
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &name, Body: body, IfNoneMatch: new("*"),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,

		ServerSideEncryption: s.options.Encryption,
	}
	if s.options.KMSKeyID != "" {
		in.SSEKMSKeyId = &s.options.KMSKeyID
	}
	if more != nil {
		more(in)
	}
	_, err := s.client.PutObject(ctx, in, s.tries)
	return err
}

func (s *Store) size(ctx context.Context, name string) (int64, error) {
	res, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &name}, s.tries)
	if err != nil {
		return 0, err
	}
	if res.ContentLength == nil {
		return 0, errors.New("the object store does not say how long an object is")
	}
	return *res.ContentLength, nil
}

func (s *Store) delete(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &name}, s.tries)
	if err != nil && !isMissing(err) {
		return failed("removing a volume", err)
	}
	return nil
}

// tries sets how requests are tried again, and when an attempt is given up. The client's own retryer
// gives all its calls together a quota of retries, which one bad minute uses up; here each call has its
// attempts.
func (s *Store) tries(o *s3.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = s.options.Attempts
		o.RateLimiter = ratelimit.None
		o.Retryables = retryables()
	})
	o.HTTPClient = watched{o.HTTPClient, s.options.Timeout / time.Duration(s.options.Attempts)}
}
