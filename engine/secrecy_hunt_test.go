package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// leakRun is how many bytes of a plaintext must not stand anywhere behind one another. The
// plaintexts are random, so that no run of so many is there by accident.
const leakRun = 16

// A hunt is a store whose plaintexts are looked for in all its files and in all that it says.
type hunt struct {
	*testing.T
	*engine.Engine
	dir  string
	opts engine.Options
	kind sealing

	seed    uint64
	secrets runs // stand nowhere
	sources runs // stand in volumes: they are, or were, objects without encryption, too

	searched map[string][]uint64 // digests of the pieces of each file that have been
	file     bytes.Buffer        // the one that is searched
	mu       sync.Mutex          // guards alarms
	alarms   []error
	errs     []error
}

// A sealing is a way in which a client has its content encrypted.
type sealing struct {
	name, sse string
	customer  crypto.CustomerKey
}

func sealings() []sealing {
	return []sealing{{"AES256", "AES256", nil}, {"KMS", "KMS", nil}, {"customer key", "", crypto.CustomerKey(random(99, 32))}}
}

func newHunt(t *testing.T, kind sealing) *hunt {
	h := &hunt{T: t, dir: t.TempDir(), kind: kind, searched: make(map[string][]uint64)}
	h.opts = engine.Options{Keys: keys(t), ChunkSize: 64 << 10, VolumeSize: 1 << 20, Events: &engine.Events{Alarm: h.alarm}}
	h.Engine = open(t, h.dir, &h.opts)
	mustBucket(t, h.Engine, "bucket")
	if _, err := h.CreateBucket(ctx(t), &engine.CreateBucketRequest{Bucket: "s3-bucket", Rules: engine.S3}); err != nil {
		t.Fatal(err)
	}
	return h
}

func ctx(t testing.TB) context.Context { return t.Context() }

func (h *hunt) alarm(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alarms = append(h.alarms, err)
}

// secret returns n bytes that must not be found.
func (h *hunt) secret(n int) []byte {
	h.seed++
	body := random(1000+h.seed, n)
	h.secrets.add(body)
	return body
}

// source returns n bytes for an object without encryption.
func (h *hunt) source(n int) []byte {
	h.seed++
	body := random(1000+h.seed, n)
	h.sources.add(body)
	return body
}

// must fails the test with an error.
func (h *hunt) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// fails takes in an error that had to come.
func (h *hunt) fails(err, want error) {
	h.Helper()
	if !errors.Is(err, want) {
		h.Errorf("error is %v, want %v", err, want)
	}
	h.errs = append(h.errs, err)
}

// look searches the store, and what was said since the last look.
func (h *hunt) look(when string) {
	h.Helper()
	for file := range regularFiles(h.T, h.dir) {
		path := filepath.Join(h.dir, file)
		err := h.read(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // reclaimed meanwhile
		}
		h.must(err)
		for _, piece := range h.unsearched(path, h.file.Bytes()) {
			if h.secrets.findIn(piece) >= 0 {
				h.Errorf("%s: %d bytes of plaintext are in %s", when, leakRun, file)
			}
			if !strings.HasPrefix(file, "volumes") && h.sources.findIn(piece) >= 0 {
				h.Errorf("%s: %d bytes of a copy's plaintext are in %s", when, leakRun, file)
			}
		}
	}
	h.mu.Lock()
	said := append(h.alarms, h.errs...)
	h.alarms, h.errs = nil, nil
	h.mu.Unlock()
	for _, err := range said {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			plain, _ := hex.DecodeString(strings.Map(onlyHex, text))
			if h.secrets.findIn([]byte(text)) >= 0 || h.secrets.findIn(plain) >= 0 || h.sources.findIn([]byte(text)) >= 0 {
				h.Errorf("%s: plaintext is in the text of an error: %.200q", when, text)
			}
		}
	}
}

// read reads a file into memory that is used again: the reserve alone has 32 MiB.
func (h *hunt) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	h.file.Reset()
	_, err = h.file.ReadFrom(f)
	return errors.Join(err, f.Close())
}

// unsearched returns the pieces of a file that are not what they were at the last look, or zeros
// before the first: a plaintext is made before it is written, so it cannot be in the others.
func (h *hunt) unsearched(file string, data []byte) (pieces [][]byte) {
	const size = 64 << 10
	zeros := make([]byte, size+2*leakRun)
	before := h.searched[file]
	for n := 0; n*size < len(data); n++ {
		piece := data[max(0, n*size-leakRun):min(len(data), (n+1)*size+leakRun)]
		sum := crypto.CRC64(0, piece)
		if n == len(before) {
			before = append(before, crypto.CRC64(0, zeros[:len(piece)]))
		}
		if before[n] != sum {
			before[n] = sum
			pieces = append(pieces, piece)
		}
	}
	h.searched[file] = before
	return pieces
}

// onlyHex leaves out of a text what is no hexadecimal digit.
func onlyHex(r rune) rune {
	if strings.ContainsRune("0123456789abcdefABCDEF", r) {
		return r
	}
	return -1
}

// runs finds runs of leakRun bytes. Each contains a block of half that length that is aligned where
// it comes from; those are looked up at every offset.
type runs struct {
	plains [][]byte
	blocks map[uint64]blockOf
	maybe  [1 << 20]uint64 // a bit for the hash of each block: most look-ups end there
}

// blockOf is where a block comes from.
type blockOf struct{ plain, at int }

const blockSize = leakRun / 2

func (r *runs) add(plain []byte) {
	if r.blocks == nil {
		r.blocks = make(map[uint64]blockOf)
	}
	for at := 0; at+blockSize <= len(plain); at += blockSize {
		b := binary.LittleEndian.Uint64(plain[at:])
		r.blocks[b] = blockOf{len(r.plains), at}
		word, bit := hashBlock(b)
		r.maybe[word] |= bit
	}
	r.plains = append(r.plains, plain)
}

func hashBlock(b uint64) (word uint32, bit uint64) {
	h := b * 0x9e3779b97f4a7c15
	return uint32(h >> 44), 1 << (h >> 38 & 63)
}

// findIn returns where in data a run of a plaintext is, or -1.
func (r *runs) findIn(data []byte) int {
	for i := 0; i+blockSize <= len(data); i++ {
		b := binary.LittleEndian.Uint64(data[i:])
		if word, bit := hashBlock(b); r.maybe[word]&bit == 0 {
			continue
		}
		if of, ok := r.blocks[b]; ok && agreeing(data, i, r.plains[of.plain], of.at) >= leakRun {
			return i
		}
	}
	return -1
}

func (h *hunt) initiate(bucket, key string, sequential bool) string {
	h.Helper()
	up, err := h.InitiateMultipartUpload(ctx(h), &engine.InitiateMultipartUploadRequest{
		Bucket: bucket, Key: key, Sequential: sequential, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(h.kind.sse), SSECustomerKey: h.kind.customer},
	})
	h.must(err)
	return up.UploadID
}

func (h *hunt) partOf(bucket, key, id string, n int, body io.Reader) *engine.UploadPartRequest {
	return &engine.UploadPartRequest{Bucket: bucket, Key: key, UploadID: id, PartNumber: n, Body: body, SSECustomerKey: h.kind.customer}
}

func (h *hunt) part(bucket, key, id string, n int, body []byte) engine.CompletedPart {
	h.Helper()
	res, err := h.UploadPart(ctx(h), h.partOf(bucket, key, id, n, bytes.NewReader(body)))
	h.must(err)
	return engine.CompletedPart{PartNumber: n, ETag: res.ETag}
}

// copyPart copies a source into a part. Its tail is as long as what is left over by blocks of MD5.
func (h *hunt) copyPart(key, id string, n int, source string, sealed bool) {
	h.Helper()
	req := &engine.UploadPartCopyRequest{
		Bucket: "bucket", Key: key, UploadID: id, PartNumber: n, SourceBucket: "bucket", SourceKey: source, SSECustomerKey: h.kind.customer,
	}
	if sealed {
		req.SourceSSECustomerKey = h.kind.customer
	}
	_, err := h.UploadPartCopy(ctx(h), req)
	h.must(err)
}

func (h *hunt) put(key string, sealed bool, body []byte) {
	h.Helper()
	req := &engine.PutObjectRequest{Bucket: "bucket", Key: key, Body: bytes.NewReader(body)}
	if sealed {
		req.ServerSideEncryption, req.SSECustomerKey = engine.EncryptionAlgorithm(h.kind.sse), h.kind.customer
	}
	_, err := h.PutObject(ctx(h), req)
	h.must(err)
}

func (h *hunt) complete(bucket, key, id string) {
	h.Helper()
	_, err := h.CompleteMultipartUpload(ctx(h), &engine.CompleteMultipartUploadRequest{Bucket: bucket, Key: key, UploadID: id, All: true})
	h.must(err)
}

func (h *hunt) copyObject(key, source string, from, to bool) {
	h.Helper()
	req := &engine.CopyObjectRequest{Bucket: "bucket", Key: key, SourceBucket: "bucket", SourceKey: source}
	if from {
		req.SourceSSECustomerKey = h.kind.customer
	}
	if to {
		req.ServerSideEncryption, req.SSECustomerKey = engine.EncryptionAlgorithm(h.kind.sse), h.kind.customer
	}
	_, err := h.CopyObject(ctx(h), req)
	h.must(err)
}

// reopen closes the store and opens it again, in between killed or not: what a killed process
// leaves is what its files hold at that time.
func (h *hunt) reopen(killed bool) {
	h.Helper()
	if killed {
		image := filepath.Join(h.TempDir(), "image")
		h.must(os.CopyFS(image, os.DirFS(h.dir)))
		h.must(h.Close())
		h.look("closed")
		h.dir = image
		h.look("killed")
	} else {
		h.must(h.Close())
		h.look("closed")
	}
	h.Engine = open(h.T, h.dir, &h.opts)
}
