package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

func (h *history) someEncryption() string {
	if !h.Encrypted {
		return ""
	}
	return []string{"", "AES256", "KMS"}[h.Rand.IntN(3)]
}

// newKey stands for a new data key, or for the scope of a part of the bucket.
func (h *history) newKey(bucket, sse string) string {
	if sse == "" {
		return h.scopeKey(bucket)
	}
	return fmt.Sprint("key of step ", len(h.log))
}

// fitsInline says whether a chunk that does not compress is kept in the index.
func fitsInline(size int, sealed bool) bool {
	frame := 8 + size
	if sealed {
		frame += 28
	}
	return size > 0 && frame <= 32<<10
}

func (h *history) putObject() {
	p, body, sse, forbid := h.somePlace(), h.someBody(), h.someEncryption(), h.Rand.IntN(8) == 0
	h.did("PutObject %v %q, %d bytes, forbid %t", p, sse, len(body), forbid)
	got, err := h.e.PutObject(context.Background(), &engine.PutObjectRequest{
		Bucket: p.bucket, Key: p.key, Body: bytes.NewReader(body), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}, Preconditions: engine.Preconditions{ForbidOverwrite: forbid},
	})
	switch {
	case !h.buckets[p.bucket]:
		h.want(err, engine.ErrNoSuchBucket)
		return
	case forbid && h.objects[p] != nil:
		h.want(err, engine.ErrFileAlreadyExists)
		return
	}
	h.want(err, nil)
	part := &modelPart{body: body, chunks: slices.Collect(slices.Chunk(body, h.chunkSize)), key: h.newKey(p.bucket, sse)}
	part.inline = len(body) < h.chunkSize && fitsInline(len(body), sse != "")
	if got.ETag != MD5ETag(body) || got.Size != int64(len(body)) || got.CRC64 != CRC64(body) {
		h.fail("the object is %+v", got)
	}
	h.objects[p] = &modelObject{content: &modelContent{[]*modelPart{part}}, sse: sse, etag: got.ETag, body: body}
}

func (h *history) copyObject() {
	from, to, sse, forbid := h.somePlace(), h.somePlace(), h.someEncryption(), h.Rand.IntN(8) == 0
	h.did("CopyObject %v to %v %q, forbid %t", from, to, sse, forbid)
	got, err := h.e.CopyObject(context.Background(), &engine.CopyObjectRequest{
		Bucket: to.bucket, Key: to.key, SourceBucket: from.bucket, SourceKey: from.key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}, ForbidOverwrite: forbid,
	})
	src := h.objects[from]
	switch {
	case !h.buckets[to.bucket] || !h.buckets[from.bucket]:
		h.want(err, engine.ErrNoSuchBucket)
		return
	case src == nil:
		h.want(err, engine.ErrNoSuchKey)
		return
	case forbid && h.objects[to] != nil:
		h.want(err, engine.ErrFileAlreadyExists)
		return
	}
	h.want(err, nil)
	if got.ETag != src.etag || got.Size != int64(len(src.body)) || got.ServerSideEncryption != engine.EncryptionAlgorithm(sse) {
		h.fail("the copy is %+v", got)
	}
	made := &modelObject{content: src.content, sse: sse, etag: src.etag, body: src.body}
	shares := sse == src.sse
	for _, p := range src.content.parts {
		shares = shares && (sse != "" || h.admits(to.bucket, p))
	}
	if !shares {
		made.content = &modelContent{}
		for _, p := range src.content.parts {
			copied := &modelPart{body: p.body, chunks: h.recut(p, 0, len(p.body)), key: h.newKey(to.bucket, sse)}
			copied.inline = p.inline && len(copied.chunks) == 1 && fitsInline(len(p.body), sse != "")
			made.content.parts = append(made.content.parts, copied)
		}
	}
	h.objects[to] = made
}

// recut cuts a range of a part where its chunks end, and into what the engine's buffers hold.
func (h *history) recut(p *modelPart, from, to int) (chunks [][]byte) {
	at := 0
	for _, c := range p.chunks {
		begin, end := min(max(from-at, 0), len(c)), min(max(to-at, 0), len(c))
		chunks = append(chunks, slices.Collect(slices.Chunk(c[begin:end], h.chunkSize))...)
		at += len(c)
	}
	return chunks
}

func (h *history) copyPart() {
	up, from := h.someUpload(), h.somePlace()
	if up == nil {
		return
	}
	n, src := []int{1, 2, 3, 5, 10000}[h.Rand.IntN(5)], h.objects[from]
	req := &engine.UploadPartCopyRequest{
		Bucket: up.bucket, Key: up.key, UploadID: up.id, PartNumber: n, SourceBucket: from.bucket, SourceKey: from.key,
	}
	begin, end := 0, 0
	if src != nil {
		if begin, end = h.someRange(src); begin < end {
			req.SourceRange = fmt.Sprintf("bytes=%d-%d", begin, end-1)
		} else {
			begin, end = 0, len(src.body)
		}
	}
	h.did("UploadPartCopy %v %s to %v %s number %d", from, req.SourceRange, up.place, up.id, n)
	got, err := h.e.UploadPartCopy(context.Background(), req)
	switch {
	case !h.buckets[from.bucket]:
		h.want(err, engine.ErrNoSuchBucket)
		return
	case src == nil:
		h.want(err, engine.ErrNoSuchKey)
		return
	}
	h.want(err, nil)
	part := h.copiedPart(up, src, begin, end)
	if got.ETag != MD5ETag(part.body) || got.Size != int64(end-begin) || got.CRC64 != CRC64(part.body) || got.SourceSize != int64(len(src.body)) {
		h.fail("the part is %+v", got)
	}
	up.parts[n] = part
}

// someRange is of any bytes of an object, or of one of its parts.
func (h *history) someRange(obj *modelObject) (begin, end int) {
	if parts := obj.content.parts; len(parts) > 0 && h.Rand.IntN(2) == 0 {
		chosen := h.Rand.IntN(len(parts))
		for _, p := range parts[:chosen] {
			begin += len(p.body)
		}
		return begin, begin + len(parts[chosen].body)
	}
	begin = h.Rand.IntN(len(obj.body) + 1)
	return begin, begin + h.Rand.IntN(len(obj.body)-begin+1)
}

// copiedPart is what UploadPartCopy makes: a part of the source as it is, or its chunks cut anew.
func (h *history) copiedPart(up *modelUpload, src *modelObject, begin, end int) *modelPart {
	made := &modelPart{body: src.body[begin:end], key: h.uploadKey(up)}
	at := 0
	for _, p := range src.content.parts {
		if at == begin && at+len(p.body) == end && up.sse == "" && src.sse == "" && h.admits(up.bucket, p) {
			return p
		}
		made.chunks = append(made.chunks, h.recut(p, begin-at, end-at)...)
		at += len(p.body)
	}
	if strings.Join(chunkTexts(made.chunks), "") != string(made.body) {
		h.fail("the model cuts %d..%d into something else", begin, end)
	}
	return made
}

func chunkTexts(chunks [][]byte) (texts []string) {
	for _, c := range chunks {
		texts = append(texts, string(c))
	}
	return texts
}
