package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// TestModel lives random histories under several sets of options, side by side with a model of
// plain maps, and compares. GABION_SEED replays them, GABION_STEPS makes them longer.
func TestModel(t *testing.T) {
	steps, s := modelSteps(t, 500), seed(t)
	for i, set := range []struct {
		name       string
		chunkSizes []int // taken in turn, a new one at every reopening
		volumeSize int64
		encrypted  bool
		blocks     int // bodies are made of so few different blocks; 0 means of fresh bytes
		scopes     bool
		crashes    bool
		records    bool // are authenticated
		memory     bool // the two stores in memory instead of those in a directory
		rehearsed  bool // the first run of every function of the index is in vain
	}{
		{name: "small chunks in small volumes", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20},
		{name: "chunks of 64 KiB", chunkSizes: []int{64 << 10}},
		{name: "encrypted", chunkSizes: []int{16 << 10}, encrypted: true, records: true},
		{name: "duplicates", chunkSizes: []int{4 << 10}, volumeSize: 2 << 20, blocks: 5},
		{name: "chunk size changes", chunkSizes: []int{4 << 10, 64 << 10, 5000}, encrypted: true, blocks: 20},
		{name: "scopes of deduplication", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20, encrypted: true, blocks: 5, scopes: true},
		{name: "stores in memory", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20, encrypted: true, blocks: 50, memory: true},
		{name: "transactions run twice", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20, blocks: 50, memory: true, rehearsed: true},
		{name: "power cuts", chunkSizes: []int{4 << 10}, volumeSize: 1 << 20, blocks: 50, crashes: true, records: true},
	} {
		t.Run(set.name, func(t *testing.T) {
			ring := keys(t)
			h := newHistory(t, rand.New(rand.NewPCG(s, uint64(i))))
			h.dir, h.chunkSizes, h.encrypted, h.blocks = t.TempDir(), set.chunkSizes, set.encrypted, set.blocks
			h.options = engine.Options{Volumes: volumeKinds[i%2], VolumeSize: set.volumeSize, Keys: ring,
				AuthenticateRecords: set.records, Events: &engine.Events{Alarm: func(err error) {
					var exposed *engine.ExposedError // which the directories of tests are
					if !errors.Is(err, errPower) && !errors.As(err, &exposed) {
						t.Errorf("Alarm: %v", err)
					}
				}}}
			if set.scopes {
				h.scopes = dedupScopes
			}
			if set.memory {
				h.index, h.blobs = lastingIndex{index.NewMemory()}, lastingBlobs{blob.NewMemory(set.volumeSize)}
			}
			if set.rehearsed {
				h.index = indextest.Rehearsed(h.index)
			}
			if set.crashes {
				h.stores = newFragileStores(set.volumeSize, &engine.Options{Keys: ring, AuthenticateRecords: set.records})
			}
			h.live(steps)
		})
	}
}

// modelSteps is how many steps a history has: as GABION_STEPS says, or usual.
func modelSteps(t *testing.T, usual int) int {
	text := os.Getenv("GABION_STEPS")
	if text == "" {
		return usual
	}
	steps, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("GABION_STEPS: %v", err)
	}
	return steps
}

// A history is a store, and a model of what it should hold.
type history struct {
	t       *testing.T
	e       *engine.Engine
	dir     string
	index   index.Store // instead of those in dir, if it is not nil
	blobs   blob.Store
	stores  *fragileStores // likewise, and closed by a power cut
	fleet   *fleet         // of which e is a node; nil: it is alone
	options engine.Options
	rng     *rand.Rand
	log     []string // what was done

	chunkSizes []int
	encrypted  bool
	blocks     int
	scopes     []engine.DedupScope // that buckets may have
	opens      int

	buckets map[string]bool
	dedup   map[string]string // what stands for the scope of a bucket: see modelPart
	uploads []*modelUpload
	gone    []*modelUpload // completed or aborted
	objects map[place]*modelObject
	readers []*modelReader
	bodies  [][]byte // of earlier parts

	made     int            // keys of scopes
	outcomes map[string]int // how often what happened
}

type place struct{ bucket, key string }

type modelUpload struct {
	place
	id, sse string
	parts   map[int]*modelPart
}

type modelPart struct {
	body   []byte
	chunks [][]byte // what it is split into
	key    string   // of its encryption or scope, or empty: equal chunks under one key are one
	inline bool     // it is in the index
}

// A modelContent is what copies of an object share.
type modelContent struct {
	parts []*modelPart
}

type modelObject struct {
	content *modelContent
	sse     string
	etag    string
	body    []byte
}

type modelReader struct {
	object *modelObject
	from   *engine.Object
}

func newHistory(t *testing.T, rng *rand.Rand) *history {
	return &history{
		t: t, rng: rng, scopes: []engine.DedupScope{""}, buckets: map[string]bool{},
		dedup: map[string]string{}, objects: map[place]*modelObject{}, outcomes: map[string]int{},
	}
}

// live lives the history.
func (h *history) live(steps int) {
	h.reopen()
	for range steps {
		h.step()
	}
	h.reopen()
	h.check()
	h.deleteEverything()
	h.t.Log(h.outcomes)
}

func (h *history) did(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// fail ends the test with the latest steps.
func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	tail := h.log[max(0, len(h.log)-40):]
	h.t.Fatalf("step %d: %s\nthe latest steps:\n%s", len(h.log), fmt.Sprintf(format, args...), strings.Join(tail, "\n"))
}

// want compares an error with the one of the model.
func (h *history) want(err, want error) {
	h.t.Helper()
	if !errors.Is(err, want) {
		h.fail("error is %v, want %v", err, want)
	}
	op, _, _ := strings.Cut(h.log[len(h.log)-1], " ")
	if want != nil {
		op += ":" + asError(h.t, err).Code
	}
	h.outcomes[op]++
}

func (h *history) step() {
	h.switchNode()
	steps := []struct {
		weight int
		do     func()
	}{
		{24, h.uploadPart}, {14, h.complete}, {10, h.initiate}, {2, h.abort}, {6, h.deleteObject}, {8, h.readRange},
		{4, h.listParts}, {4, h.listObjects}, {5, h.openReader}, {4, h.useReader}, {3, h.closeReader},
		{5, h.createBucket}, {2, h.deleteBucket}, {4, h.count}, {1, h.reopen}, {3, h.useWhatIsGone},
		{8, h.putObject}, {8, h.copyObject}, {6, h.copyPart}, {4, h.listUploads}, {2, h.deleteObjects},
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := h.rng.IntN(total)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			s.do()
			return
		}
	}
}

func (h *history) reopen() {
	if h.e != nil && h.fleet == nil {
		h.did("close and open again")
		if h.stores != nil {
			h.stores.power.cut()
		}
		if err := h.e.Close(); err != nil {
			h.fail("Close: %v", err)
		}
		h.closeReaders()
	}
	h.options.ChunkSize = h.chunkSizes[h.opens%len(h.chunkSizes)]
	h.options.MemoryBudget = 4 * int64(h.options.ChunkSize)
	h.opens++
	switch {
	case h.fleet != nil:
		h.reopenNode()
	case h.stores != nil:
		h.stores.power.restore()
		h.e = h.stores.open(h.t, &h.options)
	case h.index != nil:
		h.e = openStores(h.t, h.index, h.blobs, &h.options)
	default:
		h.e = open(h.t, h.dir, &h.options)
	}
}

// Few names, so that they meet often.

func (h *history) somePlace() place {
	return place{[]string{"aaa", "aaa-b"}[h.rng.IntN(2)], []string{"k", "k/1", "k/2", "ü"}[h.rng.IntN(4)]}
}

// someBody is fresh, or was there before, of a size that is near a boundary.
func (h *history) someBody() []byte {
	chunk := h.options.ChunkSize
	sizes := []int{0, 1, 17, chunk - 1, chunk, chunk + 1, 3*chunk + 5, minPart - 1, minPart, minPart, minPart, minPart + 1, minPart + chunk}
	size := sizes[h.rng.IntN(len(sizes))]
	switch {
	case h.blocks > 0:
		var body []byte
		for len(body) < size {
			body = append(body, random(uint64(h.rng.IntN(h.blocks)), chunk)...)
		}
		return body[:size]
	case len(h.bodies) > 0 && h.rng.IntN(4) == 0:
		return h.bodies[h.rng.IntN(len(h.bodies))]
	}
	body := random(h.rng.Uint64(), size)
	h.bodies = append(h.bodies, body)
	return body
}

func (h *history) newPart(up *modelUpload, body []byte) *modelPart {
	return &modelPart{body: body, chunks: slices.Collect(slices.Chunk(body, h.options.ChunkSize)), key: h.uploadKey(up)}
}

// uploadKey stands for the upload's data key, since chunks are found again within one upload only,
// or for the scope of a part of it.
func (h *history) uploadKey(up *modelUpload) string {
	if up.sse == "" {
		return h.scopeKey(up.bucket)
	}
	return up.id
}

// scopeKey stands for the scope of a part without encryption that is uploaded to a bucket.
func (h *history) scopeKey(bucket string) string {
	if h.dedup[bucket] == ofPart {
		h.made++
		return fmt.Sprint(ofPart, h.made)
	}
	return h.dedup[bucket]
}

// What the keys begin with that stand for scopes; the whole store's is empty.
const ofBucket, ofPart = "bucket ", "part "

// admits says whether a bucket may share a part without encryption.
func (h *history) admits(bucket string, p *modelPart) bool {
	return h.dedup[bucket] == "" || p.key == h.dedup[bucket] || strings.HasPrefix(p.key, ofPart)
}

// names are the names of the part's chunks: equal names are one chunk.
func (p *modelPart) names() (names []string) {
	for _, c := range p.chunks {
		if !p.inline {
			names = append(names, fmt.Sprintf("%x %s", sha256.Sum256(c), p.key))
		}
	}
	return names
}

func (h *history) createBucket() {
	b, scope := h.somePlace().bucket, h.scopes[h.rng.IntN(len(h.scopes))]
	h.did("CreateBucket %s %q", b, scope)
	_, err := h.e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: b, DedupScope: scope})
	if h.buckets[b] {
		h.want(err, engine.ErrBucketAlreadyExists)
		return
	}
	h.want(err, nil)
	h.buckets[b] = true
	switch h.dedup[b] = ""; scope {
	case engine.DedupBucket:
		h.made++
		h.dedup[b] = fmt.Sprint(ofBucket, h.made)
	case engine.DedupNone:
		h.dedup[b] = ofPart
	}
}

func (h *history) deleteBucket() {
	b := h.somePlace().bucket
	h.did("DeleteBucket %s", b)
	empty := !slices.ContainsFunc(h.uploads, func(up *modelUpload) bool { return up.bucket == b })
	for p := range h.objects {
		empty = empty && p.bucket != b
	}
	_, err := h.e.DeleteBucket(context.Background(), &engine.DeleteBucketRequest{Bucket: b})
	switch {
	case !h.buckets[b]:
		h.want(err, engine.ErrNoSuchBucket)
	case !empty:
		h.want(err, engine.ErrBucketNotEmpty)
	default:
		h.want(err, nil)
		delete(h.buckets, b)
	}
}

func (h *history) initiate() {
	p, sse, forbid := h.somePlace(), h.someEncryption(), h.rng.IntN(8) == 0
	h.did("Initiate %v %q forbid %t", p, sse, forbid)
	up, err := h.e.InitiateMultipartUpload(context.Background(), &engine.InitiateMultipartUploadRequest{
		Bucket: p.bucket, Key: p.key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}, ForbidOverwrite: forbid,
	})
	switch {
	case !h.buckets[p.bucket]:
		h.want(err, engine.ErrNoSuchBucket)
	case forbid && h.objects[p] != nil:
		h.want(err, engine.ErrFileAlreadyExists)
	default:
		h.want(err, nil)
		h.uploads = append(h.uploads, &modelUpload{place: p, id: up.UploadID, sse: sse, parts: map[int]*modelPart{}})
	}
}

func (h *history) someUpload() *modelUpload {
	if len(h.uploads) == 0 {
		return nil
	}
	return h.uploads[h.rng.IntN(len(h.uploads))]
}

func (h *history) uploadPart() {
	up := h.someUpload()
	if up == nil {
		return
	}
	n, body := []int{1, 2, 3, 5, 10000}[h.rng.IntN(5)], h.someBody()
	req := &engine.UploadPartRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id, PartNumber: n, Body: bytes.NewReader(body)}
	bad := h.rng.IntN(10) == 0
	if bad {
		req.Body = failing(string(body), io.ErrClosedPipe)
	}
	h.did("UploadPart %v %s number %d, %d bytes, bad %t", up.place, up.id, n, len(body), bad)
	got, err := h.e.UploadPart(context.Background(), req)
	if bad {
		h.want(err, engine.ErrIncompleteBody)
		return
	}
	h.want(err, nil)
	if got.ETag != md5ETag(body) || got.Size != int64(len(body)) || got.CRC64 != crc64Of(body) {
		h.fail("the part is %+v", got)
	}
	up.parts[n] = h.newPart(up, body)
}

func (h *history) complete() {
	up := h.someUpload()
	if up == nil {
		return
	}
	req := &engine.CompleteMultipartUploadRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id, Preconditions: engine.Preconditions{ForbidOverwrite: h.rng.IntN(8) == 0}}
	req.All = h.rng.IntN(4) == 0
	var listed []*modelPart
	for _, n := range []int{1, 2, 3, 5, 10000} {
		p := up.parts[n]
		if p == nil || !req.All && h.rng.IntN(4) == 0 {
			continue
		}
		listed = append(listed, p)
		if !req.All {
			req.Parts = append(req.Parts, engine.CompletedPart{PartNumber: n, ETag: md5ETag(p.body)})
		}
	}
	if h.rng.IntN(2) == 0 { // do not let a small part in front spoil it
		for len(listed) > 1 && !req.All && len(listed[0].body) < minPart {
			listed, req.Parts = listed[1:], req.Parts[1:]
		}
	}
	wrong := !req.All && len(req.Parts) > 0 && h.rng.IntN(8) == 0
	if wrong {
		req.Parts[h.rng.IntN(len(req.Parts))].ETag = md5ETag([]byte("another"))
	}
	h.did("Complete %v %s with %d of %d parts, All %t, forbid %t, wrong %t", up.place, up.id, len(listed), len(up.parts), req.All, req.ForbidOverwrite, wrong)
	got, err := h.e.CompleteMultipartUpload(context.Background(), req)
	small := false
	for i, p := range listed {
		small = small || len(p.body) < minPart && i < len(listed)-1
	}
	switch {
	case len(listed) == 0 && len(up.parts) > 0:
		h.want(err, engine.ErrMalformedXML)
		return
	case wrong:
		h.want(err, engine.ErrInvalidPart)
		return
	case small:
		h.want(err, engine.ErrEntityTooSmall)
		return
	case req.ForbidOverwrite && h.objects[up.place] != nil:
		h.want(err, engine.ErrFileAlreadyExists)
		return
	}
	h.want(err, nil)
	obj := &modelObject{content: &modelContent{listed}, sse: up.sse, etag: got.ETag}
	var bodies [][]byte
	for _, p := range listed {
		bodies = append(bodies, p.body)
	}
	obj.body = slices.Concat(bodies...)
	if got.ETag != ossETag(bodies...) || got.Size != int64(len(obj.body)) || got.CRC64 != crc64Of(obj.body) {
		h.fail("the object is %+v", got)
	}
	h.objects[up.place] = obj
	h.end(up)
}

// end moves an upload to those that are gone.
func (h *history) end(up *modelUpload) {
	h.uploads = slices.DeleteFunc(h.uploads, func(u *modelUpload) bool { return u == up })
	h.gone = append(h.gone, up)
}

func (h *history) abort() {
	if up := h.someUpload(); up != nil {
		h.did("Abort %v %s", up.place, up.id)
		_, err := h.e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id})
		h.want(err, nil)
		h.end(up)
	}
}

func (h *history) useWhatIsGone() {
	if len(h.gone) == 0 {
		return
	}
	up := h.gone[h.rng.IntN(len(h.gone))]
	want := error(engine.ErrNoSuchUpload)
	if !h.buckets[up.bucket] {
		want = engine.ErrNoSuchBucket
	}
	h.did("all of %s, which is gone", up.id)
	ctx := context.Background()
	_, err := h.e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id, PartNumber: 1, Body: strings.NewReader("late")})
	h.want(err, want)
	_, err = h.e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id, All: true})
	h.want(err, want)
	_, err = h.e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id})
	h.want(err, want)
	_, err = h.e.ListParts(ctx, &engine.ListPartsRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id})
	h.want(err, want)
}

func (h *history) deleteObject() {
	p := h.somePlace()
	h.did("DeleteObject %v", p)
	_, err := h.e.DeleteObject(context.Background(), &engine.DeleteObjectRequest{Bucket: p.bucket, Key: p.key})
	if !h.buckets[p.bucket] {
		h.want(err, engine.ErrNoSuchBucket)
		return
	}
	h.want(err, nil)
	delete(h.objects, p)
}

func (h *history) readRange() {
	p := h.somePlace()
	obj := h.objects[p]
	if obj == nil {
		h.did("GetObject %v, which is not there", p)
		_, err := h.e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: p.bucket, Key: p.key})
		if h.buckets[p.bucket] {
			h.want(err, engine.ErrNoSuchKey)
		} else {
			h.want(err, engine.ErrNoSuchBucket)
		}
		return
	}
	from := h.rng.IntN(len(obj.body) + 1)
	to := from + h.rng.IntN(len(obj.body)-from+1)
	rng := ""
	if from < to {
		rng = fmt.Sprintf("bytes=%d-%d", from, to-1)
	} else {
		from, to = 0, len(obj.body)
	}
	h.did("GetObject %v %s", p, rng)
	got, err := h.e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: p.bucket, Key: p.key, Range: rng})
	h.want(err, nil)
	defer got.Close()
	if data, err := io.ReadAll(got); err != nil || !bytes.Equal(data, obj.body[from:to]) {
		h.fail("%v %s reads %d bytes, %v", p, rng, len(data), err)
	}
}

func (h *history) openReader() {
	places := slices.SortedFunc(maps.Keys(h.objects), func(a, b place) int { return strings.Compare(a.bucket+"/"+a.key, b.bucket+"/"+b.key) })
	if len(places) > 0 && len(h.readers) < 5 {
		p := places[h.rng.IntN(len(places))]
		h.did("open-reader %v", p)
		got, err := h.e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: p.bucket, Key: p.key})
		h.want(err, nil)
		h.readers = append(h.readers, &modelReader{h.objects[p], got})
	}
}

func (h *history) useReader() {
	for _, r := range h.readers {
		if !slices.ContainsFunc(slices.Collect(maps.Values(h.objects)), func(o *modelObject) bool { return o == r.object }) {
			h.outcomes["read-deleted"]++
		}
		off := h.rng.IntN(len(r.object.body) + 1)
		buf := make([]byte, h.rng.IntN(len(r.object.body)-off+1))
		h.did("ReadAt %d, %d bytes", off, len(buf))
		if _, err := r.from.ReadAt(buf, int64(off)); err != nil || !bytes.Equal(buf, r.object.body[off:off+len(buf)]) {
			h.fail("an object opened earlier: %v", err)
		}
	}
}

// closeReaders closes what is left open, also by an engine that is closed.
func (h *history) closeReaders() {
	for _, r := range h.readers {
		r.from.Close()
	}
	h.readers = nil
}

func (h *history) closeReader() {
	if len(h.readers) > 0 {
		h.did("close-reader")
		h.want(h.readers[0].from.Close(), nil)
		h.readers = h.readers[1:]
	}
}

func (h *history) listParts() {
	if up := h.someUpload(); up != nil {
		h.did("ListParts %v %s", up.place, up.id)
		h.checkParts(up)
	}
}

func (h *history) checkParts(up *modelUpload) {
	var got []string
	for p, err := range h.e.Parts(context.Background(), &engine.ListPartsRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id, MaxParts: 1 + h.rng.IntN(4)}) {
		h.want(err, nil)
		got = append(got, fmt.Sprint(p.PartNumber, p.ETag, p.Size, p.CRC64))
	}
	var want []string
	for _, n := range []int{1, 2, 3, 5, 10000} {
		if p := up.parts[n]; p != nil {
			want = append(want, fmt.Sprint(n, md5ETag(p.body), len(p.body), crc64Of(p.body)))
		}
	}
	if !slices.Equal(got, want) {
		h.fail("upload %s has parts %v, want %v", up.id, got, want)
	}
}

func (h *history) listObjects() {
	b := h.somePlace().bucket
	h.did("ListObjects %s", b)
	req := &engine.ListObjectsRequest{
		Bucket: b, Prefix: []string{"", "k", "k/", "x"}[h.rng.IntN(4)], Delimiter: []string{"", "/"}[h.rng.IntN(2)], MaxKeys: h.rng.IntN(4),
	}
	if !h.buckets[b] {
		_, err := h.e.ListObjects(context.Background(), req)
		h.want(err, engine.ErrNoSuchBucket)
		return
	}
	var sorted []string
	for p := range h.objects {
		if p.bucket == b {
			sorted = append(sorted, p.key)
		}
	}
	slices.Sort(sorted)
	checkListing(h.t, h.e, sorted, req)
}

func (h *history) listUploads() {
	b := h.somePlace().bucket
	h.did("ListMultipartUploads %s", b)
	req := &engine.ListMultipartUploadsRequest{Bucket: b, Prefix: []string{"", "k", "k/"}[h.rng.IntN(3)], MaxUploads: h.rng.IntN(4)}
	var got, want []string
	for up, err := range h.e.Uploads(context.Background(), req) {
		if !h.buckets[b] {
			h.want(err, engine.ErrNoSuchBucket)
			return
		}
		h.want(err, nil)
		got = append(got, up.Key+" "+up.UploadID)
	}
	for _, up := range h.uploads {
		if up.bucket == b && strings.HasPrefix(up.key, req.Prefix) {
			want = append(want, up.key+" "+up.id)
		}
	}
	slices.Sort(want) // a space sorts before what else follows a key here
	if !slices.Equal(got, want) {
		h.fail("bucket %s has uploads %q, want %q", b, got, want)
	}
}

func (h *history) deleteObjects() {
	at, other := h.somePlace(), h.somePlace()
	h.did("DeleteObjects %v and %s", at, other.key)
	_, err := h.e.DeleteObjects(context.Background(), &engine.DeleteObjectsRequest{Bucket: at.bucket, Keys: []string{at.key, other.key}})
	if !h.buckets[at.bucket] {
		h.want(err, engine.ErrNoSuchBucket)
		return
	}
	h.want(err, nil)
	delete(h.objects, at)
	delete(h.objects, place{at.bucket, other.key})
}

// count compares the totals, once what was deleted has been swept.
func (h *history) count() {
	h.did("Stats")
	if h.fleet != nil {
		h.closeReaders() // what they hold depends on when they were opened
	}
	got := tallyOf(h.t, h.e)
	if want := h.tally(got.StoredBytes); got != want {
		h.fail("the store holds %+v, want %+v", got, want)
	}
	checkLive(h.t, h.e)
}

// tally counts what the model holds. An object that is being read holds on to its parts, deleted
// or not.
func (h *history) tally(storedBytes int64) tally {
	want := tally{Objects: int64(len(h.objects)), Uploads: int64(len(h.uploads)), StoredBytes: storedBytes}
	chunks := map[string]bool{}
	add := func(p *modelPart) {
		want.Parts++
		for _, name := range p.names() {
			want.References++
			chunks[name] = true
		}
	}
	for _, up := range h.uploads {
		for _, p := range up.parts {
			add(p)
		}
	}
	held := map[*modelContent]bool{}
	for _, obj := range h.objects {
		held[obj.content] = true
		want.LogicalBytes += int64(len(obj.body))
	}
	for _, r := range h.readers {
		held[r.object.content] = true
	}
	for content := range held {
		for _, p := range content.parts {
			add(p)
		}
	}
	want.Chunks = int64(len(chunks))
	return want
}

// check compares everything.
func (h *history) check() {
	h.count()
	for _, up := range h.uploads {
		h.checkParts(up)
	}
	for p, obj := range h.objects {
		if !bytes.Equal(readAll(h.t, h.e, p.bucket, p.key), obj.body) {
			h.fail("object %v reads differently", p)
		}
		if got := head(h.t, h.e, p.bucket, p.key); got.ETag != obj.etag || got.ServerSideEncryption != engine.EncryptionAlgorithm(obj.sse) || got.Parts != len(obj.content.parts) {
			h.fail("object %v heads as %+v, want ETag %s, encryption %q, %d parts", p, got, obj.etag, obj.sse, len(obj.content.parts))
		}
	}
}

// deleteEverything leaves an empty store, by every way there is.
func (h *history) deleteEverything() {
	for len(h.uploads) > 0 {
		h.abort()
	}
	for p := range h.objects {
		mustDelete(h.t, h.e, p.bucket, p.key)
	}
	if got := tallyOf(h.t, h.e); got != (tally{}) {
		h.fail("the empty store holds %+v", got)
	}
	checkLive(h.t, h.e)
	for b := range h.buckets {
		if _, err := h.e.DeleteBucket(context.Background(), &engine.DeleteBucketRequest{Bucket: b}); err != nil {
			h.fail("DeleteBucket %s: %v", b, err)
		}
	}
}
