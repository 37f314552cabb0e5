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

// OpenEngine opens a store and makes sure that Bucket is there. Options that the engine refuses are
// wrong arguments. logf is told what the store reports.
func OpenEngine(
	ctx context.Context, dir string, o engine.Options, rules engine.Rules,
	logf func(format string, args ...any),
) (*engine.Engine, error) {
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
	return e, nil
}

// Gabion is package engine with some options; where it encrypts, with a key ring of its own, too.
func Gabion(
	name string, rules engine.Rules, o engine.Options, logf func(format string, args ...any),
) Contender {
	open := func(ctx context.Context, dir string, encrypt bool) (_ Store, err error) {
		s, o := &gabion{rules: rules}, o
		if encrypt {
			s.sse.ServerSideEncryption = engine.EncryptionAES256
			if o.Keys, err = crypto.CreateKeyring(filepath.Join(dir, "keyring")); err != nil {
				return nil, err
			}
		}
		s.engine, err = OpenEngine(ctx, filepath.Join(dir, "store"), o, rules, logf)
		return s, err
	}
	return Contender{
		Name: name, Encrypts: true, Open: open,
		Note: "in process; syncs the volumes and the index before every acknowledgement;" +
			" verifies every chunk that it reads; compresses",
	}
}

type gabion struct {
	engine *engine.Engine
	rules  engine.Rules
	sse    engine.EncryptionRequest
}

func (s *gabion) Initiate(ctx context.Context, key string) (string, error) {
	res, err := s.engine.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: Bucket, Key: key, EncryptionRequest: s.sse,
	})
	if err != nil {
		return "", err
	}
	return res.UploadID, nil
}

func (s *gabion) UploadPart(ctx context.Context, key, id string, number int, body []byte) (string, error) {
	res, err := s.engine.UploadPart(ctx, &engine.UploadPartRequest{
		Bucket: Bucket, Key: key, UploadID: id, PartNumber: number,
		Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	if err != nil {
		return "", err
	}
	return res.ETag, nil
}

func (s *gabion) Complete(ctx context.Context, key, id string, etags []string) (string, error) {
	parts := make([]engine.CompletedPart, len(etags))
	for i, etag := range etags {
		parts[i] = engine.CompletedPart{PartNumber: i + 1, ETag: etag}
	}
	res, err := s.engine.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: Bucket, Key: key, UploadID: id, Parts: parts,
	})
	switch {
	case err != nil:
		return "", err
	case s.rules != engine.S3: // has made another ETag of those of the parts
		return ETag(etags)
	}
	return res.ETag, nil
}

func (s *gabion) Download(ctx context.Context, key string, w io.Writer) (err error) {
	object, err := s.engine.GetObject(ctx, &engine.GetObjectRequest{Bucket: Bucket, Key: key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	_, err = object.WriteTo(w)
	return err
}

func (s *gabion) Close() error { return s.engine.Close() }
