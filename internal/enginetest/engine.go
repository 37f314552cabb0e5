package enginetest

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gabion-storage/gabion/engine"
)

// Random returns n bytes that do not compress, the same ones for the same seed.
func Random(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	data := make([]byte, n)
	rand.NewChaCha8(key).Read(data) // never fails
	return data
}

// OSSETag is OSS's ETag of an object of these parts: upper hex of the MD5 over the upper hex text
// of the parts' MD5s, a dash, the number of parts.
func OSSETag(parts ...[]byte) string {
	var text strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&text, "%X", md5.Sum(p))
	}
	return fmt.Sprintf("%X-%d", md5.Sum([]byte(text.String())), len(parts))
}

// MD5ETag is the ETag of a part.
func MD5ETag(body []byte) string { return fmt.Sprintf("%X", md5.Sum(body)) }

// CRC64 is the CRC-64 of OSS.
func CRC64(data []byte) uint64 { return crc64.Checksum(data, crc64.MakeTable(crc64.ECMA)) }

// Failing is a body that begins with text and then fails.
func Failing(text string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(text), iotest.ErrReader(err))
}

// ReadAll returns the content of an object.
func ReadAll(t testing.TB, e *engine.Engine, bucket, key string) []byte {
	t.Helper()
	obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatalf("GetObject: %v", err)
	}
	defer obj.Close()
	data, err := io.ReadAll(obj)
	if err != nil {
		t.Fatalf("reading %s/%s: %v", bucket, key, err)
	}
	return data
}

// A Tally is what Stats counts of things, without what depends on the volumes.
type Tally struct {
	Objects, Uploads, Parts, Chunks, References, LogicalBytes, StoredBytes int64
}

// TallyOf counts after a Reclaim, so that nothing deleted is counted.
func TallyOf(t testing.TB, e *engine.Engine) Tally {
	t.Helper()
	if _, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{}); err != nil {
		t.Fatalf("Reclaim: %v", err)
	}
	s := statsOf(t, e)
	return Tally{s.Objects, s.Uploads, s.Parts, s.Chunks, s.References, s.LogicalBytes, s.StoredBytes}
}

func statsOf(t testing.TB, e *engine.Engine) *engine.StatsResult {
	t.Helper()
	res, err := e.Stats(context.Background(), &engine.StatsRequest{})
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	return res
}

// CheckLive compares the volumes' accounts with the totals.
func CheckLive(t testing.TB, e *engine.Engine) {
	t.Helper()
	s := statsOf(t, e)
	var live, dead int64
	for _, v := range s.Volumes {
		if v.LiveBytes < 0 || v.DeadBytes < 0 || v.Damage != nil {
			t.Errorf("volume is %+v", v)
		}
		live, dead = live+v.LiveBytes, dead+v.DeadBytes
	}
	if live != s.StoredBytes || dead != s.DeadBytes {
		t.Errorf("volumes have %d live and %d dead bytes, the totals say %d and %d", live, dead, s.StoredBytes, s.DeadBytes)
	}
}

// CheckStore proves the invariants of a store that is open, so that every test tests them.
func CheckStore(t testing.TB, e *engine.Engine) {
	t.Helper()
	res, err := e.Check(context.Background(), &engine.CheckRequest{})
	if errors.Is(err, engine.ErrClosed) {
		return
	}
	if err != nil {
		t.Errorf("Check: %v", err)
		return
	}
	for _, p := range res.Problems {
		t.Errorf("Check: %v", p)
	}
}
