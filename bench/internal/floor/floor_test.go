package floor_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/floor"
	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
)

const partSize = 2<<20 + 12345 // three chunks

func newCipher(t *testing.T) *crypto.Cipher {
	t.Helper()
	key, err := crypto.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	cipher, err := crypto.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return cipher
}

// recorder is a store that counts, and knows what is not durable.
type recorder struct {
	blob.Store
	damage bool  // flip a bit of what is read
	fail   error // of the second Put

	mu    sync.Mutex
	puts  int
	bytes int
	dirty map[uint64]bool
}

func newRecorder() *recorder {
	return &recorder{Store: blob.NewMemory(2 << 20), dirty: map[uint64]bool{}} // a chunk or two a volume
}

func (r *recorder) Put(ctx context.Context, id blob.ID, frame []byte) (blob.Ref, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.puts++
	if r.puts == 2 && r.fail != nil {
		return blob.Ref{}, r.fail
	}
	ref, err := r.Store.Put(ctx, id, frame)
	r.bytes += len(frame)
	r.dirty[ref.Volume] = true
	return ref, err
}

func (r *recorder) Sync(ctx context.Context, volumes ...uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range volumes {
		delete(r.dirty, v)
	}
	return r.Store.Sync(ctx, volumes...)
}

func (r *recorder) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	frame, err := r.Store.Get(ctx, ref, buf)
	if r.damage && len(frame) > 0 {
		frame[len(frame)/2] ^= 1
	}
	return frame, err
}

// parts returns n parts of a kind.
func parts(t *testing.T, kind data.Kind, n int) [][]byte {
	set := data.NewSet(kind, n, partSize)
	t.Cleanup(set.Close)
	return set.Parts(n, 1)
}

func wantDigests(t *testing.T, p *floor.Part, body []byte) {
	t.Helper()
	if crc := crc64.Checksum(body, crc64.MakeTable(crc64.ECMA)); p.MD5 != md5.Sum(body) || p.CRC64 != crc || p.Size != int64(len(body)) {
		t.Errorf("part %+v has other digests than its %d bytes", p, len(body))
	}
}

func TestUploadAndDownload(t *testing.T) {
	for _, kind := range []data.Kind{data.Random, data.JSON} {
		for _, cipher := range []*crypto.Cipher{nil, newCipher(t)} {
			t.Run(fmt.Sprintf("%s, sealed %t", kind, cipher != nil), func(t *testing.T) {
				blobs := newRecorder()
				testStore(t, floor.NewStore(blobs, cipher), blobs, kind)
			})
		}
	}
}

func testStore(t *testing.T, s *floor.Store, blobs *recorder, kind data.Kind) {
	defer s.Close()
	ctx := t.Context()
	bodies := parts(t, kind, 3)
	before := bytes.Join(bodies, nil)
	var stored []*floor.Part
	for _, body := range bodies {
		p, err := s.Upload(ctx, body)
		if err != nil {
			t.Fatal(err)
		}
		wantDigests(t, p, body)
		if len(blobs.dirty) > 0 {
			t.Errorf("volumes %v are not durable though Upload has returned", blobs.dirty)
		}
		stored = append(stored, p)
	}
	if !bytes.Equal(bytes.Join(bodies, nil), before) {
		t.Error("the bodies were changed")
	}
	if blobs.puts != 9 {
		t.Errorf("%d chunks were stored, want 9", blobs.puts)
	}
	if packed := blobs.bytes < 3*partSize/2; packed != (kind == data.JSON) {
		t.Errorf("%d bytes were stored of %d", blobs.bytes, 3*partSize)
	}
	again, err := s.Upload(ctx, bodies[1])
	if err != nil || blobs.puts != 9 {
		t.Errorf("the same part again: %v, %d chunks are stored", err, blobs.puts)
	}
	wantDigests(t, again, bodies[1])
	var got bytes.Buffer
	if err := s.Download(ctx, append(stored, again), &got); err != nil || !bytes.Equal(got.Bytes(), append(before, bodies[1]...)) {
		t.Errorf("other bytes came back (%v)", err)
	}
	blobs.damage = true
	if err := s.Download(ctx, stored, io.Discard); err == nil {
		t.Error("damage was not noticed")
	}
}

func TestVolumesOnDisk(t *testing.T) {
	s, err := floor.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	body := parts(t, data.Random, 1)[0]
	p, err := s.Upload(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := s.Download(t.Context(), []*floor.Part{p}, &got); err != nil || !bytes.Equal(got.Bytes(), body) {
		t.Errorf("other bytes came back (%v)", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestHashOnly(t *testing.T) {
	s := floor.HashOnly(newCipher(t))
	defer s.Close()
	body := parts(t, data.Random, 1)[0]
	p, err := s.Upload(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	wantDigests(t, p, body)
}

func TestUploadFails(t *testing.T) {
	broken := errors.New("broken")
	blobs := newRecorder()
	blobs.fail = broken
	s := floor.NewStore(blobs, nil)
	body := parts(t, data.Random, 1)[0]
	if p, err := s.Upload(t.Context(), body); p != nil || !errors.Is(err, broken) {
		t.Errorf("got %v, %v", p, err)
	}
}
