package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// minPart is the smallest part that Complete takes in front of others.
const minPart = 100 << 10

// A world is a store, in memory, in which the facts can be shown. bucket has the rules of OSS,
// s3-bucket those of S3. In each there is an object "there" and an upload of "key" that is open; of
// the other uploads the names in ids say what is special.
type world struct {
	t      *testing.T // of the fact that is being shown
	e      *engine.Engine
	blobs  *damagedBlobs
	now    time.Time // by the engine's clock
	bucket string    // that the helpers for facts use
	ring   *crypto.Keyring
	keyID  string // of a key that encrypts

	object *engine.CompleteMultipartUploadResult // of bucket/there
	ids    map[string]string                     // upload ids by what has become of them
	etags  map[string]map[int]string             // of the parts of an upload
}

// kms is a key provider with keys that are not to be used.
type kms struct{ *crypto.Keyring }

func (k kms) Generate(ctx context.Context, keyID string) (crypto.DataKey, crypto.WrappedKey, error) {
	refused := map[string]error{
		"disabled": crypto.ErrKeyDisabled, "awaits deletion": crypto.ErrKeyPendingDeletion,
		"awaits import": crypto.ErrKeyPendingImport, "of somebody else": crypto.ErrAccessDenied,
	}
	if err := refused[keyID]; err != nil {
		return crypto.DataKey{}, crypto.WrappedKey{}, fmt.Errorf("kms: %w", err)
	}
	return k.Keyring.Generate(ctx, keyID)
}

// The keys of two clients.
var (
	clientKey  = crypto.CustomerKey(random(100, crypto.CustomerKeySize))
	anotherKey = crypto.CustomerKey(random(101, crypto.CustomerKeySize))
)

func newWorld(t *testing.T, ring *crypto.Keyring) *world {
	t.Helper()
	w := &world{
		t: t, blobs: &damagedBlobs{Memory: blob.NewMemory(0)}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), bucket: "bucket", ring: ring,
		ids:   map[string]string{"unknown": "3FCE26176063453E8D80917962C936FE", "malformed": "nonexistent-upload-id"},
		etags: map[string]map[int]string{},
	}
	o := &engine.Options{Keys: kms{ring}, ChunkSize: 64 << 10, Clock: func() time.Time { return w.now }}
	var err error
	if w.keyID, err = ring.CurrentKeyID(context.Background()); err != nil {
		t.Fatal(err)
	}
	if w.e, err = engine.OpenStores(t.Context(), index.NewMemory(), w.blobs, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkStore(t, w.e)
		if err := w.e.Close(); err != nil {
			t.Error(err)
		}
	})
	for bucket, rules := range map[string]engine.Rules{"bucket": engine.OSS, "other-bucket": engine.OSS, "s3-bucket": engine.S3} {
		if _, err := w.e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: bucket, Rules: rules}); err != nil {
			t.Fatal(err)
		}
	}
	w.object = mustObject(t, w.e, "bucket", "there", "", []byte("content"))
	mustObject(t, w.e, "s3-bucket", "there", "", []byte("content"))
	mustPut(t, w.e, engine.PutObjectRequest{Key: "put", Body: strings.NewReader("content")})
	mustPut(t, w.e, engine.PutObjectRequest{Key: "of a client", Body: strings.NewReader("content"), EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: clientKey}})
	w.openUploads()
	w.endUploads()
	return w
}

// openUploads begins uploads: a small part is 2 of "open" and 1 of "overwriting".
func (w *world) openUploads() {
	w.t.Helper()
	w.begin("open", engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"}, map[int]int{1: minPart, 2: minPart - 1, 4: minPart})
	w.begin("overwriting", engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "there"}, map[int]int{1: 1, 2: 2})
	w.begin("sequential", engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", Sequential: true}, map[int]int{1: 1, 2: 2})
	w.begin("of a client", engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: clientKey}}, nil)
	w.begin("with SHA256", engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key", Checksum: engine.Checksum{Algorithm: "SHA256"}}, map[int]int{1: 1})
	w.begin("of another key", engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "another"}, nil)
	w.begin("of another bucket", engine.InitiateMultipartUploadRequest{Bucket: "other-bucket", Key: "key"}, nil)
	w.begin("s3 open", engine.InitiateMultipartUploadRequest{Bucket: "s3-bucket", Key: "key"}, map[int]int{1: minPart, 2: minPart})
	w.begin("s3 without parts", engine.InitiateMultipartUploadRequest{Bucket: "s3-bucket", Key: "key"}, nil)
	w.begin("s3 with SHA256", engine.InitiateMultipartUploadRequest{Bucket: "s3-bucket", Key: "key", Checksum: engine.Checksum{Algorithm: "SHA256"}}, map[int]int{1: 1})
	w.begin("s3 overwriting", engine.InitiateMultipartUploadRequest{Bucket: "s3-bucket", Key: "there"}, map[int]int{1: 1})
	w.ids["in lower case"] = strings.ToLower(w.ids["open"])
}

// endUploads completes and aborts uploads.
func (w *world) endUploads() {
	w.t.Helper()
	w.begin("completed", engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"}, map[int]int{1: 1})
	w.begin("s3 completed", engine.InitiateMultipartUploadRequest{Bucket: "s3-bucket", Key: "key"}, map[int]int{1: 1})
	for bucket, upload := range map[string]string{"bucket": "completed", "s3-bucket": "s3 completed"} {
		mustComplete(w.t, w.e, bucket, "key", w.ids[upload])
		mustDelete(w.t, w.e, bucket, "key")
	}
	w.begin("aborted", engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"}, nil)
	if err := abort("aborted")(w); err != nil {
		w.t.Fatal(err)
	}
}

// begin begins an upload with parts of these sizes by number, under a name for it. The parts must
// go in ascending order to be sequential.
func (w *world) begin(name string, req engine.InitiateMultipartUploadRequest, sizes map[int]int) {
	w.t.Helper()
	up, err := w.e.InitiateMultipartUpload(context.Background(), &req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.ids[name], w.etags[name] = up.UploadID, map[int]string{}
	for n := 1; len(w.etags[name]) < len(sizes); n++ {
		if size, ok := sizes[n]; ok {
			w.etags[name][n] = mustPart(w.t, w.e, req.Bucket, req.Key, up.UploadID, n, random(uint64(n), size)).ETag
		}
	}
}

// A state is what a refusal must not change.
type state struct {
	tally   tally
	uploads []string
	parts   [][]engine.Part
	objects []string
}

func (w *world) state() state {
	w.t.Helper()
	s := state{tally: tallyOf(w.t, w.e)}
	for _, bucket := range []string{"bucket", "other-bucket", "s3-bucket"} {
		for up, err := range w.e.Uploads(context.Background(), &engine.ListMultipartUploadsRequest{Bucket: bucket}) {
			if err != nil {
				w.t.Fatal(err)
			}
			s.uploads = append(s.uploads, fmt.Sprintf("%+v", up))
			s.parts = append(s.parts, partsOf(w.t, w.e, bucket, up.Key, up.UploadID))
		}
		for obj, err := range w.e.Objects(context.Background(), &engine.ListObjectsRequest{Bucket: bucket}) {
			if err != nil {
				w.t.Fatal(err)
			}
			s.objects = append(s.objects, fmt.Sprintf("%+v", obj))
		}
	}
	return s
}

// The requests of refusals name bucket/key unless they say otherwise, and uploads by what has
// become of them. What is read and copied is bucket/there.

// call is an operation that has no defaults.
func call[Request, Result any](op func(*engine.Engine, context.Context, *Request) (Result, error), req Request) func(*world) error {
	return func(w *world) error {
		_, err := op(w.e, context.Background(), &req)
		return err
	}
}

func initiate(req engine.InitiateMultipartUploadRequest) func(*world) error {
	req.Bucket, req.Key = orElse(req.Bucket, "bucket"), orElse(req.Key, "key")
	return call((*engine.Engine).InitiateMultipartUpload, req)
}

// initiateKeyless asks an engine without Options.Keys.
func initiateKeyless(sse string) func(*world) error {
	return func(w *world) error {
		e, _ := memoryStore(w.t, nil)
		mustBucket(w.t, e, "bucket")
		return initiate(engine.InitiateMultipartUploadRequest{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})(&world{e: e})
	}
}

// initiateNewer asks for an upload in a bucket that a newer version made.
func initiateNewer(b index.Bucket) func(*world) error {
	return func(w *world) error {
		e, idx := memoryStore(w.t, nil)
		put(w.t, idx, func(tx index.Tx) error { return index.Put(tx, index.BucketKey("bucket"), &b) })
		return initiate(engine.InitiateMultipartUploadRequest{})(&world{e: e})
	}
}

func part(req engine.UploadPartRequest) func(*world) error {
	return func(w *world) error {
		req.Bucket, req.Key, req.UploadID = orElse(req.Bucket, "bucket"), orElse(req.Key, "key"), w.ids[req.UploadID]
		return call((*engine.Engine).UploadPart, req)(w)
	}
}

// partCutOff ends the context of a call whose body does not end.
func partCutOff(w *world) error {
	ctx, cancel := context.WithCancel(context.Background())
	body := stalling(w.t, []byte("some"))
	go func() { <-body.stalled; cancel() }()
	_, err := w.e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: w.ids["open"], PartNumber: 1, Body: body})
	return err
}

func partCopy(req engine.UploadPartCopyRequest) func(*world) error {
	return func(w *world) error {
		req.Bucket, req.Key, req.UploadID = orElse(req.Bucket, "bucket"), orElse(req.Key, "key"), w.ids[orElse(req.UploadID, "open")]
		req.PartNumber = max(req.PartNumber, 1)
		if req.SourceKey == "" {
			req.SourceBucket, req.SourceKey = orElse(req.SourceBucket, "bucket"), "there"
		}
		return call((*engine.Engine).UploadPartCopy, req)(w)
	}
}

// complete lists these parts of the upload, with their right ETags, behind what req lists.
func complete(req engine.CompleteMultipartUploadRequest, numbers ...int) func(*world) error {
	return func(w *world) error {
		for _, n := range numbers {
			req.Parts = append(req.Parts, engine.CompletedPart{PartNumber: n, ETag: w.etags[req.UploadID][n]})
		}
		req.Bucket, req.Key, req.UploadID = orElse(req.Bucket, "bucket"), orElse(req.Key, "key"), w.ids[req.UploadID]
		return call((*engine.Engine).CompleteMultipartUpload, req)(w)
	}
}

func abort(id string) func(*world) error { return abortIn("bucket", id) }

func abortIn(bucket, id string) func(*world) error {
	return func(w *world) error {
		return call((*engine.Engine).AbortMultipartUpload, engine.AbortMultipartUploadRequest{Bucket: bucket, Key: "key", UploadID: w.ids[id]})(w)
	}
}

func listParts(req engine.ListPartsRequest) func(*world) error {
	return func(w *world) error {
		req.Bucket, req.Key, req.UploadID = orElse(req.Bucket, "bucket"), orElse(req.Key, "key"), w.ids[req.UploadID]
		return call((*engine.Engine).ListParts, req)(w)
	}
}

func headObject(req engine.HeadObjectRequest) func(*world) error {
	req.Bucket, req.Key = orElse(req.Bucket, "bucket"), orElse(req.Key, "there")
	return call((*engine.Engine).HeadObject, req)
}

func getObject(req engine.GetObjectRequest) func(*world) error {
	return func(w *world) error {
		_, _, err := w.get(req)
		return err
	}
}

// getDamaged reads what the disk does not give back as it was: an object of its own, which is
// deleted then, since the damage is remembered.
func getDamaged(w *world) error {
	mustObject(w.t, w.e, "bucket", "damaged", "", []byte("content that is damaged"))
	defer mustDelete(w.t, w.e, "bucket", "damaged")
	w.blobs.damaged.Store(true)
	defer w.blobs.damaged.Store(false)
	return getObject(engine.GetObjectRequest{Key: "damaged"})(w)
}

func putObject(req engine.PutObjectRequest) func(*world) error {
	req.Bucket, req.Key = orElse(req.Bucket, "bucket"), orElse(req.Key, "there")
	return call((*engine.Engine).PutObject, req)
}

func copyObject(req engine.CopyObjectRequest) func(*world) error {
	req.Bucket, req.Key = orElse(req.Bucket, "bucket"), orElse(req.Key, "copy")
	if req.SourceKey == "" {
		req.SourceBucket, req.SourceKey = orElse(req.SourceBucket, "bucket"), "there"
	}
	return call((*engine.Engine).CopyObject, req)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// manyMetadata has n entries with names of three letters.
func manyMetadata(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("%03x", i)] = ""
	}
	return m
}

func manyTags(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint(i)] = "v"
	}
	return m
}

// partsOf lists all parts of an upload.
func partsOf(t testing.TB, e *engine.Engine, bucket, key, id string) []engine.Part {
	t.Helper()
	res, err := e.ListParts(context.Background(), &engine.ListPartsRequest{Bucket: bucket, Key: key, UploadID: id})
	if err != nil {
		t.Fatalf("ListParts: %v", err)
	}
	return res.Parts
}

// What follows is for the facts that succeed. An upload of theirs is of "new" in the world's
// bucket, where nothing else is. What cannot fail ends the test if it does.

// same says how got and want differ.
func same[T any](got, want T) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("got %+v, want %+v", got, want)
}

// fails wants this error.
func fails(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("got the error %v, want %v", err, want)
}

// upload begins an upload with these parts, numbered from 1.
func (w *world) upload(parts ...[]byte) (id string) {
	w.t.Helper()
	return w.uploadOf(engine.InitiateMultipartUploadRequest{}, parts...)
}

func (w *world) uploadOf(req engine.InitiateMultipartUploadRequest, parts ...[]byte) (id string) {
	w.t.Helper()
	req.Bucket, req.Key = w.bucket, orElse(req.Key, "new")
	up, err := w.e.InitiateMultipartUpload(context.Background(), &req)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, body := range parts {
		w.part(up.UploadID, i+1, body)
	}
	return up.UploadID
}

func (w *world) part(id string, n int, body []byte) *engine.UploadPartResult {
	w.t.Helper()
	return mustPart(w.t, w.e, w.bucket, "new", id, n, body)
}

func (w *world) parts(id string) []engine.Part {
	w.t.Helper()
	return partsOf(w.t, w.e, w.bucket, "new", id)
}

// copied copies bucket/there to a part, unless the request says otherwise.
func (w *world) copied(id string, req engine.UploadPartCopyRequest) *engine.UploadPartCopyResult {
	w.t.Helper()
	req.Bucket, req.Key, req.UploadID, req.PartNumber = w.bucket, "new", id, max(req.PartNumber, 1)
	req.SourceBucket, req.SourceKey = orElse(req.SourceBucket, "bucket"), orElse(req.SourceKey, "there")
	res, err := w.e.UploadPartCopy(context.Background(), &req)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// complete completes with these parts, or all.
func (w *world) complete(id string, numbers ...int) *engine.CompleteMultipartUploadResult {
	w.t.Helper()
	return mustComplete(w.t, w.e, w.bucket, "new", id, w.list(id, numbers...)...)
}

// list lists these parts with their ETags.
func (w *world) list(id string, numbers ...int) (list []engine.CompletedPart) {
	w.t.Helper()
	etags := map[int]string{}
	for _, p := range w.parts(id) {
		etags[p.PartNumber] = p.ETag
	}
	for _, n := range numbers {
		list = append(list, engine.CompletedPart{PartNumber: n, ETag: etags[n]})
	}
	return list
}

// tryComplete completes with all parts unless req lists some.
func (w *world) tryComplete(id string, req engine.CompleteMultipartUploadRequest) (*engine.CompleteMultipartUploadResult, error) {
	req.Bucket, req.Key, req.UploadID, req.All = w.bucket, "new", id, req.Parts == nil
	return w.e.CompleteMultipartUpload(context.Background(), &req)
}

func (w *world) uploads(req engine.ListMultipartUploadsRequest) (*engine.ListMultipartUploadsResult, error) {
	req.Bucket = w.bucket
	return w.e.ListMultipartUploads(context.Background(), &req)
}

// namesOfUploads are the keys and ids of the uploads listed.
func namesOfUploads(list *engine.ListMultipartUploadsResult) (names []string) {
	for _, up := range list.Uploads {
		names = append(names, up.Key+" "+up.UploadID)
	}
	return names
}

func (w *world) abort(id string) error {
	_, err := w.e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{Bucket: w.bucket, Key: "new", UploadID: id})
	return err
}

func (w *world) head(key string) *engine.ObjectInfo {
	w.t.Helper()
	return head(w.t, w.e, w.bucket, key)
}

func (w *world) read(key string) []byte {
	w.t.Helper()
	return readAll(w.t, w.e, w.bucket, key)
}

func (w *world) put(req engine.PutObjectRequest) *engine.PutObjectResult {
	w.t.Helper()
	req.Bucket, req.Key = w.bucket, orElse(req.Key, "new")
	return mustPut(w.t, w.e, req)
}

// get reads bucket/there, unless the request says otherwise, to the end.
func (w *world) get(req engine.GetObjectRequest) (obj *engine.Object, content []byte, err error) {
	req.Bucket, req.Key = orElse(req.Bucket, "bucket"), orElse(req.Key, "there")
	if obj, err = w.e.GetObject(context.Background(), &req); err != nil {
		return nil, nil, err
	}
	defer obj.Close()
	content, err = io.ReadAll(obj)
	return obj, content, err
}

// during uploads a part and runs what while its body is under way; it returns how the part ends.
func (w *world) during(id string, n int, body []byte, what func()) error {
	stalled := stalling(w.t, body)
	finished := make(chan error, 1)
	go func() {
		_, err := w.e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: w.bucket, Key: "new", UploadID: id, PartNumber: n, Body: stalled})
		finished <- err
	}()
	<-stalled.stalled
	what()
	stalled.goOn()
	return <-finished
}

// race runs both, again and again in fresh uploads of a part, and wants that one of the two
// succeeds and the other one fails with ErrNoSuchUpload.
func race(one, other func(w *world, id string) error) func(*world) error {
	return func(w *world) error {
		for range 20 {
			id, ends := w.upload([]byte("part")), make(chan error, 2)
			for _, end := range []func(*world, string) error{one, other} {
				go func() { ends <- end(w, id) }()
			}
			first, second := <-ends, <-ends
			if (first == nil) == (second == nil) || !errors.Is(errors.Join(first, second), engine.ErrNoSuchUpload) {
				return fmt.Errorf("one ends with %v, the other with %v", first, second)
			}
		}
		return nil
	}
}

func completing(w *world, id string) error {
	_, err := w.tryComplete(id, engine.CompleteMultipartUploadRequest{})
	return err
}

// s3 shows a fact in the bucket that follows S3's rules.
func s3(do func(*world) error) func(*world) error {
	return func(w *world) error {
		w.bucket = "s3-bucket"
		return do(w)
	}
}

// reads wants this content, of the part that the request asks for, and the digests of the whole.
func reads(req engine.GetObjectRequest, want string, partial bool) func(*world) error {
	return func(w *world) error {
		obj, got, err := w.get(req)
		if err != nil {
			return err
		}
		_, length, part := selected(obj)
		head, err := w.e.HeadObject(context.Background(), &engine.HeadObjectRequest{
			Bucket: obj.Bucket, Key: obj.Key, Range: req.Range, RangeBehavior: req.RangeBehavior, PartNumber: req.PartNumber,
		})
		return errors.Join(
			err, same(string(got), want), same(length, int64(len(want))), same(part, partial), same(obj.ObjectInfo, *head),
		)
	}
}

// heads wants the conditions to hold for bucket/there, which is an hour old.
func heads(c func(w *world) engine.Conditions) func(*world) error {
	return func(w *world) error {
		conditions := c(w)
		w.now = w.now.Add(time.Hour)
		return headObject(engine.HeadObjectRequest{Conditions: conditions})(w)
	}
}

// sizedParts are parts of random bytes.
func sizedParts(sizes ...int) (parts [][]byte) {
	for i, size := range sizes {
		parts = append(parts, random(uint64(i+1), size))
	}
	return parts
}

// largerThanAPart makes an object of more than 5 GiB, nearly all of which is stored only once.
func (w *world) largerThanAPart() (key string) {
	w.t.Helper()
	const size = 64 << 20
	mustPut(w.t, w.e, engine.PutObjectRequest{Key: "zeros", Body: bytes.NewReader(make([]byte, size))})
	id := w.upload()
	for n := 1; n <= engine.MaxPartSize/size+1; n++ {
		w.copied(id, engine.UploadPartCopyRequest{PartNumber: n, SourceKey: "zeros"})
	}
	w.complete(id)
	return "new"
}
