package oss_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/index"
)

// TestUnreachable has a store that cannot be reached, or that others have taken a node's lease from.
// Each is a 503 with the code that OSS has for it, in the header where an answer has no body. OSS's
// SDKs try again whatever has a status of 500 or more.
func TestUnreachable(t *testing.T) {
	idx := clients.NewUnreachableIndex()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.CheckAndClose(t, e) })
	face := anonymous(e)
	if res, body := send(t, face, "PUT /bucket", ""); res.StatusCode != 200 {
		t.Fatalf("PUT /bucket: %d %s", res.StatusCode, body)
	}
	for _, fact := range []struct {
		when string
		err  error
		code string
	}{
		{"the index cannot be reached", index.ErrUnavailable, "ServiceUnavailable"},
		{"the chunks cannot be reached", blob.ErrUnavailable, "ServiceUnavailable"},
		{"the node has lost its lease", engine.ErrLeaseLost, "ServiceUnavailable"},
	} {
		t.Run(fact.when, func(t *testing.T) {
			idx.Refuse(fact.err, 1000)
			defer idx.Refuse(nil, 0)
			for _, request := range []string{
				"PUT /bucket/key", "GET /bucket/key", "HEAD /bucket/key", "POST /bucket/key?uploads",
				"GET /bucket", "DELETE /bucket/key",
			} {
				sent := ""
				if strings.HasPrefix(request, "PUT") {
					sent = "body"
				}
				res, body := send(t, face, request, sent)
				if strings.HasPrefix(request, "HEAD") {
					header, _ := base64.StdEncoding.DecodeString(res.Header.Get("X-Oss-Err"))
					body = string(header)
				}
				if res.StatusCode != 503 || !strings.Contains(body, "<Code>"+fact.code+"</Code>") {
					t.Errorf("%s: %d %s, want 503 and %s", request, res.StatusCode, body, fact.code)
				}
			}
		})
	}
}
