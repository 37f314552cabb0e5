package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// BenchmarkUploadPart uploads parts of 16 MiB of fresh bytes that do not compress, so many at once,
// durably. Run it with -benchtime of so many parts, as 64x: the disk does not get the space back in
// between.
func BenchmarkUploadPart(b *testing.B) {
	const size = 16 << 20
	for _, parallel := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			e, err := engine.Open(context.Background(), b.TempDir(), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			id := mustInitiate(b, e, "bucket", "key", "")
			bodies := make([][]byte, parallel)
			for i := range bodies {
				bodies[i] = random(uint64(i), size)
			}
			b.SetBytes(size)
			b.ReportAllocs()
			b.ResetTimer()
			errs := atOnce(parallel, func(i int) error {
				for n := i; n < b.N; n += parallel {
					for at := 0; at < size; at += 4 << 10 { // other bytes in every chunk
						bodies[i][at] = byte(n)
						bodies[i][at+1] = byte(n >> 8)
					}
					_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
						Bucket: "bucket", Key: "key", UploadID: id, PartNumber: n%engine.MaxPartNumber + 1, Body: bytes.NewReader(bodies[i]),
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			for _, err := range errs {
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
}
