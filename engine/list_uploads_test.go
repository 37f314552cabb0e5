package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// An uploadName is what tells the uploads of a bucket apart, and what they are ordered by.
type uploadName struct{ key, id string }

func (u uploadName) compare(v uploadName) int {
	if c := strings.Compare(u.key, v.key); c != 0 {
		return c
	}
	return strings.Compare(u.id, v.id)
}

func namesOf(uploads []engine.MultipartUpload) (names []uploadName) {
	for _, u := range uploads {
		names = append(names, uploadName{u.Key, u.UploadID})
	}
	return names
}

// An uploadPage is what ListMultipartUploads should answer, worked out the plain way.
type uploadPage struct {
	uploads   []uploadName
	prefixes  []string
	next      uploadName
	truncated bool
}

// plainUploads works out the page of at most limit entries.
func plainUploads(sorted []uploadName, req *engine.ListMultipartUploadsRequest, limit int) (p uploadPage) {
	for _, u := range sorted {
		rest, ok := strings.CutPrefix(u.key, req.Prefix)
		behind := req.KeyMarker == "" || u.key > req.KeyMarker ||
			u.key == req.KeyMarker && req.UploadIDMarker != "" && u.id > req.UploadIDMarker
		if !ok || !behind {
			continue
		}
		common := ""
		if i := strings.Index(rest, req.Delimiter); req.Delimiter != "" && i >= 0 {
			common = req.Prefix + rest[:i+len(req.Delimiter)]
			if common == req.KeyMarker || slices.Contains(p.prefixes, common) {
				continue
			}
		}
		if len(p.uploads)+len(p.prefixes) == limit {
			p.truncated = true
			return p
		}
		if common != "" {
			p.prefixes, p.next = append(p.prefixes, common), uploadName{common, ""}
		} else {
			p.uploads, p.next = append(p.uploads, u), u
		}
	}
	return p
}

// checkPages follows the pages from the one that req asks for. Each must be what the plain way
// gives, and all together hold everything behind req's markers once.
func checkPages(t *testing.T, e *engine.Engine, sorted []uploadName, req *engine.ListMultipartUploadsRequest) {
	t.Helper()
	all := plainUploads(sorted, req, len(sorted))
	limit := req.MaxUploads
	if limit == 0 {
		limit = 1000
	}
	var uploads []uploadName
	var prefixes []string
	page := *req
	for range len(sorted) + 1 {
		got, err := e.ListMultipartUploads(context.Background(), &page)
		if err != nil {
			t.Fatalf("%#v: %v", page, err)
		}
		want := plainUploads(sorted, &page, limit)
		if !slices.Equal(namesOf(got.Uploads), want.uploads) || !slices.Equal(got.CommonPrefixes, want.prefixes) ||
			got.NextKeyMarker != want.next.key || got.NextUploadIDMarker != want.next.id || got.IsTruncated != want.truncated {
			t.Fatalf("%#v of %q:\n got %q, %q, next %q, %q\nwant %q, %q, next %q", page, sorted,
				namesOf(got.Uploads), got.CommonPrefixes, got.NextKeyMarker, got.NextUploadIDMarker, want.uploads, want.prefixes, want.next)
		}
		if got.Bucket != page.Bucket || got.Prefix != page.Prefix || got.Delimiter != page.Delimiter ||
			got.KeyMarker != page.KeyMarker || got.UploadIDMarker != page.UploadIDMarker || got.MaxUploads != limit {
			t.Fatalf("%#v: the page says it is %#v", page, got)
		}
		uploads, prefixes = append(uploads, namesOf(got.Uploads)...), append(prefixes, got.CommonPrefixes...)
		if !got.IsTruncated {
			if !slices.Equal(uploads, all.uploads) || !slices.Equal(prefixes, all.prefixes) {
				t.Fatalf("%#v of %q: the pages hold %q, %q, want %q, %q", req, sorted, uploads, prefixes, all.uploads, all.prefixes)
			}
			return
		}
		page.KeyMarker, page.UploadIDMarker = got.NextKeyMarker, got.NextUploadIDMarker
	}
	t.Fatalf("%#v: the pages do not end", req)
}

// TestListMultipartUploads compares listings of the uploads of random keys with the plain way.
func TestListMultipartUploads(t *testing.T) {
	const sets, keysInSet, queries = 4, 50, 400
	e := openTemp(t, nil)
	rng := rand.New(rand.NewPCG(seed(t), 0))
	for set := range sets {
		bucket := fmt.Sprintf("bucket-%d", set)
		mustInitiate(t, e, bucket+"0", "of another bucket", "")
		var sorted []uploadName
		for _, key := range randomKeys(rng, keysInSet) {
			for range 1 + rng.IntN(3) {
				sorted = append(sorted, uploadName{key, mustInitiate(t, e, bucket, key, "")})
			}
			if rng.IntN(4) == 0 {
				mustObject(t, e, bucket, key, "") // no longer an upload
			}
		}
		slices.SortFunc(sorted, uploadName.compare)
		for range queries {
			checkPages(t, e, sorted, randomQuery(rng, bucket, sorted))
		}
		var got []uploadName
		for up, err := range e.Uploads(context.Background(), &engine.ListMultipartUploadsRequest{Bucket: bucket, MaxUploads: 7}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, uploadName{up.Key, up.UploadID})
		}
		if !slices.Equal(got, sorted) {
			t.Errorf("Uploads: %q, want %q", got, sorted)
		}
	}
}

func randomQuery(rng *rand.Rand, bucket string, sorted []uploadName) *engine.ListMultipartUploadsRequest {
	req := &engine.ListMultipartUploadsRequest{Bucket: bucket, Prefix: randomText(rng, 2), MaxUploads: rng.IntN(8)}
	some := sorted[rng.IntN(len(sorted))]
	switch rng.IntN(4) {
	case 0:
		req.Delimiter = randomText(rng, 2)
	case 1, 2:
		req.Delimiter = "/"
	}
	switch rng.IntN(6) {
	case 0, 1:
		req.KeyMarker = some.key
	case 2:
		req.KeyMarker = randomText(rng, 3)
	case 3:
		req.KeyMarker = "\xff" // behind every key
	case 4:
		req.Prefix += "\xc3" // half of a rune
	}
	switch rng.IntN(5) {
	case 0:
		req.UploadIDMarker = some.id
	case 1:
		req.UploadIDMarker = some.id[:rng.IntN(len(some.id))] + randomText(rng, 1)
	case 2:
		req.UploadIDMarker = string("0/7:@Gg~"[rng.IntN(8)])
	}
	return req
}

// TestUploadMarkers is the table of what markers mean. Of each of the keys a, b, b/1 and c two
// uploads are open, the one with the smaller id called 1, the other 2.
func TestUploadMarkers(t *testing.T) {
	e := openTemp(t, nil)
	ids, names := map[string]string{}, map[string]string{} // by each other
	for _, key := range []string{"a", "b", "b/1", "c"} {
		two := []string{mustInitiate(t, e, "bucket", key, ""), mustInitiate(t, e, "bucket", key, "")}
		slices.Sort(two)
		for i, id := range two {
			name := fmt.Sprintf("%s:%d", key, i+1)
			ids[name], names[id] = id, name
		}
	}
	for _, row := range []struct {
		delimiter, key, id string // an id by its name, or any other text
		max                int
		want               string // the uploads by name, then common prefixes
		next, nextID       string
	}{
		{"", "", "", 0, "a:1 a:2 b:1 b:2 b/1:1 b/1:2 c:1 c:2", "c", "c:2"},
		{"", "", "", 1, "a:1", "a", "a:1"},
		{"", "", "a:1", 2, "a:1 a:2", "a", "a:2"}, // an id without a key
		{"", "", "~", 2, "a:1 a:2", "a", "a:2"},
		{"", "a", "", 2, "b:1 b:2", "b", "b:2"},
		{"", "a", "a:1", 2, "a:2 b:1", "b", "b:1"},
		{"", "a", "a:2", 2, "b:1 b:2", "b", "b:2"},
		{"", "a", "0", 2, "a:1 a:2", "a", "a:2"}, // an id that never was
		{"", "a", "Z", 2, "b:1 b:2", "b", "b:2"},
		{"", "aa", "a:1", 2, "b:1 b:2", "b", "b:2"}, // a key that never was
		{"", "b", "", 3, "b/1:1 b/1:2 c:1", "c", "c:1"},
		{"", "c", "c:1", 0, "c:2", "c", "c:2"},
		{"", "c", "", 0, "", "", ""},
		{"/", "", "", 0, "a:1 a:2 b:1 b:2 c:1 c:2 b/", "c", "c:2"},
		{"/", "b", "b:1", 2, "b:2 b/", "b/", ""}, // a page that ends on a common prefix
		{"/", "b", "", 1, "b/", "b/", ""},
		{"/", "b/", "", 1, "c:1", "c", "c:1"},    // and the one behind it
		{"/", "b/", "0", 1, "c:1", "c", "c:1"},   // also of a client that keeps its old id
		{"/", "b/0", "", 1, "b/", "b/", ""},      // below a common prefix, with keys behind
		{"/", "b/1", "b/1:1", 1, "b/", "b/", ""}, // the same, with an upload of the same key behind
		{"/", "b/1", "", 1, "c:1", "c", "c:1"},   // the same, with nothing behind
		{"/", "b/1", "b/1:2", 1, "c:1", "c", "c:1"},
	} {
		req := &engine.ListMultipartUploadsRequest{
			Bucket: "bucket", Delimiter: row.delimiter, KeyMarker: row.key, UploadIDMarker: row.id, MaxUploads: row.max,
		}
		if id, ok := ids[row.id]; ok {
			req.UploadIDMarker = id
		}
		page, err := e.ListMultipartUploads(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, up := range page.Uploads {
			got = append(got, names[up.UploadID])
		}
		got = append(got, page.CommonPrefixes...)
		if strings.Join(got, " ") != row.want || page.NextKeyMarker != row.next || names[page.NextUploadIDMarker] != row.nextID {
			t.Errorf("delimiter %q, markers %q and %q, by %d: %q, next %q and %q", row.delimiter, row.key, row.id, row.max,
				got, page.NextKeyMarker, names[page.NextUploadIDMarker])
		}
	}
}

// TestUploads checks the sequence, and what an entry says of its upload.
func TestUploads(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("east", 3600))
	ring := keys(t)
	e := openTemp(t, &engine.Options{Keys: ring, Clock: func() time.Time { return now }})
	mustBucket(t, e, "bucket")
	var want []engine.MultipartUpload
	for i, req := range []engine.InitiateMultipartUploadRequest{
		{},
		{Attributes: engine.Attributes{StorageClass: "IA", ContentType: "text/plain", Metadata: map[string]string{"a": "b"}}},
		{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}},
		{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS", ServerSideEncryptionKeyID: ring.KeyIDs()[0]}},
		{EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: random(1, 32)}},
		{Checksum: engine.Checksum{Algorithm: "CRC32C"}, Sequential: true},
	} {
		req.Bucket, req.Key = "bucket", fmt.Sprint("key ", i)
		up, err := e.InitiateMultipartUpload(ctx, &req)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, engine.MultipartUpload{
			Key: req.Key, UploadID: up.UploadID, Initiated: now.UTC(), StorageClass: engine.StorageClass(orElse(string(req.StorageClass), "Standard")),
			Checksum: up.Checksum, Sequential: req.Sequential, Encryption: up.Encryption,
		})
	}
	for max := range len(want) + 2 {
		req := &engine.ListMultipartUploadsRequest{Bucket: "bucket", MaxUploads: max}
		checkSequence(t, fmt.Sprintf("Uploads by pages of %d", max), e.Uploads(ctx, req), want)
	}
	checkFailing(t, e.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: "absent"}), engine.ErrNoSuchBucket)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	checkFailing(t, e.Uploads(ended, &engine.ListMultipartUploadsRequest{Bucket: "bucket"}), context.Canceled)

	// What is aborted or completed on the way does not lead the sequence astray.
	seen := 0
	for up, err := range e.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: "bucket", MaxUploads: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen%2 == 0 {
			mustComplete(t, e, "bucket", up.Key, up.UploadID)
		} else {
			mustAbort(t, e, "bucket", up.Key, up.UploadID)
		}
	}
	left, err := e.ListMultipartUploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: "bucket"})
	if seen != len(want) || err != nil || len(left.Uploads) != 0 || left.NextKeyMarker != "" || left.NextUploadIDMarker != "" || left.IsTruncated {
		t.Errorf("%d uploads were ended, %+v are left, %v", seen, left, err)
	}
}

// mustAbort gives an upload up.
func mustAbort(t testing.TB, e *engine.Engine, bucket, key, id string) {
	t.Helper()
	_, err := e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{Bucket: bucket, Key: key, UploadID: id})
	if err != nil {
		t.Fatalf("AbortMultipartUpload: %v", err)
	}
}

// TestListMultipartUploadsRefused asks for what there is not.
func TestListMultipartUploadsRefused(t *testing.T) {
	e := openTemp(t, nil)
	mustBucket(t, e, "bucket")
	for _, row := range []struct {
		bucket string
		max    int
		want   error
	}{
		{"absent", 0, engine.ErrNoSuchBucket},
		{"UPPER", 0, engine.ErrInvalidBucketName},
		{"bucket", 1001, engine.ErrInvalidArgument},
		{"bucket", -1, engine.ErrInvalidArgument},
	} {
		_, err := e.ListMultipartUploads(context.Background(), &engine.ListMultipartUploadsRequest{Bucket: row.bucket, MaxUploads: row.max})
		if got := asError(t, err); !errors.Is(err, row.want) || got.Op != "ListMultipartUploads" || got.Bucket != row.bucket {
			t.Errorf("%d uploads of %s: %v, want %v", row.max, row.bucket, err, row.want)
		}
	}
}
