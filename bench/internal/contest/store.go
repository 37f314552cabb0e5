package contest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
)

const objectKey = "object"

// A Store is an open store of a contender. Initiate to Complete are one upload by parts; UploadPart
// and Download are called from many goroutines at once. ETags are those of S3, without quotes; that
// of Complete is "" of who is WriteOnly and computes none.
type Store interface {
	Initiate(ctx context.Context, key string) (id string, err error)
	UploadPart(ctx context.Context, key, id string, number int, body []byte) (etag string, err error)
	Complete(ctx context.Context, key, id string, etags []string) (etag string, err error)

	// Download writes the whole object.
	Download(ctx context.Context, key string, w io.Writer) error

	Close() error
}

// An ObjectStore is a Store that can be given whole objects, by many goroutines at once.
type ObjectStore interface {
	Store
	Put(ctx context.Context, key string, body []byte) error
	Head(ctx context.Context, key string) (size int64, err error)
}

// A Contender is a system to measure, or a piece of the work.
type Contender struct {
	Name string
	Note string // where it runs, what it syncs before it acknowledges, what it verifies

	Encrypts  bool // it can
	WriteOnly bool // nothing can be read from it
	Remote    bool // another process does the work

	// Open makes a store in dir, which is absolute and empty. A contender without it is left out.
	Open func(ctx context.Context, dir string, encrypt bool) (Store, error)
}

// ETag returns S3's ETag of an object from those of its parts.
func ETag(parts []string) (string, error) {
	all := md5.New()
	for _, etag := range parts {
		sum, err := hex.DecodeString(etag)
		if err != nil {
			return "", err
		}
		all.Write(sum)
	}
	return fmt.Sprintf("%x-%d", all.Sum(nil), len(parts)), nil
}

// An object is what is stored, and what must come of it.
type object struct {
	parts [][]byte
	etag  string
	size  int64
}

// newObject computes the ETag with the standard library.
func newObject(ctx context.Context, parts [][]byte) (*object, error) {
	etags, size := make([]string, len(parts)), 0
	for _, part := range parts {
		size += len(part)
	}
	err := fanout.Each(ctx, runtime.GOMAXPROCS(0), len(parts), func(_ context.Context, i int) error {
		etags[i] = fmt.Sprintf("%x", md5.Sum(parts[i]))
		return nil
	})
	if err != nil {
		return nil, err
	}
	etag, err := ETag(etags)
	return &object{parts, etag, int64(size)}, err
}

// upload stores parts by a whole cycle, several at once. It returns the ETag.
func upload(
	ctx context.Context, s Store, key string, parts [][]byte, parallel int,
) (etag string, err error) {
	etags := make([]string, len(parts))
	id, err := s.Initiate(ctx, key)
	if err != nil {
		return "", fmt.Errorf("initiate: %w", err)
	}
	err = fanout.Each(ctx, parallel, len(parts), func(ctx context.Context, i int) (err error) {
		if etags[i], err = s.UploadPart(ctx, key, id, i+1, parts[i]); err != nil {
			return fmt.Errorf("part %d: %w", i+1, err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if etag, err = s.Complete(ctx, key, id, etags); err != nil {
		return "", fmt.Errorf("complete: %w", err)
	}
	return etag, nil
}

// upload stores the object. It fails when the ETag is another.
func (o *object) upload(ctx context.Context, s Store, parallel int) error {
	etag, err := upload(ctx, s, objectKey, o.parts, parallel)
	if err == nil && etag != o.etag && etag != "" {
		err = fmt.Errorf("the ETag is %s, must be %s", etag, o.etag)
	}
	return err
}

// verify reads the object once and compares the MD5 of all its bytes.
func (o *object) verify(ctx context.Context, s Store) error {
	got, want := md5.New(), md5.New()
	for _, part := range o.parts {
		want.Write(part)
	}
	if err := s.Download(ctx, objectKey, got); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if got, want := got.Sum(nil), want.Sum(nil); string(got) != string(want) {
		return fmt.Errorf("what came back has MD5 %x, must be %x", got, want)
	}
	return nil
}

// download reads the whole object into all sinks at once.
func (o *object) download(ctx context.Context, s Store, sinks []*Sink) error {
	err := fanout.Each(ctx, len(sinks), len(sinks), func(ctx context.Context, i int) error {
		sinks[i].N = 0
		if err := s.Download(ctx, objectKey, sinks[i]); err != nil {
			return err
		}
		if n := sinks[i].N; n != o.size {
			return fmt.Errorf("%d bytes came, must be %d", n, o.size)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return nil
}

const sinkBuffer = 1 << 20

// A Sink is where downloads go: it copies what comes into its buffer, as a reader would, so that a
// contender that hands out its own memory has moved the bytes, too; and it reads in pieces of 1 MiB
// where io.Copy lets it, so that none pays for small ones.
type Sink struct {
	N      int64 // bytes that came
	buffer []byte
}

// NewSink makes a sink into which nothing has come.
func NewSink() *Sink { return &Sink{buffer: make([]byte, sinkBuffer)} }

// Write implements io.Writer.
func (s *Sink) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		rest = rest[copy(s.buffer, rest):]
	}
	s.N += int64(len(p))
	return len(p), nil
}

// ReadFrom implements io.ReaderFrom.
func (s *Sink) ReadFrom(r io.Reader) (total int64, err error) {
	for err == nil {
		var n int
		n, err = r.Read(s.buffer)
		total += int64(n)
	}
	s.N += total
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return total, err
}
