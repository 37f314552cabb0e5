package engine_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestClosedObjectsHoldNothing keeps many Objects that were read and closed: they have given their
// memory back.
func TestClosedObjectsHoldNothing(t *testing.T) {
	e, _ := memoryStore(t, nil)
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(random(1, 4<<20))})
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	objects := make([]*engine.Object, 64)
	for i := range objects {
		objects[i] = mustGet(t, e, "bucket", "key", "")
		if _, err := io.Copy(io.Discard, objects[i]); err != nil {
			t.Fatal(err)
		}
		if err := objects[i].Close(); err != nil {
			t.Fatal(err)
		}
	}
	if more := inUse() - before; more > 8<<20 {
		t.Errorf("%d closed objects hold %d bytes", len(objects), more)
	}
	runtime.KeepAlive(objects)
}
