package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/enginetest"
)

// TestListParts asks for every page that there is.
func TestListParts(t *testing.T) {
	e := openTemp(t, nil)
	ctx := context.Background()
	id := mustInitiate(t, e, "bucket", "key", "")
	var all []engine.Part
	for _, n := range []int{10000, 2, 1, 256, 255, 9999, 3} { // listed by number, whatever came first
		body := random(uint64(n), n%7)
		p := mustPart(t, e, "bucket", "key", id, n, body)
		all = append(all, engine.Part{PartNumber: n, ETag: md5ETag(body), Size: int64(len(body)), CRC64: crc64Of(body), LastModified: p.LastModified})
	}
	slices.SortFunc(all, func(a, b engine.Part) int { return a.PartNumber - b.PartNumber })
	for max := 0; max <= len(all)+1; max++ {
		for _, marker := range []int{0, 1, 2, 3, 4, 254, 255, 256, 9998, 9999, 10000, 10001, 65535, 65536, 1 << 40} {
			want, limit := []engine.Part(nil), max
			if max == 0 {
				limit = 1000
			}
			for _, p := range all {
				if p.PartNumber > marker {
					want = append(want, p)
				}
			}
			truncated := len(want) > limit
			want = want[:min(limit, len(want))]
			next := 0
			if len(want) > 0 {
				next = want[len(want)-1].PartNumber
			}
			got, err := e.ListParts(ctx, &engine.ListPartsRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumberMarker: marker, MaxParts: max})
			if err != nil {
				t.Fatalf("%d parts behind %d: %v", max, marker, err)
			}
			if !slices.EqualFunc(got.Parts, want, func(a, b engine.Part) bool { return same(a, b) == nil }) || got.IsTruncated != truncated || got.NextPartNumberMarker != next ||
				got.MaxParts != limit || got.PartNumberMarker != marker || got.UploadID != id || got.StorageClass != "Standard" {
				t.Errorf("%d parts behind %d: %+v, want %v", max, marker, got, want)
			}
		}
	}
	for max := range len(all) + 2 {
		req := &engine.ListPartsRequest{Bucket: "bucket", Key: "key", UploadID: id, MaxParts: max}
		checkSequence(t, fmt.Sprintf("Parts by pages of %d", max), e.Parts(ctx, req), all)
	}
	failing := e.Parts(ctx, &engine.ListPartsRequest{Bucket: "bucket", Key: "key", UploadID: "none"})
	checkFailing(t, failing, engine.ErrNoSuchUpload)
}

// checkSequence ranges over seq again and again, leaving it behind each entry in turn: every range
// begins at the beginning.
func checkSequence[T any](t *testing.T, name string, seq func(func(T, error) bool), want []T) {
	t.Helper()
	for leave := 1; leave <= len(want)+1; leave++ { // the last time not at all
		var got []T
		for entry, err := range seq {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got = append(got, entry); len(got) == leave {
				break
			}
		}
		if same(got, want[:min(leave, len(want))]) != nil {
			t.Fatalf("%s, left behind %d: %v, want them from the beginning, %v", name, leave, got, want[0])
		}
	}
}

// checkFailing ranges over a sequence whose first step fails: that comes once, and last.
func checkFailing[T any](t *testing.T, seq func(func(T, error) bool), want error) {
	t.Helper()
	steps := 0
	for _, err := range seq {
		if steps++; !errors.Is(err, want) {
			t.Errorf("step %d: %v, want %v", steps, err, want)
		}
	}
	if steps != 1 {
		t.Errorf("%d steps, want one, the error", steps)
	}
}

// TestListPartsDefault checks the default and largest page, of 1000.
func TestListPartsDefault(t *testing.T) {
	e := openTemp(t, nil)
	id := mustInitiate(t, e, "bucket", "key", "")
	for n := 1; n <= 1001; n++ {
		mustPart(t, e, "bucket", "key", id, n, nil)
	}
	for _, max := range []int{0, 1000} {
		got, err := e.ListParts(context.Background(), &engine.ListPartsRequest{Bucket: "bucket", Key: "key", UploadID: id, MaxParts: max})
		if err != nil || len(got.Parts) != 1000 || !got.IsTruncated || got.NextPartNumberMarker != 1000 || got.MaxParts != 1000 {
			t.Errorf("MaxParts %d: %d parts, %+v, %v", max, len(got.Parts), got, err)
		}
	}
}

// randomText is a piece of a key, a whole one or none, and now and then no key at all.
func randomText(rng *rand.Rand, most int) string {
	pieces := []string{"a", "a", "b", "/", "/", "é", "日", "\x00", "\x7f", "\u0080", "\U0010ffff", "-", `\`, "%2F"}
	var s strings.Builder
	for range rng.IntN(most + 1) {
		s.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return s.String()
}

// randomKeys returns n different keys in order.
func randomKeys(rng *rand.Rand, n int) (sorted []string) {
	for len(sorted) < n {
		key := randomText(rng, 6)
		if key != "" && key[0] != '/' && key[0] != '\\' && !slices.Contains(sorted, key) {
			sorted = append(sorted, key)
		}
	}
	slices.Sort(sorted)
	return sorted
}

// TestListObjects compares listings of random keys with the plain way.
func TestListObjects(t *testing.T) {
	const sets, keysInSet, queries = 4, 60, 400
	e := openTemp(t, nil)
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(seed(t), 0))
	for set := range sets {
		bucket := fmt.Sprintf("bucket-%d", set)
		mustBucket(t, e, bucket)
		mustObject(t, e, bucket+"0", "of another bucket", "")
		sorted := randomKeys(rng, keysInSet)
		for _, key := range sorted {
			mustObject(t, e, bucket, key, "")
		}
		for range queries {
			req := &engine.ListObjectsRequest{Bucket: bucket, Prefix: randomText(rng, 2), MaxKeys: rng.IntN(8)}
			switch rng.IntN(4) {
			case 0:
				req.Delimiter = randomText(rng, 2)
			case 1, 2:
				req.Delimiter = "/"
			}
			switch rng.IntN(5) {
			case 0:
				req.Marker = sorted[rng.IntN(len(sorted))]
			case 1:
				req.Marker = randomText(rng, 3)
			case 2:
				req.Marker = "\xff" // behind every key
			case 3:
				req.Prefix += "\xc3" // half of a rune
			}
			enginetest.CheckListing(t, e, sorted, req)
		}
		req := &engine.ListObjectsRequest{Bucket: bucket, MaxKeys: 7}
		var got []string
		for obj, err := range e.Objects(ctx, req) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, obj.Key)
		}
		if !slices.Equal(got, sorted) {
			t.Errorf("Objects: %q, want %q", got, sorted)
		}
	}
}

// TestListingCountsOnce pages through a bucket by one entry a page and by all, with a delimiter:
// each entry comes once.
func TestListingCountsOnce(t *testing.T) {
	e := openTemp(t, nil)
	for _, key := range []string{"a", "b/", "b/1", "b/2", "b/c/1", "c", "c/1", "d//1", "e"} {
		mustObject(t, e, "bucket", key, "", []byte(key))
	}
	for _, row := range []struct {
		prefix, delimiter, want string
	}{
		{"", "", "a b/ b/1 b/2 b/c/1 c c/1 d//1 e"},
		{"", "/", "a b/* c c/* d/* e"},
		{"b/", "/", "b/ b/1 b/2 b/c/*"},
		{"b", "/", "b/*"},
		{"d/", "/", "d//*"},
		{"d//", "/", "d//1"},
		{"c", "1", "c c/1*"},
		{"f", "/", ""},
	} {
		for max := range 11 {
			var got []string
			req := &engine.ListObjectsRequest{Bucket: "bucket", Prefix: row.prefix, Delimiter: row.delimiter, MaxKeys: max}
			for range 20 {
				page, err := e.ListObjects(context.Background(), req)
				if err != nil {
					t.Fatal(err)
				}
				entries := keysOf(page.Objects)
				for _, p := range page.CommonPrefixes {
					entries = append(entries, p+"*")
				}
				if max > 0 && len(entries) > max {
					t.Errorf("a page of %d has %q", max, entries)
				}
				slices.Sort(entries)
				if got = append(got, entries...); !page.IsTruncated {
					break
				}
				req.Marker = page.NextMarker
			}
			if strings.Join(got, " ") != row.want {
				t.Errorf("prefix %q, delimiter %q, by %d: %q, want %q", row.prefix, row.delimiter, max, got, row.want)
			}
		}
	}
}

// TestObjects checks the sequence, and what an entry says of its object.
func TestObjects(t *testing.T) {
	e := openTemp(t, nil)
	ctx := context.Background()
	var want []string
	for i := range 5 {
		key := fmt.Sprintf("key %d", i)
		done := mustObject(t, e, "bucket", key, "", []byte(key))
		want = append(want, fmt.Sprintln(key, done.ETag, done.Size, done.CRC64, done.LastModified))
	}
	for max := range 7 {
		seq := e.Objects(ctx, &engine.ListObjectsRequest{Bucket: "bucket", MaxKeys: max})
		described := func(yield func(string, error) bool) {
			for o, err := range seq {
				if !yield(fmt.Sprintln(o.Key, o.ETag, o.Size, o.CRC64, o.LastModified), err) {
					return
				}
			}
		}
		checkSequence(t, fmt.Sprintf("Objects by pages of %d", max), described, want)
	}
	checkFailing(t, e.Objects(ctx, &engine.ListObjectsRequest{Bucket: "absent"}), engine.ErrNoSuchBucket)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	checkFailing(t, e.Objects(ended, &engine.ListObjectsRequest{Bucket: "bucket"}), context.Canceled)
}
