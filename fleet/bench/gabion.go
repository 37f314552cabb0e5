package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
)

// gabion is the client that is a node of a fleet.
const gabion = "gabion"

type node struct{ engine *engine.Engine }

func dialGabion(ctx context.Context, j *job) (client, error) {
	c := fleet.Config{Index: j.Index, Chunks: j.Chunks, Node: j.Node}
	e, err := fleet.Open(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	_, err = e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: bucketName, IfAbsent: true})
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return node{e}, nil
}

func (n node) close() error { return n.engine.Close() }

func (n node) put(ctx context.Context, key string, body []byte) error {
	_, err := n.engine.PutObject(ctx, &engine.PutObjectRequest{
		Bucket: bucketName, Key: key, Body: bytes.NewReader(body),
	})
	return err
}

func (n node) begin(ctx context.Context, key string) (string, error) {
	up, err := n.engine.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: bucketName, Key: key,
	})
	if err != nil {
		return "", err
	}
	return up.UploadID, nil
}

func (n node) part(
	ctx context.Context, key, upload string, number int, body []byte,
) (string, error) {
	part, err := n.engine.UploadPart(ctx, &engine.UploadPartRequest{
		Bucket: bucketName, Key: key, UploadID: upload, PartNumber: number,
		Body: bytes.NewReader(body),
	})
	if err != nil {
		return "", err
	}
	return part.ETag, nil
}

func (n node) complete(ctx context.Context, key, upload string, etags []string) error {
	var parts []engine.CompletedPart
	for i, etag := range etags {
		parts = append(parts, engine.CompletedPart{PartNumber: i + 1, ETag: etag})
	}
	_, err := n.engine.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: bucketName, Key: key, UploadID: upload, Parts: parts,
	})
	return err
}

func (n node) read(ctx context.Context, key string, start, length int64) (_ int64, err error) {
	obj, err := n.engine.GetObject(ctx, &engine.GetObjectRequest{
		Bucket: bucketName, Key: key, Range: rangeOf(start, length),
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	return obj.WriteTo(io.Discard)
}

// weigh says what the index takes for what is in it by now.
func weigh(ctx context.Context, s *settings, w io.Writer) (err error) {
	c := fleet.Config{Index: s.index, Chunks: s.chunks, Node: "bench"}
	e, err := fleet.Open(ctx, c, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	stats, err := e.Stats(ctx, nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nThe index takes %d bytes for %d objects, %d parts and %d chunks.\n",
		stats.IndexBytes, stats.Objects, stats.Parts, stats.Chunks)
	return err
}
