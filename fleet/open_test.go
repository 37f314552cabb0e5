package fleet_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
	"github.com/gabion-storage/gabion/index"
)

// TestOpenStores opens stores by their URLs, and finds what they write where these say.
func TestOpenStores(t *testing.T) {
	database, objects := postgres.Start(t), s3server.Start(t)
	s3server.Setenv(t)
	c := fleet.Config{
		Index:  postgres.URL(database.Dir()) + "&schema=here&views=2&patience=5s",
		Chunks: s3server.URL(objects.Addr, "some/where") + "&reads=2&timeout=10s",
	}
	idx, blobs, err := fleet.OpenStores(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer idx.Close()
	defer blobs.Close()
	id, frame := blobtest.Frame(1, 1000)
	ref, err := blobs.Put(t.Context(), id, frame)
	if err != nil {
		t.Fatal(err)
	}
	if err := blobs.Sync(t.Context(), ref.Volume); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(objects.Dir(), "some/where/volumes")); err != nil {
		t.Error(err)
	}
	err = idx.Update(t.Context(), func(tx index.Tx) error { return tx.Put([]byte("k"), nil) })
	if err != nil {
		t.Fatal(err)
	}
	if n := countRows(t, database, "here.records"); n != 1 {
		t.Errorf("the schema has %d records, want 1", n)
	}
}

// TestOpenSilent opens stores whose object store takes connections and says nothing. It fails, though its
// context does not end.
func TestOpenSilent(t *testing.T) {
	s3server.Setenv(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, _, err = fleet.OpenStores(t.Context(), fleet.Config{
		Index:  "postgres:///none",
		Chunks: s3server.URL(silent.Addr().String(), "") + "&timeout=400ms&attempts=4",
	})
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("OpenStores: %v, want a timeout", err)
	}
}

// TestOpen opens two nodes: each reads what the other has written. The name of one that is open is
// refused.
func TestOpen(t *testing.T) {
	database, objects := postgres.Start(t), s3server.Start(t)
	s3server.Setenv(t)
	o := &engine.Options{Lease: time.Second}
	open := func(node string) (*engine.Engine, error) {
		return fleet.Open(t.Context(), fleet.Config{
			Index: postgres.URL(database.Dir()), Chunks: s3server.URL(objects.Addr, ""), Node: node,
		}, o)
	}
	if _, err := open(""); !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("Open without a name: %v, want ErrInvalidArgument", err)
	}
	a, err := open("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := open("b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open("a"); !errors.Is(err, engine.ErrInUse) {
		t.Errorf("Open of a name that is taken: %v, want ErrInUse", err)
	}
	putAndGet(t, a, b)
	putAndGet(t, b, a)
	for _, e := range []*engine.Engine{a, b} {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if o.Node != "" {
		t.Errorf("Open has changed the caller's options: Node is %q", o.Node)
	}
}

// TestFullVolumesStay: volumes that are as large as the object store's become, and in which everything
// lives, are not copied, however small that is for an engine by itself. Each object is one chunk of the
// default size, in one volume.
func TestFullVolumesStay(t *testing.T) {
	database, objects := postgres.Start(t), s3server.Start(t)
	s3server.Setenv(t)
	e, err := fleet.Open(t.Context(), fleet.Config{
		Index:  postgres.URL(database.Dir()),
		Chunks: s3server.URL(objects.Addr, "") + "&volume-size=1048576", Node: "a",
	}, &engine.Options{Lease: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: "bucket"}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		body := make([]byte, 1<<20)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(body)
		_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{
			Bucket: "bucket", Key: strconv.Itoa(i), Body: bytes.NewReader(body),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// Something must be dead, or no round begins: after it, all volumes are known.
	for range 2 {
		_, err := e.DeleteObject(t.Context(), &engine.DeleteObjectRequest{Bucket: "bucket", Key: "0"})
		if err != nil {
			t.Fatal(err)
		}
		res, err := e.Reclaim(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.Volumes > 1 { // that of the object
			t.Errorf("%d volumes were copied or removed, of which one was dead", res.Volumes)
		}
	}
}

// putAndGet stores an object through one engine, and reads it through another.
func putAndGet(t *testing.T, one, other *engine.Engine) {
	t.Helper()
	body := bytes.Repeat([]byte("gabion"), 20_000)
	_, err := one.CreateBucket(
		t.Context(), &engine.CreateBucketRequest{Bucket: "bucket", IfAbsent: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	_, err = one.PutObject(t.Context(), &engine.PutObjectRequest{
		Bucket: "bucket", Key: "key", Body: bytes.NewReader(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	obj, err := other.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key"})
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	got, err := io.ReadAll(obj)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("read %d bytes, %v; want the %d that were put", len(got), err, len(body))
	}
}

// TestUnreachable opens stores of which one is not there. The error says which.
func TestUnreachable(t *testing.T) {
	database, objects := postgres.Start(t), s3server.Start(t)
	s3server.Setenv(t)
	good := fleet.Config{
		Index: postgres.URL(database.Dir()), Chunks: s3server.URL(objects.Addr, ""),
	}
	open := func(c fleet.Config) error {
		idx, blobs, err := fleet.OpenStores(t.Context(), c)
		if err == nil {
			t.Error("OpenStores succeeds")
			_, _ = idx.Close(), blobs.Close()
		}
		return err
	}
	noDatabase, noBucket := good, good
	noDatabase.Index = postgres.URL(t.TempDir()) + "&patience=1s"
	if err := open(noDatabase); !errors.Is(err, index.ErrUnavailable) {
		t.Errorf("without a database: %v, want ErrUnavailable", err)
	}
	noBucket.Chunks = strings.Replace(good.Chunks, s3server.Bucket, "nobodys", 1)
	err := open(noBucket)
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || answer.HTTPStatusCode() != http.StatusNotFound ||
		!strings.Contains(err.Error(), "nobodys") {
		t.Errorf("without a bucket: %v, want 404 of nobodys", err)
	}
}

func countRows(t *testing.T, server *postgres.Server, table string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
