package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/bench/internal/floor"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

const (
	gabionName = "gabion"
	floorName  = "floor"
)

// A contestant is a way to store parts, or to do a piece of the work.
type contestant struct {
	name string
	// open makes a store in dir, which is not there yet. Without keys it does not seal.
	open func(ctx context.Context, dir string, keys *crypto.Keyring, out *console) (session, error)
}

// A session is the store of a contestant.
type session interface {
	// upload makes an object of parts, so many at once.
	upload(ctx context.Context, key string, parts [][]byte, parallel int) (*outcome, error)
	// download writes the object that was uploaded last.
	download(ctx context.Context, w io.Writer) error
	close() error
}

// storing are the contestants that an object can be read from again.
func storing() []contestant { return []contestant{{gabionName, openGabion}, {floorName, openFloor}} }

// uploading are all contestants, in the order of the tables.
func uploading() []contestant {
	return append(storing(), contestant{"hashing", openHashing}, contestant{"crypto/md5", openMD5})
}

// gabion is the engine.
type gabion struct {
	engine *engine.Engine
	sse    string
	key    string // of the last object
}

func openGabion(ctx context.Context, dir string, keys *crypto.Keyring, out *console) (session, error) {
	o := &engine.Options{Events: &engine.Events{
		Alarm: func(err error) { out.notef("the store reports: %v", err) },
	}}
	g := &gabion{}
	if keys != nil {
		o.Keys, g.sse = keys, algorithm
	}
	var err error
	if g.engine, err = engine.Open(ctx, dir, o); err != nil {
		return nil, err
	}
	if _, err = g.engine.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: bucket}); err != nil {
		return nil, errors.Join(err, g.engine.Close())
	}
	return g, nil
}

func (g *gabion) upload(ctx context.Context, key string, parts [][]byte, parallel int) (*outcome, error) {
	up, err := g.engine.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: bucket, Key: key, ServerSideEncryption: g.sse,
	})
	if err != nil {
		return nil, err
	}
	etags := make([]string, len(parts))
	err = fanout.Each(ctx, parallel, len(parts), func(ctx context.Context, i int) error {
		res, err := g.engine.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: bucket, Key: key, UploadID: up.UploadID, PartNumber: i + 1, Body: bytes.NewReader(parts[i]), Size: int64(len(parts[i])),
		})
		if err == nil {
			etags[i] = res.ETag
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	done, err := g.engine.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: bucket, Key: key, UploadID: up.UploadID, Parts: completed(etags),
	})
	if err != nil {
		return nil, err
	}
	g.key = key
	o := &outcome{md5: make([]md5Sum, len(parts)), crc64: &done.CRC64}
	for i, etag := range etags {
		if n, err := hex.Decode(o.md5[i][:], []byte(etag)); n != md5.Size || err != nil {
			return nil, fmt.Errorf("the ETag %q is no MD5", etag)
		}
	}
	return o, nil
}

func (g *gabion) download(ctx context.Context, w io.Writer) (err error) {
	obj, err := g.engine.GetObject(ctx, &engine.GetObjectRequest{Bucket: bucket, Key: g.key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	_, err = obj.WriteTo(w)
	return err
}

func (g *gabion) close() error { return g.engine.Close() }

// baseline is the floor, or its digests alone.
type baseline struct {
	store *floor.Store
	parts []*floor.Part // of the last object
}

func openFloor(ctx context.Context, dir string, keys *crypto.Keyring, _ *console) (session, error) {
	cipher, err := newCipher(keys)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "volumes"), 0o777); err != nil {
		return nil, err
	}
	s, err := floor.Open(ctx, filepath.Join(dir, "volumes"), cipher)
	if err != nil {
		return nil, err
	}
	return &baseline{store: s}, nil
}

func openHashing(_ context.Context, _ string, keys *crypto.Keyring, _ *console) (session, error) {
	cipher, err := newCipher(keys)
	if err != nil {
		return nil, err
	}
	return &baseline{store: floor.HashOnly(cipher)}, nil
}

// newCipher returns the cipher of one upload; nil without keys.
func newCipher(keys *crypto.Keyring) (*crypto.Cipher, error) {
	if keys == nil {
		return nil, nil
	}
	key, err := crypto.NewDataKey()
	if err != nil {
		return nil, err
	}
	return crypto.NewCipher(key)
}

func (b *baseline) upload(ctx context.Context, _ string, parts [][]byte, parallel int) (*outcome, error) {
	b.parts = make([]*floor.Part, len(parts))
	err := fanout.Each(ctx, parallel, len(parts), func(ctx context.Context, i int) (err error) {
		b.parts[i], err = b.store.Upload(ctx, parts[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	o := &outcome{crc64: new(uint64)}
	for _, p := range b.parts {
		o.md5 = append(o.md5, p.MD5)
		*o.crc64 = crypto.CombineCRC64(*o.crc64, p.CRC64, p.Size)
	}
	return o, nil
}

func (b *baseline) download(ctx context.Context, w io.Writer) error {
	return b.store.Download(ctx, b.parts, w)
}

func (b *baseline) close() error { return b.store.Close() }

// onlyMD5 is crypto/md5.
type onlyMD5 struct{}

func openMD5(context.Context, string, *crypto.Keyring, *console) (session, error) {
	return onlyMD5{}, nil
}

func (onlyMD5) upload(ctx context.Context, _ string, parts [][]byte, parallel int) (*outcome, error) {
	o := &outcome{md5: make([]md5Sum, len(parts))}
	return o, fanout.Each(ctx, parallel, len(parts), func(_ context.Context, i int) error {
		o.md5[i] = md5.Sum(parts[i])
		return nil
	})
}

func (onlyMD5) download(context.Context, io.Writer) error { return errors.ErrUnsupported }

func (onlyMD5) close() error { return nil }
