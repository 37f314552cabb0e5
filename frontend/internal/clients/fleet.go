package clients

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
)

// nodes is how many nodes take turns.
const nodes = 3

// Serve is what clients are to talk to: a face of an engine, or, when GABION_INDEX and GABION_CHUNKS say
// where the stores of a fleet are, the faces of three nodes over a store of its own in there. These
// take turns, request by request.
func Serve(
	t testing.TB, e *engine.Engine, face func(*engine.Engine) http.Handler,
) http.Handler {
	t.Helper()
	index, chunks := os.Getenv("GABION_INDEX"), os.Getenv("GABION_CHUNKS")
	if index == "" || chunks == "" {
		return face(e)
	}
	store := "test_" + strings.ToLower(rand.Text())
	c := fleet.Config{Index: schemaOf(t, index, store), Chunks: prefixOf(t, chunks, store)}
	ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	var all turns
	for i := range nodes {
		c.Node = strconv.Itoa(i)
		node, err := fleet.Open(t.Context(), c, &engine.Options{Keys: ring})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { CheckAndClose(t, node) })
		all.faces = append(all.faces, face(node))
	}
	return &all
}

// schemaOf is the URL of a schema of the database.
func schemaOf(t testing.TB, index, schema string) string {
	t.Helper()
	u := parse(t, index)
	q := u.Query()
	q.Set("schema", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// prefixOf is the URL of a place in the bucket.
func prefixOf(t testing.TB, chunks, prefix string) string {
	t.Helper()
	return parse(t, chunks).JoinPath(prefix).String()
}

func parse(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// CheckAndClose proves that what clients have done to a store left it sound.
func CheckAndClose(t testing.TB, e *engine.Engine) {
	t.Helper()
	res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil || len(res.Problems) > 0 {
		t.Errorf("Check: %v, %v", res, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// turns gives each request to the next face.
type turns struct {
	faces []http.Handler
	next  atomic.Uint64
}

func (s *turns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.faces[s.next.Add(1)%uint64(len(s.faces))].ServeHTTP(w, r)
}
