package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// garbageChunks is how many chunks the parts have whose allocations are counted.
const garbageChunks = 32

// A garbageCase is a kind of part that is uploaded over and over.
type garbageCase struct {
	data string // "random", "text", which compresses, or "known", which is stored already
	sse  string
}

func (c garbageCase) String() string {
	if c.sse == "" {
		return "data=" + c.data + "/plain"
	}
	return "data=" + c.data + "/sse"
}

var garbageCases = []garbageCase{
	{"random", ""}, {"random", "AES256"}, {"text", ""}, {"text", "AES256"}, {"known", ""}, {"known", "AES256"},
}

// uploads returns what uploads the next part of so many bytes, which is like all before but for
// being fresh.
func (c garbageCase) uploads(tb testing.TB, e *engine.Engine, size int) (next func()) {
	tb.Helper()
	key := c.data + c.sse
	id := mustInitiate(tb, e, "bucket", key, c.sse)
	data := random(1, size)
	if c.data == "text" {
		for at := 0; at < len(data); at += 64 {
			copy(data[at+16:at+64], "gabions are cages filled with stones, many to a wall")
		}
	}
	body, number := bytes.NewReader(nil), 0
	req := &engine.UploadPartRequest{Bucket: "bucket", Key: key, UploadID: id, Body: body}
	return func() {
		number++
		if c.data != "known" {
			for at := 0; at < len(data); at += 4 << 10 {
				binary.NativeEndian.PutUint32(data[at:], uint32(number))
			}
		}
		body.Reset(data)
		req.PartNumber = (number-1)%engine.MaxPartNumber + 1
		if _, err := e.UploadPart(context.Background(), req); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkGarbage counts the bytes that a part of 16 MiB leaves to the collector, once the engine
// has made its buffers.
func BenchmarkGarbage(b *testing.B) {
	for _, c := range garbageCases {
		b.Run(c.String(), func(b *testing.B) {
			e := openTemp(b, &engine.Options{Keys: keys(b)})
			const size = garbageChunks * engine.DefaultChunkSize
			next := c.uploads(b, e, size)
			for range 8 {
				next()
			}
			b.SetBytes(size)
			b.ResetTimer()
			before := allocated()
			for range b.N {
				next()
			}
			b.ReportMetric(float64(allocated()-before)/float64(b.N), "B/part")
		})
	}
}

// allocated returns how many bytes were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// underRaceDetector says whether this test was built with -race.
func underRaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
