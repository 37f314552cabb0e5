package gocloud

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
)

// Options say how a bucket is used. A nil *Options is an empty one.
type Options struct {
	// Encryption is how blobs that are written, and copies, are encrypted. With an SSECustomerKey
	// only blobs that were stored with that key can be read.
	Encryption engine.EncryptionRequest
}

// OpenBucket opens a bucket of an engine. The bucket is not looked for yet: IsAccessible does that.
// To close it leaves the engine open, and open readers and writers usable.
func OpenBucket(e *engine.Engine, name string, o *Options) (*blob.Bucket, error) {
	b, err := openBucket(e, name, o)
	if err != nil {
		return nil, err
	}
	return blob.NewBucket(b), nil
}

func openBucket(e *engine.Engine, name string, o *Options) (*bucket, error) {
	if e == nil {
		return nil, errors.New("gocloud: there is no engine")
	}
	if name == "" {
		return nil, errors.New("gocloud: the bucket has no name")
	}
	if o == nil {
		o = &Options{}
	}
	return &bucket{engine: e, name: name, encryption: o.Encryption}, nil
}

// A bucket is the driver.
type bucket struct {
	engine     *engine.Engine
	name       string
	encryption engine.EncryptionRequest
}

var _ driver.Bucket = (*bucket)(nil)

func (b *bucket) As(target any) bool { return as(b.engine)(target) }

// Close has nothing to release: the engine is the caller's.
func (b *bucket) Close() error { return nil }

func (b *bucket) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	info, err := b.engine.HeadObject(ctx, &engine.HeadObjectRequest{
		Bucket: b.name, Key: key, SSECustomerKey: b.encryption.SSECustomerKey,
	})
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{
		CacheControl:       info.CacheControl,
		ContentDisposition: info.ContentDisposition,
		ContentEncoding:    info.ContentEncoding,
		ContentLanguage:    info.ContentLanguage,
		ContentType:        info.ContentType,
		Metadata:           unescaped(info.Metadata),
		ModTime:            info.LastModified,
		Size:               info.Size,
		MD5:                md5Of(info),
		ETag:               `"` + info.ETag + `"`,
		AsFunc:             as(*info),
	}, nil
}

// md5Of returns the MD5 of an object, or nil if it is not known.
func md5Of(info *engine.ObjectInfo) []byte {
	sum, err := base64.StdEncoding.DecodeString(info.ContentMD5)
	if err != nil || len(sum) == 0 {
		return nil
	}
	return sum
}

func (b *bucket) ListPaged(
	ctx context.Context, opts *driver.ListOptions,
) (*driver.ListPage, error) {
	req := &engine.ListObjectsRequest{
		Bucket: b.name, Prefix: opts.Prefix, Delimiter: opts.Delimiter,
		Marker:  string(opts.PageToken),
		MaxKeys: min(cmp.Or(opts.PageSize, engine.MaxListing), engine.MaxListing),
	}
	if err := before(opts.BeforeList, req); err != nil {
		return nil, err
	}
	res, err := b.engine.ListObjects(ctx, req)
	if err != nil {
		return nil, err
	}
	page := &driver.ListPage{NextPageToken: []byte(res.NextMarker)}
	for _, o := range res.Objects {
		page.Objects = append(page.Objects, &driver.ListObject{
			Key: o.Key, ModTime: o.LastModified, Size: o.Size, MD5: md5Of(&o), AsFunc: as(o),
		})
	}
	for _, prefix := range res.CommonPrefixes {
		page.Objects = append(page.Objects, &driver.ListObject{Key: prefix, IsDir: true})
	}
	slices.SortFunc(page.Objects, func(a, b *driver.ListObject) int {
		return strings.Compare(a.Key, b.Key)
	})
	return page, nil
}

func (b *bucket) Copy(
	ctx context.Context, to, from string, opts *driver.CopyOptions,
) error {
	if to == from {
		return b.copyOntoItself(ctx, to, opts)
	}
	req := b.copyRequest(to, from)
	if err := before(opts.BeforeCopy, req); err != nil {
		return err
	}
	_, err := b.engine.CopyObject(ctx, req)
	return err
}

func (b *bucket) copyRequest(to, from string) *engine.CopyObjectRequest {
	return &engine.CopyObjectRequest{
		Bucket: b.name, Key: to, SourceBucket: b.name, SourceKey: from,
		EncryptionRequest: b.encryption, SourceSSECustomerKey: b.encryption.SSECustomerKey,
	}
}

// selfCopyTries is how often a blob is looked at that changes while it is copied onto itself.
const selfCopyTries = 16

// copyOntoItself says anew what is said of a blob: under OSS's rules the copy would lose it, and
// S3's refuse one that changes nothing. On the condition that the content is still the one that it
// was said of; the same bytes written anew are not told apart.
func (b *bucket) copyOntoItself(ctx context.Context, key string, opts *driver.CopyOptions) error {
	var err error
	for range selfCopyTries {
		var info *engine.ObjectInfo
		info, err = b.engine.HeadObject(ctx, &engine.HeadObjectRequest{
			Bucket: b.name, Key: key, SSECustomerKey: b.encryption.SSECustomerKey,
		})
		if err != nil {
			return err
		}
		req := b.copyRequest(key, key)
		req.MetadataDirective, req.Attributes = engine.DirectiveReplace, info.Attributes
		req.IfMatch = info.ETag
		given := req.Conditions
		if err := before(opts.BeforeCopy, req); err != nil {
			return err
		}
		_, err = b.engine.CopyObject(ctx, req)
		if !errors.Is(err, engine.ErrPreconditionFailed) || req.Conditions != given {
			return err
		}
	}
	return engine.ErrUnavailable.Derive("The blob is changed all the time. Try again later.", err)
}

// Delete deletes a blob. To the engine one that is not there is no error, so it looks for it first;
// of two calls at the same moment both may have found it.
func (b *bucket) Delete(ctx context.Context, key string, opts *driver.DeleteOptions) error {
	req := &engine.DeleteObjectRequest{Bucket: b.name, Key: key}
	if err := before(opts.BeforeDelete, req); err != nil {
		return err
	}
	if _, err := b.Attributes(ctx, key); errors.Is(err, engine.ErrNoSuchKey) {
		return err
	}
	_, err := b.engine.DeleteObject(ctx, req)
	return err
}

func (b *bucket) SignedURL(
	context.Context, string, *driver.SignedURLOptions,
) (string, error) {
	return "", engine.ErrNotImplemented.Derive("The engine signs no URLs.", nil)
}
