package enginetest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// CheckListing compares one page of a listing, and then the pages behind it, with the keys that the bucket
// has, in order.
func CheckListing(t testing.TB, e *engine.Engine, sorted []string, req *engine.ListObjectsRequest) {
	t.Helper()
	page := *req
	for range len(sorted) + 1 {
		got, err := e.ListObjects(context.Background(), &page)
		if err != nil {
			t.Fatalf("%#v: %v", page, err)
		}
		want := plainListing(sorted, &page)
		if !want.equal(got) {
			t.Fatalf("%#v of keys %q:\n got %q, %q, next %q\nwant %q, %q, next %q", page, sorted,
				KeysOf(got.Objects), got.CommonPrefixes, got.NextMarker, want.keys, want.prefixes, want.next)
		}
		if !got.IsTruncated {
			return
		}
		page.Marker = got.NextMarker
	}
	t.Fatalf("%#v: the pages do not end", req)
}

// A listing is what ListObjects should answer, worked out the plain way.
type listing struct {
	keys, prefixes []string
	next           string
	truncated      bool
}

func plainListing(sorted []string, req *engine.ListObjectsRequest) (l listing) {
	limit := req.MaxKeys
	if limit == 0 {
		limit = 1000
	}
	last := ""
	for _, key := range sorted {
		rest, ok := strings.CutPrefix(key, req.Prefix)
		if !ok || key <= req.Marker {
			continue
		}
		common := ""
		if i := strings.Index(rest, req.Delimiter); req.Delimiter != "" && i >= 0 {
			common = req.Prefix + rest[:i+len(req.Delimiter)]
			if common == req.Marker || len(l.prefixes) > 0 && common == l.prefixes[len(l.prefixes)-1] {
				continue
			}
		}
		if len(l.keys)+len(l.prefixes) == limit {
			l.truncated, l.next = true, last
			return l
		}
		if common != "" {
			l.prefixes, last = append(l.prefixes, common), common
		} else {
			l.keys, last = append(l.keys, key), key
		}
	}
	return l
}

func (l *listing) equal(got *engine.ListObjectsResult) bool {
	return slices.Equal(KeysOf(got.Objects), l.keys) && slices.Equal(got.CommonPrefixes, l.prefixes) &&
		got.NextMarker == l.next && got.IsTruncated == l.truncated
}

// KeysOf returns the keys of listed objects.
func KeysOf(objects []engine.ObjectInfo) (keys []string) {
	for i := range objects {
		keys = append(keys, objects[i].Key)
	}
	return keys
}
