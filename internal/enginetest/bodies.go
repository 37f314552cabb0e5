package enginetest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// minPart is the least size of a part that is not the last, in bytes.
const minPart = 100 << 10

// Few names, so that they meet often.

func (h *history) somePlace() place {
	return place{[]string{"aaa", "aaa-b"}[h.Rand.IntN(2)], []string{"k", "k/1", "k/2", "ü"}[h.Rand.IntN(4)]}
}

// someBody is fresh, or was there before, of a size that is near a boundary.
func (h *history) someBody() []byte {
	chunk := h.chunkSize
	sizes := []int{0, 1, 17, chunk - 1, chunk, chunk + 1, 3*chunk + 5, minPart - 1, minPart, minPart, minPart, minPart + 1, minPart + chunk}
	size := sizes[h.Rand.IntN(len(sizes))]
	switch {
	case h.Blocks > 0:
		var body []byte
		for len(body) < size {
			body = append(body, Random(uint64(h.Rand.IntN(h.Blocks)), chunk)...)
		}
		return body[:size]
	case len(h.bodies) > 0 && h.Rand.IntN(4) == 0:
		return h.bodies[h.Rand.IntN(len(h.bodies))]
	}
	body := Random(h.Rand.Uint64(), size)
	h.bodies = append(h.bodies, body)
	return body
}

func (h *history) newPart(up *modelUpload, body []byte) *modelPart {
	return &modelPart{body: body, chunks: slices.Collect(slices.Chunk(body, h.chunkSize)), key: h.uploadKey(up)}
}

// uploadKey stands for the upload's data key, since chunks are found again within one upload only,
// or for the scope of a part of it.
func (h *history) uploadKey(up *modelUpload) string {
	if up.sse == "" {
		return h.scopeKey(up.bucket)
	}
	return up.id
}

// scopeKey stands for the scope of a part without encryption that is uploaded to a bucket.
func (h *history) scopeKey(bucket string) string {
	if h.dedup[bucket] == ofPart {
		h.made++
		return fmt.Sprint(ofPart, h.made)
	}
	return h.dedup[bucket]
}

// What the keys begin with that stand for scopes; the whole store's is empty.
const ofBucket, ofPart = "bucket ", "part "

// admits says whether a bucket may share a part without encryption.
func (h *history) admits(bucket string, p *modelPart) bool {
	return h.dedup[bucket] == "" || p.key == h.dedup[bucket] || strings.HasPrefix(p.key, ofPart)
}

// names are the names of the part's chunks: equal names are one chunk.
func (p *modelPart) names() (names []string) {
	for _, c := range p.chunks {
		if !p.inline {
			names = append(names, fmt.Sprintf("%x %s", sha256.Sum256(c), p.key))
		}
	}
	return names
}
