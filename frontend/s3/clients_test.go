package s3_test

import (
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
)

// diskEngine opens an engine in a directory; the test's end checks and closes it.
func diskEngine(t *testing.T) *engine.Engine {
	t.Helper()
	ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), t.TempDir(), &engine.Options{Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.CheckAndClose(t, e) })
	return e
}
