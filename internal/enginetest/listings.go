package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

func (h *history) listParts() {
	if up := h.someUpload(); up != nil {
		h.did("ListParts %v %s", up.place, up.id)
		h.checkParts(up)
	}
}

func (h *history) checkParts(up *modelUpload) {
	var got []string
	for p, err := range h.e.Parts(context.Background(), &engine.ListPartsRequest{Bucket: up.bucket, Key: up.key, UploadID: up.id, MaxParts: 1 + h.Rand.IntN(4)}) {
		h.want(err, nil)
		got = append(got, fmt.Sprint(p.PartNumber, p.ETag, p.Size, p.CRC64))
	}
	var want []string
	for _, n := range []int{1, 2, 3, 5, 10000} {
		if p := up.parts[n]; p != nil {
			want = append(want, fmt.Sprint(n, MD5ETag(p.body), len(p.body), CRC64(p.body)))
		}
	}
	if !slices.Equal(got, want) {
		h.fail("upload %s has parts %v, want %v", up.id, got, want)
	}
}

func (h *history) listObjects() {
	b := h.somePlace().bucket
	h.did("ListObjects %s", b)
	req := &engine.ListObjectsRequest{
		Bucket: b, Prefix: []string{"", "k", "k/", "x"}[h.Rand.IntN(4)], Delimiter: []string{"", "/"}[h.Rand.IntN(2)], MaxKeys: h.Rand.IntN(4),
	}
	if !h.buckets[b] {
		_, err := h.e.ListObjects(context.Background(), req)
		h.want(err, engine.ErrNoSuchBucket)
		return
	}
	var sorted []string
	for p := range h.objects {
		if p.bucket == b {
			sorted = append(sorted, p.key)
		}
	}
	slices.Sort(sorted)
	CheckListing(h.t, h.e, sorted, req)
}

func (h *history) listUploads() {
	b := h.somePlace().bucket
	h.did("ListMultipartUploads %s", b)
	req := &engine.ListMultipartUploadsRequest{Bucket: b, Prefix: []string{"", "k", "k/"}[h.Rand.IntN(3)], MaxUploads: h.Rand.IntN(4)}
	var got, want []string
	for up, err := range h.e.Uploads(context.Background(), req) {
		if !h.buckets[b] {
			h.want(err, engine.ErrNoSuchBucket)
			return
		}
		h.want(err, nil)
		got = append(got, up.Key+" "+up.UploadID)
	}
	for _, up := range h.uploads {
		if up.bucket == b && strings.HasPrefix(up.key, req.Prefix) {
			want = append(want, up.key+" "+up.id)
		}
	}
	slices.Sort(want) // a space sorts before what else follows a key here
	if !slices.Equal(got, want) {
		h.fail("bucket %s has uploads %q, want %q", b, got, want)
	}
}
