package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// said is what the objects of TestChangeInPlace are made with.
var said = engine.Attributes{
	ContentType: "text/plain", ContentLanguage: "de, en", WebsiteRedirect: "/elsewhere", StorageClass: "IA",
	Metadata: map[string]string{"m": "1"}, Tags: map[string]string{"t": "1"}, Annotations: map[string]string{"acl": "private"},
}

// protected are objects under every kind of key. It returns the client's key of those that have one.
func protected(t *testing.T, e *engine.Engine) map[string]crypto.CustomerKey {
	t.Helper()
	mustBucket(t, e, "bucket")
	for key, enc := range map[string]engine.EncryptionRequest{
		"plain": {}, "AES256": {ServerSideEncryption: "AES256"}, "KMS": {ServerSideEncryption: "KMS"}, "client": {SSECustomerKey: clientKey},
	} {
		mustPut(t, e, engine.PutObjectRequest{Key: key, Body: strings.NewReader("content"), Attributes: said, EncryptionRequest: enc})
	}
	up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{
		Bucket: "bucket", Key: "completed without the key", Attributes: said, EncryptionRequest: engine.EncryptionRequest{SSECustomerKey: clientKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.UploadPart(t.Context(), &engine.UploadPartRequest{
		Bucket: "bucket", Key: up.Key, UploadID: up.UploadID, PartNumber: 1, Body: strings.NewReader("content"), SSECustomerKey: clientKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	mustComplete(t, e, "bucket", up.Key, up.UploadID)
	return map[string]crypto.CustomerKey{"plain": nil, "AES256": nil, "KMS": nil, "client": clientKey, up.Key: clientKey}
}

// TestChangeInPlace changes tags and annotations of objects under every kind of key. All else stays,
// the objects are as well protected as before, and what somebody else has changed is not made good.
func TestChangeInPlace(t *testing.T) {
	for _, authenticated := range []bool{false, true} {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		e, idx := memoryStore(t, &engine.Options{Keys: keys(t), AuthenticateRecords: authenticated, Clock: func() time.Time { return now }})
		for key, customer := range protected(t, e) {
			t.Run(fmt.Sprint(key, authenticated), func(t *testing.T) {
				before := headWith(t, e, key, customer)
				if !reflect.DeepEqual(before.Attributes, said) {
					t.Errorf("the object was made with %+v, want %+v", before.Attributes, said)
				}
				now = now.Add(time.Hour)
				tags, notes := map[string]string{"t": "2", "u": ""}, map[string]string{"acl": "public\nread", "": "\x00"}
				_, err1 := e.PutObjectTagging(t.Context(), &engine.PutObjectTaggingRequest{Bucket: "bucket", Key: key, Tags: tags, SSECustomerKey: customer})
				_, err2 := e.PutObjectAnnotations(t.Context(), &engine.PutObjectAnnotationsRequest{Bucket: "bucket", Key: key, Annotations: notes, SSECustomerKey: customer})
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				want := *before
				want.Tags, want.Annotations = maps.Clone(tags), maps.Clone(notes)
				clear(tags) // the caller's again
				clear(notes)
				if got := headWith(t, e, key, customer); !reflect.DeepEqual(got, &want) {
					t.Errorf("the object is\n%+v, want\n%+v", got, &want)
				}
				if err := openWith(e, key, customer); err != nil {
					t.Errorf("reading it: %v", err)
				}
				got, err := e.GetObjectTagging(t.Context(), &engine.GetObjectTaggingRequest{Bucket: "bucket", Key: key})
				if err != nil || !maps.Equal(got.Tags, want.Tags) {
					t.Errorf("GetObjectTagging: %+v, %v", got, err)
				}
				_, err = e.DeleteObjectTagging(t.Context(), &engine.DeleteObjectTaggingRequest{Bucket: "bucket", Key: key, SSECustomerKey: customer})
				if got := headWith(t, e, key, customer); err != nil || got.Tags != nil || got.Annotations == nil {
					t.Errorf("DeleteObjectTagging: %+v, %v", got, err)
				}
				checkStore(t, e)
				if authenticated || key != "plain" {
					forge(t, e, idx, key, customer)
				}
			})
		}
	}
}

// forge changes what is said of an object as one does who writes the disk.
func forge(t *testing.T, e *engine.Engine, idx index.Store, key string, customer crypto.CustomerKey) {
	t.Helper()
	for what, change := range map[string]func(*index.Attributes){
		"tags":              func(a *index.Attributes) { a.Tags = map[string]string{"t": "3"} },
		"language":          func(a *index.Attributes) { a.ContentLanguage = "" },
		"redirect":          func(a *index.Attributes) { a.WebsiteRedirect = "http://evil" },
		"annotations":       func(a *index.Attributes) { a.Annotations = nil },
		"all that is of v2": func(a *index.Attributes) { a.ContentLanguage, a.WebsiteRedirect, a.Annotations = "", "", nil },
	} {
		var good index.Object
		put(t, idx, func(tx index.Tx) (err error) {
			if good, err = index.Get(tx, index.ObjectKey("bucket", key)); err != nil {
				return err
			}
			bad := good
			change(&bad.Attributes)
			return index.Put(tx, index.ObjectKey("bucket", key), &bad)
		})
		_, err := e.PutObjectTagging(t.Context(), &engine.PutObjectTaggingRequest{Bucket: "bucket", Key: key, SSECustomerKey: customer})
		for op, err := range map[string]error{"reading": openWith(e, key, customer), "tagging": err} {
			if _, corrupt := errors.AsType[*engine.CorruptionError](err); !corrupt {
				t.Errorf("%s with forged %s: %v, want a CorruptionError", op, what, err)
			}
		}
		put(t, idx, func(tx index.Tx) error { return index.Put(tx, index.ObjectKey("bucket", key), &good) })
	}
}

func headWith(t *testing.T, e *engine.Engine, key string, customer crypto.CustomerKey) *engine.ObjectInfo {
	t.Helper()
	info, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: key, SSECustomerKey: customer})
	if err != nil {
		t.Fatalf("HeadObject of %s: %v", key, err)
	}
	return info
}

func openWith(e *engine.Engine, key string, customer crypto.CustomerKey) error {
	obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: key, SSECustomerKey: customer})
	if err != nil {
		return err
	}
	return obj.Close()
}

// TestTagWhileOverwritten overwrites an object just before it is tagged: the tags are the new
// object's, whatever its keys.
func TestTagWhileOverwritten(t *testing.T) {
	idx := &hookedIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{Keys: keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: strings.NewReader("old")})
	overwrite := func() {
		mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: strings.NewReader("new"), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}})
	}
	idx.before.Store(&overwrite)
	if _, err := e.PutObjectTagging(t.Context(), &engine.PutObjectTaggingRequest{Bucket: "bucket", Key: "key", Tags: map[string]string{"t": "1"}}); err != nil {
		t.Fatal(err)
	}
	if got := head(t, e, "bucket", "key"); got.Tags["t"] != "1" || string(readAll(t, e, "bucket", "key")) != "new" {
		t.Errorf("the object is %+v", got)
	}
	checkStore(t, e)
}

// An overwrittenIndex runs a function before each Update of a call whose context is marked.
type overwrittenIndex struct {
	*index.Memory
	overwrite func()
}

type overwrittenMark struct{}

func (o *overwrittenIndex) Update(ctx context.Context, fn func(index.Tx) error) error {
	if ctx.Value(overwrittenMark{}) != nil {
		o.overwrite()
	}
	return o.Memory.Update(ctx, fn)
}

// TestTagWhileOverwrittenForever overwrites an object before each commit of its tags: that is given
// up with an error that says to try again.
func TestTagWhileOverwrittenForever(t *testing.T) {
	idx := &overwrittenIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: strings.NewReader("old")})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), overwrittenMark{}, true))
	defer cancel()
	overwritten := 0
	idx.overwrite = func() {
		mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: strings.NewReader("new")})
		if overwritten++; overwritten == 1000 {
			cancel()
		}
	}
	_, err = e.PutObjectTagging(ctx, &engine.PutObjectTaggingRequest{Bucket: "bucket", Key: "key", Tags: map[string]string{"t": "1"}})
	if !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("after %d overwrites: %v", overwritten, err)
	}
	if got := head(t, e, "bucket", "key").Tags; len(got) != 0 {
		t.Errorf("the object has the tags %v", got)
	}
}

// TestCopyWhileTagged tags the source of a copy just before the copy is committed: it is of the
// source at that moment.
func TestCopyWhileTagged(t *testing.T) {
	idx := &hookedIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	mustPut(t, e, engine.PutObjectRequest{Key: "source", Body: strings.NewReader("content")})
	tag := func() {
		_, err := e.PutObjectTagging(t.Context(), &engine.PutObjectTaggingRequest{Bucket: "bucket", Key: "source", Tags: map[string]string{"t": "1"}})
		if err != nil {
			t.Error(err)
		}
	}
	idx.before.Store(&tag)
	mustCopy(t, e, engine.CopyObjectRequest{Key: "copy", SourceKey: "source"})
	if got := head(t, e, "bucket", "copy").Tags; got["t"] != "1" {
		t.Errorf("the copy has the tags %v", got)
	}
}

// TestBucketAnnotations keeps a front end's own with a bucket.
func TestBucketAnnotations(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, nil)
	notes := map[string]string{"owner": "me", "acl": ""}
	if _, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: "bucket", Annotations: notes}); err != nil {
		t.Fatal(err)
	}
	check := func(want map[string]string) {
		t.Helper()
		list, err := e.ListBuckets(t.Context(), nil)
		if err != nil || len(list.Buckets) != 1 || !maps.Equal(list.Buckets[0].Annotations, want) {
			t.Errorf("ListBuckets: %+v, %v, want %v", list, err, want)
		}
	}
	check(notes)
	changed := map[string]string{"owner": "you"}
	if _, err := e.PutBucketAnnotations(t.Context(), &engine.PutBucketAnnotationsRequest{Bucket: "bucket", Annotations: changed}); err != nil {
		t.Fatal(err)
	}
	e.Close()
	e = open(t, dir, nil)
	check(changed)
	if _, err := e.PutBucketAnnotations(t.Context(), &engine.PutBucketAnnotationsRequest{Bucket: "bucket"}); err != nil {
		t.Fatal(err)
	}
	check(nil)
}

// TestAnnotationsAtComplete adds annotations to an upload's when it is completed.
func TestAnnotationsAtComplete(t *testing.T) {
	e := openTemp(t, &engine.Options{Keys: keys(t)})
	mustBucket(t, e, "bucket")
	complete := func(key string, with engine.EncryptionRequest, customer crypto.CustomerKey, notes map[string]string) error {
		up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{
			Bucket: "bucket", Key: key, EncryptionRequest: with,
			Attributes: engine.Attributes{Annotations: map[string]string{"owner": "me", "acl": "old"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.CompleteMultipartUpload(t.Context(), &engine.CompleteMultipartUploadRequest{
			Bucket: "bucket", Key: key, UploadID: up.UploadID, Annotations: notes, SSECustomerKey: customer,
		})
		return err
	}
	customer := crypto.CustomerKey(random(1, 32))
	notes := map[string]string{"acl": "new", "x": "y"}
	want := map[string]string{"owner": "me", "acl": "new", "x": "y"}
	for key, with := range map[string]engine.EncryptionRequest{
		"plain": {}, "sealed": {ServerSideEncryption: "AES256"}, "customer": {SSECustomerKey: customer},
	} {
		if err := complete(key, with, with.SSECustomerKey, notes); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if got := headWith(t, e, key, with.SSECustomerKey).Annotations; !maps.Equal(got, want) {
			t.Errorf("%s has the annotations %v, want %v", key, got, want)
		}
		if err := openWith(e, key, with.SSECustomerKey); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := complete("no key", engine.EncryptionRequest{SSECustomerKey: customer}, nil, notes); !errors.Is(err, engine.ErrInvalidRequest) {
		t.Errorf("without the client's key: %v", err)
	}
	long := map[string]string{"x": strings.Repeat("y", 8<<10)}
	if err := complete("long", engine.EncryptionRequest{}, nil, long); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("of more than 8 KiB: %v", err)
	}
}
