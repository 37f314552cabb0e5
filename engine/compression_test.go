package engine_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestCompression stores text with and without, in one store that is opened again and again.
func TestCompression(t *testing.T) {
	dir, text := t.TempDir(), bytes.Repeat([]byte("a line of text\n"), 50_000)
	for _, c := range []engine.Compression{"", engine.CompressionNone, engine.CompressionS2} {
		key := "key " + string(c)
		o := &engine.Options{Compression: c, DedupScope: engine.DedupNone}
		e := open(t, dir, o)
		if c == "" {
			mustBucket(t, e, "bucket")
		}
		taken := func() int64 { s := stats(t, e); return s.StoredBytes + s.InlineBytes }
		before := taken()
		mustPut(t, e, engine.PutObjectRequest{
			Bucket: "bucket", Key: key, Body: bytes.NewReader(text),
		})
		stored := taken() - before
		if packed := stored < int64(len(text))/2; packed != (c != engine.CompressionNone) {
			t.Errorf("%q: %d bytes of text are stored as %d", c, len(text), stored)
		}
		if got := readAll(t, e, "bucket", key); !bytes.Equal(got, text) {
			t.Errorf("%q: %d other bytes are read", c, len(got))
		}
		mustClose(t, e)
	}
	_, err := engine.Open(t.Context(), dir, &engine.Options{Compression: "zip"})
	if !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("an unknown compression: %v", err)
	}
}
