package gocloud_test

import (
	"context"
	"fmt"
	"log"

	gabion "github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/gocloud"
	"github.com/gabion-storage/gabion/index"
)

func ExampleOpenBucket() {
	ctx := context.Background()
	e, err := engine.OpenStores(ctx, index.NewMemory(), gabion.NewMemory(0), nil) // or engine.Open
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "photos"}); err != nil {
		log.Fatal(err)
	}
	bucket, err := gocloud.OpenBucket(e, "photos", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	if err := bucket.WriteAll(ctx, "2026/gabion.txt", []byte("stone"), nil); err != nil {
		log.Fatal(err)
	}
	attributes, err := bucket.Attributes(ctx, "2026/gabion.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(attributes.Size, attributes.ContentType)
	// Output: 5 text/plain; charset=utf-8
}
