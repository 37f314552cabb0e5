package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gabion-storage/gabion/fleet/internal/tcp"
	"github.com/gabion-storage/gabion/fleet/s3blob"
)

// bucket is where chunks are, and how they are written and read.
type bucket struct {
	name, endpoint, region string
	pathStyle              bool
	options                s3blob.Options
}

// parseChunks parses the URL of a bucket.
func parseChunks(where string) (*bucket, error) {
	u, p, err := parse(where)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "s3" || u.Host == "" {
		return nil, errors.New("must begin with s3://BUCKET")
	}
	if u.User != nil {
		return nil, errors.New("must not have credentials in it")
	}
	b := &bucket{name: u.Host}
	take(p, "endpoint", &b.endpoint, endpoint)
	take(p, "region", &b.region, text)
	take(p, "path-style", &b.pathStyle, strconv.ParseBool)
	o := &b.options
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		o.Prefix = prefix + "/"
	}
	take(p, "volume-size", &o.VolumeSize, number)
	take(p, "memory", &o.Memory, number)
	take(p, "group-delay", &o.GroupDelay, time.ParseDuration)
	take(p, "uploads", &o.Uploads, strconv.Atoi)
	take(p, "reads", &o.Reads, strconv.Atoi)
	take(p, "attempts", &o.Attempts, strconv.Atoi)
	take(p, "timeout", &o.Timeout, time.ParseDuration)
	take(p, "storage-class", &o.StorageClass, text)
	take(p, "encryption", &o.Encryption, text)
	take(p, "kms-key-id", &o.KMSKeyID, text)
	p.unknown()
	return b, p.err()
}

func endpoint(value string) (string, error) {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", errors.New("must be a URL that begins with http:// or https://")
	}
	return value, nil
}

// open opens the store in the bucket, which must be there.
func (b *bucket) open(ctx context.Context) (*s3blob.Store, error) {
	client, err := b.client(ctx)
	if err != nil {
		return nil, fmt.Errorf("fleet: credentials of the object store: %w", err)
	}
	blobs, err := s3blob.Open(client, b.name, &b.options)
	if err != nil {
		return nil, invalid("Chunks", err)
	}
	if _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name}); err != nil {
		err = fmt.Errorf("fleet: the bucket %s: %w", b.name, err)
		return nil, errors.Join(err, blobs.Close())
	}
	return blobs, nil
}

// client returns a client of the object store, with what the machine says of credentials and
// region. Stores other than AWS's do not care for the region, but it must not be empty.
func (b *bucket) client(ctx context.Context) (*s3.Client, error) {
	told, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(b.httpClient()))
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(told, func(o *s3.Options) {
		o.UsePathStyle = b.pathStyle
		o.DisableLogOutputChecksumValidationSkipped = true // frames have checksums of their own
		if b.endpoint != "" {
			o.BaseEndpoint = &b.endpoint
			o.Region = cmp.Or(o.Region, "us-east-1")
		}
		o.Region = cmp.Or(b.region, o.Region)
	}), nil
}

// longestSilence is how long nobody may answer a ping of HTTP/2 before a connection to the object store
// is given up.
const longestSilence = 10 * time.Second

// httpClient returns the SDK's client, which by itself waits for as long as a request may take on a
// connection that nobody is behind. One of HTTP/2, which many requests share, is asked whether anybody
// is, since a request that is given up does not end it. A store that takes nothing of a body for a while,
// since its disk is busy, is there: it has as long as for an answer.
func (b *bucket) httpClient() *awshttp.BuildableClient {
	attempts := cmp.Or(b.options.Attempts, s3blob.DefaultAttempts)
	answer := cmp.Or(b.options.Timeout, s3blob.DefaultTimeout) / time.Duration(attempts)
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { tcp.LimitSilence(d, max(answer, longestSilence)) }).
		WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = answer
			t.HTTP2 = &http.HTTP2Config{
				SendPingTimeout: longestSilence, PingTimeout: longestSilence,
				WriteByteTimeout: max(answer, longestSilence),
			}
		})
}
