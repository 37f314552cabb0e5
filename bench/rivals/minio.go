package main

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"github.com/gabion-storage/gabion/bench/internal/contest"
)

// minioServer is a MinIO server with one drive, over loopback.
//
// Part files are written by writeAllDirect (cmd/xl-storage.go), which ends with fdatasync; without
// O_DIRECT, which a server of one drive does not use. Metadata files are opened with O_DSYNC
// (openFileSync). Then both are renamed, and the directories are not synced unless MINIO_FS_OSYNC
// (globalFSOSync) is set. strace of an upload shows the same. Without a binary it is left out.
func minioServer(binary string) contest.Contender {
	k := contest.Contender{
		Name: "minio", Encrypts: true, Remote: true,
		Note: "over loopback, payload unsigned; fdatasync of every part's file, O_DSYNC for metadata," +
			" no sync of directories; verifies what it reads (HighwayHash)",
	}
	if binary == "" {
		return k
	}
	k.Open = func(ctx context.Context, dir string, sealed bool) (_ contest.Store, err error) {
		s := &minioStore{}
		if sealed {
			s.sse = encrypt.NewSSE()
		}
		if s.server, err = startServer(ctx, binary, dir); err != nil {
			return nil, err
		}
		if err := s.connect(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return s, nil
	}
	return k
}

type minioStore struct {
	server *server
	core   minio.Core
	sse    encrypt.ServerSide // nil: none
}

func (s *minioStore) connect(ctx context.Context) error {
	transport, err := minio.DefaultTransport(false)
	if err != nil {
		return err
	}
	transport.MaxIdleConnsPerHost = contest.MaxParallel
	transport.WriteBufferSize, transport.ReadBufferSize = 64<<10, 64<<10
	client, err := minio.New(s.server.address, &minio.Options{
		Creds:      credentials.NewStaticV4(s.server.user, s.server.password, ""),
		Transport:  transport,
		MaxRetries: 1, // a failure is a failure, not a slow success
	})
	if err != nil {
		return err
	}
	s.core = minio.Core{Client: client}
	return client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{})
}

func (s *minioStore) Initiate(ctx context.Context, key string) (string, error) {
	return s.core.NewMultipartUpload(ctx, bucket, key,
		minio.PutObjectOptions{ServerSideEncryption: s.sse})
}

func (s *minioStore) UploadPart(
	ctx context.Context, key, id string, number int, body []byte,
) (string, error) {
	part, err := s.core.PutObjectPart(ctx, bucket, key, id, number, bytes.NewReader(body),
		int64(len(body)), minio.PutObjectPartOptions{DisableContentSha256: true})
	return part.ETag, err
}

func (s *minioStore) Complete(
	ctx context.Context, key, id string, etags []string,
) (string, error) {
	parts := make([]minio.CompletePart, len(etags))
	for i, etag := range etags {
		parts[i] = minio.CompletePart{PartNumber: i + 1, ETag: etag}
	}
	info, err := s.core.CompleteMultipartUpload(ctx, bucket, key, id, parts,
		minio.PutObjectOptions{})
	return info.ETag, err
}

func (s *minioStore) Download(ctx context.Context, key string, w io.Writer) (err error) {
	body, _, _, err := s.core.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	_, err = io.Copy(w, body)
	return err
}

func (s *minioStore) Close() error { return s.server.stop() }
