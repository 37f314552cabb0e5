package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

func (h *history) createBucket() {
	b, scope := h.somePlace().bucket, h.Scopes[h.Rand.IntN(len(h.Scopes))]
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
	p, sse, forbid := h.somePlace(), h.someEncryption(), h.Rand.IntN(8) == 0
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
	return h.uploads[h.Rand.IntN(len(h.uploads))]
}

func (h *history) uploadPart() {
	up := h.someUpload()
	if up == nil {
		return
	}
	n, body := []int{1, 2, 3, 5, 10000}[h.Rand.IntN(5)], h.someBody()
	req := &engine.UploadPartRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id, PartNumber: n, Body: bytes.NewReader(body)}
	bad := h.Rand.IntN(10) == 0
	if bad {
		req.Body = Failing(string(body), io.ErrClosedPipe)
	}
	h.did("UploadPart %v %s number %d, %d bytes, bad %t", up.place, up.id, n, len(body), bad)
	got, err := h.e.UploadPart(context.Background(), req)
	if bad {
		h.want(err, engine.ErrIncompleteBody)
		return
	}
	h.want(err, nil)
	if got.ETag != MD5ETag(body) || got.Size != int64(len(body)) || got.CRC64 != CRC64(body) {
		h.fail("the part is %+v", got)
	}
	up.parts[n] = h.newPart(up, body)
}

func (h *history) complete() {
	up := h.someUpload()
	if up == nil {
		return
	}
	req := &engine.CompleteMultipartUploadRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id, Preconditions: engine.Preconditions{ForbidOverwrite: h.Rand.IntN(8) == 0}}
	req.All = h.Rand.IntN(4) == 0
	var listed []*modelPart
	for _, n := range []int{1, 2, 3, 5, 10000} {
		p := up.parts[n]
		if p == nil || !req.All && h.Rand.IntN(4) == 0 {
			continue
		}
		listed = append(listed, p)
		if !req.All {
			req.Parts = append(req.Parts, engine.CompletedPart{PartNumber: n, ETag: MD5ETag(p.body)})
		}
	}
	if h.Rand.IntN(2) == 0 { // do not let a small part in front spoil it
		for len(listed) > 1 && !req.All && len(listed[0].body) < minPart {
			listed, req.Parts = listed[1:], req.Parts[1:]
		}
	}
	wrong := !req.All && len(req.Parts) > 0 && h.Rand.IntN(8) == 0
	if wrong {
		req.Parts[h.Rand.IntN(len(req.Parts))].ETag = MD5ETag([]byte("another"))
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
	if got.ETag != OSSETag(bodies...) || got.Size != int64(len(obj.body)) || got.CRC64 != CRC64(obj.body) {
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
	up := h.gone[h.Rand.IntN(len(h.gone))]
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
