package s3blob_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
	"github.com/gabion-storage/gabion/fleet/s3blob"
)

func open(t *testing.T, client *s3.Client, o s3blob.Options) *s3blob.Store {
	t.Helper()
	s, err := s3blob.Open(client, s3server.Bucket, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestContract holds the store to the contract of blob.Store.
func TestContract(t *testing.T) {
	server := s3server.Start(t)
	var stores atomic.Int64
	blobtest.Run(t, func(t *testing.T) blob.Store {
		return open(t, server.Client(), s3blob.Options{
			Prefix: fmt.Sprintf("store-%d/", stores.Add(1)), VolumeSize: blobtest.VolumeSize,
		})
	})
}
