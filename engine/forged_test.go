package engine_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// forgeSameCRC changes the first nine bytes of a message without changing its CRC-64/XZ. A CRC is linear,
// and what follows a message's own remainder has none: so the change is a one and its remainder.
func forgeSameCRC(message []byte) {
	var change [9]byte
	change[0] = 1
	binary.LittleEndian.PutUint64(change[1:], ^crypto.CRC64(^uint64(0), change[:1]))
	for i, b := range change {
		message[i] ^= b
	}
}

// TestForgedChunks has somebody exchange plain chunks for others of the same checksums. Check with
// Data finds that by the content address, and reads do where records are authenticated.
func TestForgedChunks(t *testing.T) {
	body := random(seed(t), 100<<10)
	forged := bytes.Clone(body)
	if forgeSameCRC(forged); bytes.Equal(forged, body) || crypto.CRC64(0, forged) != crypto.CRC64(0, body) {
		t.Fatal("forging does not work")
	}
	for _, authenticated := range []bool{false, true} {
		var forging atomic.Bool
		blobs := &forgedBlobs{
			Memory: blob.NewMemory(1 << 20),
			forge: func(_ *forgedBlobs, _ blob.Ref, frame []byte) []byte {
				if forging.Load() {
					forgeSameCRC(frame[8:]) // behind the header
				}
				return frame
			},
		}
		e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{
			Keys: keys(t), AuthenticateRecords: authenticated,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		mustBucket(t, e, "bucket")
		mustPut(t, e, engine.PutObjectRequest{
			Bucket: "bucket", Key: "key", Body: bytes.NewReader(body),
		})
		forging.Store(true)
		obj := mustGet(t, e, "bucket", "key", "")
		defer obj.Close()
		got, err := io.ReadAll(obj)
		if noticed := asCorruption(err) != nil; noticed != authenticated {
			t.Errorf("authenticated %t: read are %d bytes, %v", authenticated, len(got), err)
		}
		res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Problems) != 1 || res.Problems[0].Kind != engine.DataLost {
			t.Errorf("authenticated %t: Check finds %v", authenticated, res.Problems)
		}
	}
}
