package engine_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestExchangeUnmet shows what package crypto says of who writes the disk of a store without a key
// of its own: he can turn encrypted content plain, since no key is left to say that there should be
// one. When this fails, the threat model there can promise more. With Options.AuthenticateRecords
// he cannot: see TestAuthenticatedRecords.
func TestExchangeUnmet(t *testing.T) {
	e, idx := memoryStore(t, &engine.Options{ChunkSize: 32 << 10, Keys: keys(t)})
	mustObject(t, e, "check", "sealed", "AES256", random(1, 5*32<<10))
	forged := random(2, 5*32<<10)
	mustObject(t, e, "check", "plain", "", forged)
	id := mustInitiate(t, e, "check", "open", "AES256")
	content, _ := index.ParseContentID(id)
	err := idx.Update(t.Context(), func(tx index.Tx) error {
		up, err := index.Get(tx, index.UploadKey("check", "open", content))
		up.Encryption, up.MAC = index.Encryption{}, nil
		return errors.Join(err, copied("plain", "sealed")(tx), index.Put(tx, index.UploadKey("check", "open", content), &up))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readWith(e, "sealed", "", nil); err != nil || !bytes.Equal(got, forged) {
		t.Errorf("an object turned plain: %d bytes, %v", len(got), err)
	}
	if part := mustPart(t, e, "check", "open", id, 1, forged); part.ServerSideEncryption != "" {
		t.Errorf("a part of an upload turned plain says %q", part.ServerSideEncryption)
	}
}
