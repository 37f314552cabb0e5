package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// What small objects cost, one call after the other. In the default directory of temporary files,
// which TMPDIR names.
func BenchmarkSmall(b *testing.B) {
	const objects = 1000
	for _, size := range []int{4 << 10, 100 << 10} {
		e, err := engine.Open(b.Context(), b.TempDir(), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.CreateBucket(b.Context(), &engine.CreateBucketRequest{Bucket: "bucket"}); err != nil {
			b.Fatal(err)
		}
		body := make([]byte, size)
		r := rand.NewChaCha8([32]byte{})
		last := 0
		put := func(int) error { // never to a key that is there: nothing has to be swept
			last++
			_, _ = r.Read(body) // never fails
			_, err := e.PutObject(b.Context(), &engine.PutObjectRequest{
				Bucket: "bucket", Key: fmt.Sprintf("%08d", last), Body: bytes.NewReader(body), Size: int64(size),
			})
			return err
		}
		for n := range objects {
			if err := put(n); err != nil {
				b.Fatal(err)
			}
		}
		for name, call := range map[string]func(n int) error{
			"put": put,
			"get": func(n int) error {
				o, err := e.GetObject(b.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: fmt.Sprintf("%08d", n)})
				if err != nil {
					return err
				}
				_, err = o.WriteTo(io.Discard)
				if err != nil {
					return err
				}
				return o.Close()
			},
			"head": func(n int) error {
				_, err := e.HeadObject(b.Context(), &engine.HeadObjectRequest{Bucket: "bucket", Key: fmt.Sprintf("%08d", n)})
				return err
			},
		} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					if err := call(n%objects + 1); err != nil {
						b.Fatal(err)
					}
					n++
				}
			})
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
