package pgindex_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/pgindex"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

// lastingBlobs is a chunk store that outlives an engine's Close.
type lastingBlobs struct{ *blob.Memory }

func (lastingBlobs) Close() error { return nil }

// openEngine opens an engine. The test's cleanup checks and closes it.
func openEngine(
	t *testing.T, idx index.Store, blobs blob.Store, o *engine.Options,
) *engine.Engine {
	t.Helper()
	e, err := engine.OpenStores(t.Context(), idx, blobs, o)
	if err != nil {
		t.Fatalf("OpenStores: %v", err)
	}
	t.Cleanup(func() {
		res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
		if err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Check: %v", err)
		}
		if res != nil && len(res.Problems) > 0 {
			t.Errorf("Check: %v", res.Problems)
		}
		if err := e.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return e
}

// begin makes a bucket, if it is not there, and begins an upload.
func begin(t *testing.T, e *engine.Engine, bucket, key string) (id string) {
	t.Helper()
	_, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: bucket, IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	up, err := e.InitiateMultipartUpload(
		t.Context(), &engine.InitiateMultipartUploadRequest{Bucket: bucket, Key: key},
	)
	if err != nil {
		t.Fatal(err)
	}
	return up.UploadID
}

// TestEngineWithoutServer makes calls while there is no server. They fail with a 503 that a client
// tries again, and succeed when there is a server again.
func TestEngineWithoutServer(t *testing.T) {
	server := postgres.Start(t)
	idx := openNode(t, server.DSN(), &pgindex.Options{Patience: time.Second})
	e := openEngine(t, idx, blob.NewMemory(0), nil)
	begin(t, e, "bucket", "key")
	put := func() error {
		_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key"})
		return err
	}
	server.Kill()
	var told *engine.Error
	err := put()
	if !errors.As(err, &told) || told.HTTPStatus != 503 || !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("PutObject without a server: %v, want ErrUnavailable", err)
	}
	server.Run()
	if err := put(); err != nil {
		t.Errorf("PutObject with the server there again: %v", err)
	}
}

// TestEngine lives a random history of an engine over the index beside a map of its objects, and
// opens it again now and then.
func TestEngine(t *testing.T) {
	server := postgres.Start(t)
	seed := indextest.Seed(t)
	m := &model{
		T: t, dsn: server.DSN(), blobs: lastingBlobs{blob.NewMemory(1 << 20)},
		rng: rand.New(rand.NewPCG(seed, 0)), objects: map[string][]byte{},
	}
	m.open()
	for step := range 200 {
		if step%50 == 49 {
			m.open()
		}
		m.step()
	}
	m.compare()
}

// A model is an engine, and the objects that it must have.
type model struct {
	*testing.T
	dsn     string
	blobs   blob.Store
	rng     *rand.Rand
	e       *engine.Engine
	objects map[string][]byte
}

const modelBucket = "bucket"

func (m *model) open() {
	m.Helper()
	if m.e != nil {
		if err := m.e.Close(); err != nil {
			m.Fatal(err)
		}
	}
	m.e = openEngine(m.T, openNode(m.T, m.dsn, nil), m.blobs, &engine.Options{ChunkSize: 4 << 10})
}

func (m *model) step() {
	m.Helper()
	key := fmt.Sprint("key", m.rng.IntN(8))
	var err error
	switch m.rng.IntN(6) {
	case 0, 1:
		err = m.upload(key)
	case 2:
		_, err = m.e.DeleteObject(m.Context(), &engine.DeleteObjectRequest{Bucket: modelBucket, Key: key})
		if errors.Is(err, engine.ErrNoSuchBucket) {
			err = nil
		}
		delete(m.objects, key)
	case 3:
		err = m.copy(fmt.Sprint("key", m.rng.IntN(8)), key)
	case 4:
		m.compare()
	case 5:
		_, err = m.e.Reclaim(m.Context(), &engine.ReclaimRequest{})
	}
	if err != nil {
		m.Fatal(err)
	}
}

// upload makes an object of up to three parts, or gives it up.
func (m *model) upload(key string) error {
	at := engine.AbortMultipartUploadRequest{
		Bucket: modelBucket, Key: key, UploadID: begin(m.T, m.e, modelBucket, key),
	}
	var whole []byte
	for n := range m.rng.IntN(3) + 1 {
		body := m.body()
		_, err := m.e.UploadPart(m.Context(), &engine.UploadPartRequest{
			Bucket: at.Bucket, Key: at.Key, UploadID: at.UploadID, PartNumber: n + 1,
			Body: bytes.NewReader(body),
		})
		if err != nil {
			return err
		}
		whole = append(whole, body...)
	}
	if m.rng.IntN(4) == 0 {
		_, err := m.e.AbortMultipartUpload(m.Context(), &at)
		return err
	}
	_, err := m.e.CompleteMultipartUpload(m.Context(), &engine.CompleteMultipartUploadRequest{
		Bucket: at.Bucket, Key: at.Key, UploadID: at.UploadID, All: true,
	})
	m.objects[key] = whole
	return err
}

// body returns 100 KiB or more, of few different blocks.
func (m *model) body() []byte {
	var body []byte
	for range 25 + m.rng.IntN(10) {
		block := make([]byte, 4<<10)
		_, _ = rand.NewChaCha8([32]byte{byte(m.rng.IntN(100))}).Read(block)
		body = append(body, block...)
	}
	return body
}

func (m *model) copy(from, to string) error {
	source, there := m.objects[from]
	_, err := m.e.CopyObject(m.Context(), &engine.CopyObjectRequest{
		SourceBucket: modelBucket, SourceKey: from, Bucket: modelBucket, Key: to,
	})
	if !there && (errors.Is(err, engine.ErrNoSuchKey) || errors.Is(err, engine.ErrNoSuchBucket)) {
		return nil
	}
	m.objects[to] = source
	return err
}

// compare lists and reads everything.
func (m *model) compare() {
	m.Helper()
	list, err := m.e.ListObjects(m.Context(), &engine.ListObjectsRequest{Bucket: modelBucket})
	if errors.Is(err, engine.ErrNoSuchBucket) && len(m.objects) == 0 {
		return
	}
	if err != nil {
		m.Fatal(err)
	}
	var keys []string
	for _, o := range list.Objects {
		keys = append(keys, o.Key)
	}
	if want := slices.Sorted(maps.Keys(m.objects)); !slices.Equal(keys, want) {
		m.Fatalf("the bucket has %q, want %q", keys, want)
	}
	for key, want := range m.objects {
		if got := m.read(key); !bytes.Equal(got, want) {
			m.Fatalf("%s reads back as %d bytes, want other %d", key, len(got), len(want))
		}
	}
}

func (m *model) read(key string) []byte {
	m.Helper()
	obj, err := m.e.GetObject(m.Context(), &engine.GetObjectRequest{Bucket: modelBucket, Key: key})
	if err != nil {
		m.Fatal(err)
	}
	defer obj.Close()
	body, err := io.ReadAll(obj)
	if err != nil {
		m.Fatal(err)
	}
	return body
}
