package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// managedChunk is the chunk size of these tests: a part of minPart has six whole chunks and some.
const managedChunk = 16 << 10

// managedStore opens a store with a bucket.
func managedStore(t *testing.T) *engine.Engine {
	e := openTemp(t, &engine.Options{ChunkSize: managedChunk})
	mustBucket(t, e, "bucket")
	return e
}

// An onlyReader hides everything of a body but Read.
type onlyReader struct{ io.Reader }

// cut cuts data into parts of minPart.
func cut(data []byte) (parts [][]byte) {
	parts = slices.Collect(slices.Chunk(data, minPart))
	if len(parts) == 0 {
		parts = [][]byte{nil}
	}
	return parts
}

// checkObject compares an object with what it must be made of.
func checkObject(t *testing.T, e *engine.Engine, key string, parts [][]byte) {
	t.Helper()
	data := bytes.Join(parts, nil)
	info, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: key})
	if err != nil {
		t.Fatalf("HeadObject: %v", err)
	}
	if info.ETag != ossETag(parts...) || info.CRC64 != crc64Of(data) || info.Size != int64(len(data)) || info.Parts != len(parts) {
		t.Errorf("the object is %+v, want ETag %s, %d bytes, CRC %d", info, ossETag(parts...), len(data), crc64Of(data))
	}
	if !bytes.Equal(readAll(t, e, "bucket", key), data) {
		t.Error("the object reads differently")
	}
}

// checkEmpty checks that nothing is stored, and what was deleted or aborted has left nothing.
func checkEmpty(t *testing.T, e *engine.Engine) {
	t.Helper()
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("the store holds %+v", got)
	}
}

// TestUpload uploads bodies of sizes about the boundaries of parts, through readers of every
// manner.
func TestUpload(t *testing.T) {
	e := managedStore(t)
	for _, size := range []int{0, 1, minPart - 1, minPart, minPart + 1, 3*minPart + 5} {
		data := random(uint64(size), size)
		path := filepath.Join(t.TempDir(), "body")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		plain := func() io.Reader { return onlyReader{bytes.NewReader(data)} }
		for name, req := range map[string]engine.UploadRequest{
			"bytes.Reader and Size":  {Body: bytes.NewReader(data), Size: int64(size)},
			"file and Size":          {Body: file, Size: int64(size)},
			"file":                   {Body: file},
			"Reader and Size":        {Body: plain(), Size: int64(size)},
			"Reader":                 {Body: plain()},
			"one at a time":          {Body: plain(), Parallel: 1},
			"OneByteReader":          {Body: iotest.OneByteReader(plain())},
			"HalfReader":             {Body: iotest.HalfReader(plain())},
			"DataErrReader":          {Body: iotest.DataErrReader(plain())},
			"DataErrReader and Size": {Body: iotest.DataErrReader(plain()), Size: int64(size)},
			"zero reads in between":  {Body: &lazyReader{r: plain()}, Size: int64(size)},
		} {
			t.Run(fmt.Sprintf("%d bytes, %s", size, name), func(t *testing.T) {
				told := int64(-1)
				req.Bucket, req.Key, req.PartSize = "bucket", "key", minPart
				req.Progress = func(done int64) {
					if done <= told {
						t.Errorf("Progress goes from %d to %d", told, done)
					}
					told = done
				}
				got, err := e.Upload(context.Background(), &req)
				if err != nil {
					t.Fatal(err)
				}
				parts := cut(data)
				if got.ETag != ossETag(parts...) || got.Size != int64(size) || got.CRC64 != crc64Of(data) || told != got.Size {
					t.Errorf("the result is %+v, Progress at %d", got, told)
				}
				checkObject(t, e, "key", parts)
				if left := tallyOf(t, e); left.Uploads != 0 || left.Parts != int64(len(parts)) {
					t.Errorf("the store holds %+v", left)
				}
			})
		}
	}
}

// TestUploadNilBody checks that a nil Body is an empty one, and that it is short of any Size.
func TestUploadNilBody(t *testing.T) {
	e := managedStore(t)
	ctx := context.Background()
	if _, err := e.Upload(ctx, &engine.UploadRequest{Bucket: "bucket", Key: "key"}); err != nil {
		t.Fatal(err)
	}
	checkObject(t, e, "key", [][]byte{nil})
	mustDelete(t, e, "bucket", "key")
	if _, err := e.Upload(ctx, &engine.UploadRequest{Bucket: "bucket", Key: "key", Size: 1}); !errors.Is(err, engine.ErrIncompleteBody) {
		t.Errorf("error is %v", err)
	}
	checkEmpty(t, e)
}

// TestUploadEncrypted checks that what Initiate is told reaches the object. TestUploadFields has
// the other fields.
func TestUploadEncrypted(t *testing.T) {
	e := openTemp(t, &engine.Options{Keys: keys(t)})
	mustBucket(t, e, "bucket")
	data := random(1, 2*minPart)
	res, err := e.Upload(context.Background(), &engine.UploadRequest{
		Bucket: "bucket", Key: "key", Body: bytes.NewReader(data), Size: 2 * minPart, PartSize: minPart,
		EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}, Attributes: engine.Attributes{ContentType: "text/plain", Metadata: map[string]string{"A": "b"}},
	})
	if err != nil || res.ServerSideEncryption != "AES256" {
		t.Fatalf("%+v, %v", res, err)
	}
	checkObject(t, e, "key", cut(data))
	info := mustGet(t, e, "bucket", "key", "").ObjectInfo
	if info.ServerSideEncryption != "AES256" || info.ContentType != "text/plain" || info.Metadata["a"] != "b" {
		t.Errorf("the object is %+v", info)
	}
}

// TestUploadRefused is the table of what is refused before the body is read.
func TestUploadRefused(t *testing.T) {
	e := managedStore(t)
	mustObject(t, e, "bucket", "there", "", []byte("content"))
	id := mustInitiate(t, e, "bucket", "there", "")
	mustPart(t, e, "bucket", "there", id, 1, []byte("part"))
	before := tallyOf(t, e)
	type request = engine.UploadRequest
	for name, row := range map[string]struct {
		req  request
		want error
	}{
		"bad bucket name":           {request{Bucket: "B"}, engine.ErrInvalidBucketName},
		"no such bucket":            {request{Bucket: "nowhere"}, engine.ErrNoSuchBucket},
		"bad key":                   {request{Key: "/"}, engine.ErrInvalidObjectName},
		"negative Size":             {request{Size: -1}, engine.ErrInvalidArgument},
		"Size over the limit":       {request{Size: maxSize + 1}, engine.ErrEntityTooLarge},
		"small PartSize":            {request{PartSize: minPart - 1}, engine.ErrInvalidArgument},
		"large PartSize":            {request{PartSize: engine.MaxPartSize + 1}, engine.ErrInvalidArgument},
		"negative Parallel":         {request{Parallel: -1}, engine.ErrInvalidArgument},
		"large Parallel":            {request{Parallel: engine.MaxParallel + 1}, engine.ErrInvalidArgument},
		"bad attribute":             {request{Attributes: engine.Attributes{StorageClass: "Gold"}}, engine.ErrInvalidArgument},
		"encryption without keys":   {request{EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "AES256"}}, engine.ErrKmsServiceNotEnabled},
		"bad IfNoneMatch":           {request{Preconditions: engine.Preconditions{IfNoneMatch: "etag"}}, engine.ErrNotImplemented},
		"ForbidOverwrite":           {request{Preconditions: engine.Preconditions{ForbidOverwrite: true}}, engine.ErrFileAlreadyExists},
		"IfNoneMatch":               {request{Preconditions: engine.Preconditions{IfNoneMatch: "*"}}, engine.ErrPreconditionFailed},
		"IfMatch":                   {request{Preconditions: engine.Preconditions{IfMatch: "etag"}}, engine.ErrPreconditionFailed},
		"IfMatch without object":    {request{Key: "key", Preconditions: engine.Preconditions{IfMatch: "etag"}}, engine.ErrNoSuchKey},
		"unknown UploadID":          {request{UploadID: "3FCE26176063453E8D80917962C936FE"}, engine.ErrNoSuchUpload},
		"malformed UploadID":        {request{UploadID: "id"}, engine.ErrNoSuchUpload},
		"UploadID of another key":   {request{UploadID: id, Key: "key"}, engine.ErrNoSuchUpload},
		"ForbidOverwrite, long key": {request{Key: strings.Repeat("k", 1025), Preconditions: engine.Preconditions{ForbidOverwrite: true}}, engine.ErrInvalidObjectName},
		"long key, resumed":         {request{Key: strings.Repeat("k", 1025), UploadID: id}, engine.ErrInvalidObjectName},
		"Value without Algorithm":   {request{Checksum: engine.Checksum{Value: "AAAAAA=="}}, engine.ErrInvalidRequest},
		"Trailer without Algorithm": {request{Checksum: engine.Checksum{Trailer: func() (string, error) { return "", nil }}}, engine.ErrInvalidRequest},
		"Type without Algorithm":    {request{Checksum: engine.Checksum{Type: engine.ChecksumFullObject}}, engine.ErrInvalidRequest},
		"wrong Type":                {request{Checksum: engine.Checksum{Algorithm: crypto.SHA256, Type: engine.ChecksumFullObject}}, engine.ErrInvalidRequest},
		"malformed Value":           {request{Checksum: engine.Checksum{Algorithm: crypto.CRC32, Value: "AAAA-2"}}, engine.ErrInvalidRequest},
		"composite Value of one that is not": {
			request{Checksum: engine.Checksum{Algorithm: crypto.CRC32, Type: engine.ChecksumFullObject, Value: "AAAAAA==-2"}}, engine.ErrInvalidRequest,
		},
		"resumed, small PartSize":  {request{UploadID: id, PartSize: 1}, engine.ErrInvalidArgument},
		"resumed, ForbidOverwrite": {request{UploadID: id, Preconditions: engine.Preconditions{ForbidOverwrite: true}}, engine.ErrFileAlreadyExists},
	} {
		req := row.req
		req.Bucket, req.Key = orElse(req.Bucket, "bucket"), orElse(req.Key, "there")
		req.Body = readerFunc(func([]byte) (int, error) {
			t.Errorf("%s: the body is read", name)
			return 0, io.EOF
		})
		_, err := e.Upload(context.Background(), &req)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
			continue
		}
		if got := asError(t, err); got.Op != "Upload" || got.Bucket != req.Bucket || got.Key != req.Key || got.UploadID != req.UploadID {
			t.Errorf("%s: error is %+v", name, got)
		}
	}
	if after := tallyOf(t, e); after != before {
		t.Errorf("the store holds %+v, held %+v before", after, before)
	}
}

// TestUploadWrongSize declares more and fewer bytes than there are.
func TestUploadWrongSize(t *testing.T) {
	e := managedStore(t)
	for _, size := range []int{1, minPart, minPart + 1, 3*minPart + 5} {
		data := random(1, size)
		for _, declared := range []int{size - 1, size + 1, size + minPart, size - minPart} {
			want := engine.ErrIncompleteBody
			if declared < size {
				want = engine.ErrInvalidArgument
			}
			if declared < 1 { // not a declaration
				continue
			}
			for name, body := range map[string]io.Reader{
				"Reader":        onlyReader{bytes.NewReader(data)},
				"DataErrReader": iotest.DataErrReader(bytes.NewReader(data)),
				"ReaderAt":      bytes.NewReader(data),
			} {
				_, err := e.Upload(context.Background(), &engine.UploadRequest{
					Bucket: "bucket", Key: "key", Body: body, Size: int64(declared), PartSize: minPart,
				})
				if !errors.Is(err, want) || asError(t, err).Code != want.Code {
					t.Errorf("%s of %d bytes with Size %d: %v", name, size, declared, err)
				}
			}
		}
	}
	checkEmpty(t, e)
	// An endless body is not read to the limit of a part.
	read := 0
	endless := readerFunc(func(p []byte) (int, error) { read += len(p); return len(p), nil })
	_, err := e.Upload(context.Background(), &engine.UploadRequest{Bucket: "bucket", Key: "key", Body: endless, Size: 2 * minPart, PartSize: minPart})
	if !errors.Is(err, engine.ErrInvalidArgument) || read != 2*minPart+1 {
		t.Errorf("%d bytes were read, error is %v", read, err)
	}
}

// TestUploadOvertaken has an object come into being, and the upload go away, while the parts are
// uploaded.
func TestUploadOvertaken(t *testing.T) {
	e := managedStore(t)
	ctx := context.Background()
	upload := func(req engine.UploadRequest, meanwhile func()) error {
		req.Bucket, req.Key, req.Body = "bucket", "key", strings.NewReader("late")
		req.Progress = func(int64) { meanwhile() }
		_, err := e.Upload(ctx, &req)
		return err
	}
	early := func() { mustObject(t, e, "bucket", "key", "", []byte("early")) }
	for want, req := range map[error]engine.UploadRequest{
		engine.ErrFileAlreadyExists:  {Preconditions: engine.Preconditions{ForbidOverwrite: true}},
		engine.ErrPreconditionFailed: {Preconditions: engine.Preconditions{IfNoneMatch: "*"}},
	} {
		if err := upload(req, early); !errors.Is(err, want) || asError(t, err).Op != "Upload" {
			t.Errorf("error is %v, want %v", err, want)
		}
		if got := tallyOf(t, e); got.Uploads != 0 || got.Parts != 1 {
			t.Errorf("the store holds %+v", got)
		}
		mustDelete(t, e, "bucket", "key")
	}
	err := upload(engine.UploadRequest{}, func() {
		if _, err := e.Expire(ctx, &engine.ExpireRequest{Before: time.Now().Add(time.Hour)}); err != nil {
			t.Error(err)
		}
	})
	// That there is nothing to abort any more is no second error.
	if !errors.Is(err, engine.ErrNoSuchUpload) || strings.Contains(err.Error(), "could not be aborted") {
		t.Errorf("error is %v", err)
	}
	checkEmpty(t, e)
}

// A meter of a body knows how many of its sections were read at the same time.
type meter struct {
	*bytes.Reader
	mu        sync.Mutex
	now, most int
	want      int // a read waits until so many have gone on at once
	enough    chan struct{}
	once      sync.Once
}

func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	m.now++
	if m.most = max(m.most, m.now); m.most >= m.want {
		m.once.Do(func() { close(m.enough) })
	}
	m.mu.Unlock()
	select {
	case <-m.enough:
	case <-time.After(patience):
		m.once.Do(func() { close(m.enough) }) // the test has failed
	}
	m.mu.Lock()
	m.now--
	m.mu.Unlock()
	return m.Reader.ReadAt(p, off)
}

// TestUploadParallel checks that as many parts are under way at once as asked for, and no more.
func TestUploadParallel(t *testing.T) {
	e := managedStore(t)
	data := random(1, 12*minPart)
	for asked, want := range map[int]int{0: engine.DefaultParallel, 1: 1, 2: 2, 64: 12} {
		body := &meter{Reader: bytes.NewReader(data), want: want, enough: make(chan struct{})}
		_, err := e.Upload(context.Background(), &engine.UploadRequest{
			Bucket: "bucket", Key: "key", Body: body, Size: int64(len(data)), PartSize: minPart, Parallel: asked,
		})
		if err != nil {
			t.Fatal(err)
		}
		if body.most != want {
			t.Errorf("Parallel %d: %d sections were read at once, want %d", asked, body.most, want)
		}
	}
	checkObject(t, e, "key", cut(data))
}

// slowSync is a chunk store whose first Sync waits.
type slowSync struct {
	*blob.Memory
	once sync.Once
	let  chan struct{}
}

func (s *slowSync) Sync(ctx context.Context, volumes ...uint64) error {
	s.once.Do(func() {
		select {
		case <-s.let:
		case <-time.After(patience):
		}
	})
	return s.Memory.Sync(ctx, volumes...)
}

// TestUploadReadsAhead checks that a body goes on being read while what was read is made durable.
func TestUploadReadsAhead(t *testing.T) {
	blobs := &slowSync{Memory: blob.NewMemory(1 << 20), let: make(chan struct{})}
	e, err := engine.OpenStores(t.Context(), index.NewMemory(), blobs, &engine.Options{ChunkSize: managedChunk})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mustBucket(t, e, "bucket")
	data := random(1, 2*minPart)
	second := readerFunc(func([]byte) (int, error) { // is asked when all of part 2 has been read
		select {
		case <-blobs.let:
		default:
			close(blobs.let)
		}
		return 0, io.EOF
	})
	_, err = e.Upload(context.Background(), &engine.UploadRequest{
		Bucket: "bucket", Key: "key", Body: io.MultiReader(bytes.NewReader(data), second), PartSize: minPart, Parallel: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-blobs.let:
	default:
		t.Error("part 1 was durable before part 2 was read")
	}
	checkObject(t, e, "key", cut(data))
}

// TestUploadsAtOnce makes uploads of every kind at the same time, with room for four chunks in
// memory. Those of one key replace each other whole.
func TestUploadsAtOnce(t *testing.T) {
	e := openTemp(t, &engine.Options{ChunkSize: managedChunk, MemoryBudget: 4 * managedChunk})
	mustBucket(t, e, "bucket")
	var bodies [][]byte
	for i := range 12 {
		bodies = append(bodies, random(uint64(i), i*minPart/2+i))
	}
	failed := errors.New("the line was cut")
	for i, err := range atOnce(2*len(bodies), func(i int) error {
		data := bodies[i/2]
		req := &engine.UploadRequest{
			Bucket: "bucket", Key: fmt.Sprint("key ", i/2), Body: onlyReader{bytes.NewReader(data)}, PartSize: minPart, Parallel: 1 + i,
			Progress: func(int64) {},
		}
		switch i % 6 {
		case 0, 3:
			req.Body, req.Size = bytes.NewReader(data), int64(len(data))
		case 5:
			req.Body, req.KeepParts = io.MultiReader(req.Body, iotest.ErrReader(failed)), false
		}
		if i%4 == 0 {
			req.Key = "shared"
		}
		_, err := e.Upload(context.Background(), req)
		return err
	}) {
		if want := i%6 == 5; errors.Is(err, failed) != want || !want && err != nil {
			t.Errorf("upload %d: %v", i, err)
		}
	}
	for i, data := range bodies {
		if (2*i)%4 != 0 || (2*i+1)%6 != 5 { // one of the two has made it
			checkObject(t, e, fmt.Sprint("key ", i), cut(data))
		}
	}
	shared := readAll(t, e, "bucket", "shared")
	if !slices.ContainsFunc(bodies, func(b []byte) bool { return bytes.Equal(b, shared) }) {
		t.Error("the shared object is no body")
	}
	if got := tallyOf(t, e); got.Uploads != 0 {
		t.Errorf("the store holds %+v", got)
	}
}

func ExampleEngine_Upload() {
	dir, err := os.MkdirTemp("", "gabion-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	e, err := engine.Open(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "photos"}); err != nil {
		log.Fatal(err)
	}
	req := &engine.UploadRequest{
		Bucket: "photos", Key: "2026/gabion.jpg", PartSize: 100 << 10, KeepParts: true,
		Body: io.MultiReader(strings.NewReader(strings.Repeat("stone", 50<<10)), iotest.ErrReader(io.ErrUnexpectedEOF)),
	}
	_, err = e.Upload(ctx, req)
	var failed *engine.Error
	if errors.As(err, &failed) {
		fmt.Println("failed:", failed.Code)
		req.UploadID = failed.UploadID
	}
	req.Body = strings.NewReader(strings.Repeat("stone", 50<<10))
	done, err := e.Upload(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("resumed: %d bytes, %s\n", done.Size, done.ETag)
	// Output:
	// failed: IncompleteBody
	// resumed: 256000 bytes, 2A85BC1F653E107D1AFBD2B45472FFB3-3
}
