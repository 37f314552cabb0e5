package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

func Example() {
	dir, err := os.MkdirTemp("", "gabion-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), dir); err != nil {
		log.Fatal(err)
	}
	// Output:
	// part 1: 85339BDEE35FB11B3E69F485A946A947
	// object: BFB5C29BA21A599EEFC85BCE4E188312-2, 153600 bytes, AES256
	// read 153600 bytes, equal: true
}

func run(ctx context.Context, dir string) error {
	keys, err := crypto.CreateKeyring(filepath.Join(dir, "keyring")) // and OpenKeyring from then on
	if err != nil {
		return err
	}
	e, err := engine.Open(ctx, filepath.Join(dir, "store"), &engine.Options{Keys: keys})
	if err != nil {
		return err
	}
	defer e.Close()
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "photos"}); err != nil {
		return err
	}
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: "photos", Key: "2026/gabion.jpg", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"},
	})
	if err != nil {
		return err
	}
	content := bytes.Repeat([]byte("stone"), 30<<10)
	var parts []engine.CompletedPart
	for i, body := range [][]byte{content[:100<<10], content[100<<10:]} { // all but the last: at least 100 KiB
		part, err := e.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: up.Bucket, Key: up.Key, UploadID: up.UploadID, PartNumber: i + 1, Body: bytes.NewReader(body),
		})
		if err != nil {
			return err
		}
		parts = append(parts, engine.CompletedPart{PartNumber: i + 1, ETag: part.ETag})
	}
	fmt.Println("part 1:", parts[0].ETag)
	done, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
		Bucket: up.Bucket, Key: up.Key, UploadID: up.UploadID, Parts: parts,
	})
	if err != nil {
		return err
	}
	fmt.Printf("object: %s, %d bytes, %s\n", done.ETag, done.Size, done.ServerSideEncryption)
	obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: up.Bucket, Key: up.Key})
	if err != nil {
		return err
	}
	defer obj.Close()
	got, err := io.ReadAll(obj)
	fmt.Printf("read %d bytes, equal: %t\n", len(got), bytes.Equal(got, content))
	return err
}

// An engine on any two stores that pass the suites of packages indextest and blobtest: here on
// those in memory, which forget everything when they are closed.
func ExampleOpenStores() {
	ctx := context.Background()
	e, err := engine.OpenStores(ctx, index.NewMemory(), blob.NewMemory(0), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close() // which closes both
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "photos"}); err != nil {
		log.Fatal(err)
	}
	up, err := e.Upload(ctx, &engine.UploadRequest{
		Bucket: "photos", Key: "2026/gabion.jpg", PartSize: 100 << 10,
		Body: bytes.NewReader(bytes.Repeat([]byte("stone"), 30<<10)),
	})
	if err != nil {
		log.Fatal(err)
	}
	stats, err := e.Stats(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d object of %d bytes\n", up.ETag, stats.Objects, stats.LogicalBytes)
	// Output:
	// BFB5C29BA21A599EEFC85BCE4E188312-2: 1 object of 153600 bytes
}

func ExampleEngine_FS() {
	ctx := context.Background()
	e, err := engine.OpenStores(ctx, index.NewMemory(), blob.NewMemory(0), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "site"}); err != nil {
		log.Fatal(err)
	}
	_, err = e.PutObject(ctx, &engine.PutObjectRequest{
		Bucket: "site", Key: "docs/index.html", Body: strings.NewReader("<h1>Stones</h1>"),
	})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(http.FileServerFS(e.FS(ctx, "site")))
	defer server.Close()
	res, err := http.Get(server.URL + "/docs/")
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %s\n", page, res.Header.Get("Content-Type"))
	// Output: <h1>Stones</h1>, text/html; charset=utf-8
}
