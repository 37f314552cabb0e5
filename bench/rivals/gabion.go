package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// gabionContender is package engine with its default Options, and S3's rules for the ETag's sake.
func gabionContender() contender {
	return contender{
		name:     "gabion",
		note:     "in process; syncs the volumes and the index before every acknowledgement; verifies every chunk that it reads (BLAKE3); compresses",
		encrypts: true,
		open:     openGabion,
	}
}

type gabionStore struct {
	engine     *engine.Engine
	encryption string
}

func openGabion(ctx context.Context, p place) (_ store, err error) {
	s := &gabionStore{}
	o := &engine.Options{}
	if p.encrypt {
		s.encryption = "AES256"
		if o.Keys, err = crypto.CreateKeyring(filepath.Join(p.dir, "keyring")); err != nil {
			return nil, err
		}
	}
	if s.engine, err = engine.Open(ctx, filepath.Join(p.dir, "store"), o); err != nil {
		return nil, err
	}
	_, err = s.engine.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: bucket, Rules: engine.S3})
	if err != nil {
		return nil, errors.Join(err, s.engine.Close())
	}
	return s, nil
}

func (s *gabionStore) initiate(ctx context.Context, key string) (string, error) {
	res, err := s.engine.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: bucket, Key: key, ServerSideEncryption: s.encryption,
	})
	if err != nil {
		return "", err
	}
	return res.UploadID, nil
}

func (s *gabionStore) uploadPart(ctx context.Context, key, id string, number int, body []byte) (string, error) {
	res, err := s.engine.UploadPart(ctx, &engine.UploadPartRequest{
		Bucket: bucket, Key: key, UploadID: id, PartNumber: number,
		Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	if err != nil {
		return "", err
	}
	return res.ETag, nil
}

func (s *gabionStore) complete(ctx context.Context, key, id string, etags []string) (string, error) {
	parts := make([]engine.CompletedPart, len(etags))
	for i, etag := range etags {
		parts[i] = engine.CompletedPart{PartNumber: i + 1, ETag: etag}
	}
	res, err := s.engine.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: bucket, Key: key, UploadID: id, Parts: parts,
	})
	if err != nil {
		return "", err
	}
	return res.ETag, nil
}

func (s *gabionStore) download(ctx context.Context, key string, w io.Writer) (err error) {
	object, err := s.engine.GetObject(ctx, &engine.GetObjectRequest{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	_, err = io.Copy(w, object)
	return err
}

func (s *gabionStore) remove(ctx context.Context, key string) error {
	if _, err := s.engine.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: bucket, Key: key}); err != nil {
		return err
	}
	_, err := s.engine.Reclaim(ctx, &engine.ReclaimRequest{})
	return err
}

func (s *gabionStore) close() error { return s.engine.Close() }
