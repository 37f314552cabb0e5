package contest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// Bucket is the only bucket of the stores that benchmarks make.
const Bucket = "bench"

// Gabion is package engine with some options; where it encrypts, with a key ring of its own, too.
func Gabion(
	name string, rules engine.Rules, o engine.Options, logf func(format string, args ...any),
) Contender {
	open := func(ctx context.Context, dir string, encrypt bool) (_ Store, err error) {
		o := o
		if encrypt {
			if o.Keys, err = crypto.CreateKeyring(filepath.Join(dir, "keyring")); err != nil {
				return nil, err
			}
		}
		e, err := OpenEngine(ctx, filepath.Join(dir, "store"), o, rules, logf)
		if err != nil {
			return nil, err
		}
		if encrypt {
			e.encryption.ServerSideEncryption = engine.EncryptionAES256
		}
		return e, nil
	}
	return Contender{
		Name: name, Encrypts: true, Open: open,
		Note: "in process; syncs the volumes and the index before every acknowledgement;" +
			" verifies every chunk that it reads; compresses",
	}
}

// Gabions are an engine with the volumes of its default, and one with each other kind.
func Gabions(rules engine.Rules, logf func(format string, args ...any)) []Contender {
	return []Contender{
		Gabion("gabion", rules, engine.Options{}, logf),
		Gabion("gabion-format", rules, engine.Options{Volumes: engine.VolumesBadgerFormat}, logf),
		Gabion("gabion-log", rules, engine.Options{Volumes: engine.VolumesLog}, logf),
	}
}

// An Engine is an ObjectStore.
type Engine struct {
	*engine.Engine
	rules      engine.Rules
	encryption engine.EncryptionRequest // of uploads
}

// OpenEngine opens a store and makes sure that Bucket is there. Options that the engine refuses are
// wrong arguments. logf is told what the store reports.
func OpenEngine(
	ctx context.Context, dir string, o engine.Options, rules engine.Rules,
	logf func(format string, args ...any),
) (*Engine, error) {
	o.Events = &engine.Events{Alarm: func(err error) { logf("the store reports: %v", err) }}
	e, err := engine.Open(ctx, dir, &o)
	if errors.Is(err, engine.ErrInvalidArgument) {
		return nil, cli.Usagef("%v", err)
	}
	if err != nil {
		return nil, err
	}
	_, err = e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: Bucket, Rules: rules})
	if err != nil && !errors.Is(err, engine.ErrBucketAlreadyExists) {
		return nil, errors.Join(err, e.Close())
	}
	return &Engine{Engine: e, rules: rules}, nil
}

// Initiate begins an upload.
func (e *Engine) Initiate(ctx context.Context, key string) (id string, err error) {
	res, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: Bucket, Key: key, EncryptionRequest: e.encryption,
	})
	if err != nil {
		return "", err
	}
	return res.UploadID, nil
}

// UploadPart stores a part of an upload.
func (e *Engine) UploadPart(
	ctx context.Context, key, id string, number int, body []byte,
) (etag string, err error) {
	res, err := e.Engine.UploadPart(ctx, &engine.UploadPartRequest{
		Bucket: Bucket, Key: key, UploadID: id, PartNumber: number,
		Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	if err != nil {
		return "", err
	}
	return res.ETag, nil
}

// Complete makes parts 1 and so on the object. It returns S3's ETag of it, whatever the rules.
func (e *Engine) Complete(
	ctx context.Context, key, id string, etags []string,
) (etag string, err error) {
	parts := make([]engine.CompletedPart, len(etags))
	for i, etag := range etags {
		parts[i] = engine.CompletedPart{PartNumber: i + 1, ETag: etag}
	}
	res, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: Bucket, Key: key, UploadID: id, Parts: parts,
	})
	switch {
	case err != nil:
		return "", err
	case e.rules != engine.S3: // has made another ETag of those of the parts
		return ETag(etags)
	}
	return res.ETag, nil
}

// Put stores an object.
func (e *Engine) Put(ctx context.Context, key string, body []byte) error {
	_, err := e.PutObject(ctx, &engine.PutObjectRequest{
		Bucket: Bucket, Key: key, Body: bytes.NewReader(body), Size: int64(len(body)),
		EncryptionRequest: e.encryption,
	})
	return err
}

// Download writes an object.
func (e *Engine) Download(ctx context.Context, key string, w io.Writer) (err error) {
	object, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: Bucket, Key: key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	_, err = object.WriteTo(w)
	return err
}

// Head returns the size of an object.
func (e *Engine) Head(ctx context.Context, key string) (size int64, err error) {
	info, err := e.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: Bucket, Key: key})
	if err != nil {
		return 0, err
	}
	return info.Size, nil
}
