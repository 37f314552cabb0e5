package fleet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
)

const someIndex, someChunks = "postgres://localhost/gabion", "s3://bucket"

// TestRefusedURLs opens stores whose URLs cannot be meant. Errors name what is at fault, and never
// repeat a password, nor a part of one.
func TestRefusedURLs(t *testing.T) {
	for _, c := range []struct{ index, chunks, want string }{
		{"", someChunks, "Config.Index"},
		{"host=localhost", someChunks, "Config.Index"},
		{"mysql://root:secret@localhost", someChunks, "postgres://"},
		{"postgres://gabion:secret@local host/", someChunks, "Config.Index"},
		{"postgres://gabion:secret@localhost?views=many", someChunks, "views"},
		{someIndex + "?patience=5", someChunks, "patience"},
		{someIndex + "?schema=a&schema=b", someChunks, "schema is given 2 times"},
		{someIndex + "?%", someChunks, "Config.Index"},
		{"postgres://gabion:secret/x@localhost/gabion", someChunks, "escaped"},
		{"postgres://gabion:secret?x@localhost/gabion", someChunks, "escaped"},
		{"postgres://gabion:secret#x@localhost/gabion", someChunks, "escaped"},
		{"postgres://gabion:%zecret@localhost/gabion", someChunks, "escaped"},
		{"postgres://gabion:1?%zecret@localhost/gabion", someChunks, "escaped"},
		{someIndex, "s3://key:secret/x@bucket", "escaped"},
		{someIndex, "", "Config.Chunks"},
		{someIndex, "bucket/prefix", "s3://"},
		{someIndex, "s3:///prefix", "s3://BUCKET"},
		{someIndex, "https://bucket", "s3://"},
		{someIndex, "s3://key:secret@bucket", "credentials"},
		{someIndex, someChunks + "?endpoint=localhost:9000", "endpoint"},
		{someIndex, someChunks + "?path-style=perhaps", "path-style"},
		{someIndex, someChunks + "?volume-size=32MiB", "volume-size"},
		{someIndex, someChunks + "?volume-size=-1", "VolumeSize"},
		{someIndex, someChunks + "?sorage-class=GLACIER", "sorage-class is not known"},
		{someIndex + "?views=x", someChunks + "?reads=x", "reads"},
	} {
		_, _, err := fleet.OpenStores(t.Context(), fleet.Config{Index: c.index, Chunks: c.chunks})
		if !errors.Is(err, engine.ErrInvalidArgument) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q and %q: %v, want ErrInvalidArgument with %q", c.index, c.chunks, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "%ze") {
			t.Errorf("%q and %q: the error tells the password: %v", c.index, c.chunks, err)
		}
	}
}
