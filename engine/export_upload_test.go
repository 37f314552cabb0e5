package engine

import (
	"context"
	"io"
)

// A PlannedPart is where a part of a body lies.
type PlannedPart struct{ Offset, Length int64 }

// PlanParts returns the parts that an Upload cuts a body into, or may if the size is 0.
func PlanParts(size, wanted, least, chunkSize int64) ([]PlannedPart, error) {
	plan, err := planParts(size, wanted, least, chunkSize)
	if err != nil {
		return nil, err
	}
	parts := make([]PlannedPart, plan.parts())
	for i := range parts {
		parts[i] = PlannedPart{plan.offset(i + 1), plan.length(i + 1)}
	}
	return parts, nil
}

// CutStream returns the parts that an Upload cuts a body into that is read in order. There is no
// least size of a part.
func CutStream(body io.Reader, size, partSize int64) (parts [][]byte, err error) {
	plan, err := planParts(size, partSize, 1, 1)
	if err != nil {
		return nil, err
	}
	s := newStream(body, plan)
	for {
		p, err := s.next(context.Background())
		if p == nil || err != nil {
			return parts, err
		}
		content, err := io.ReadAll(p.body)
		if err != nil {
			return parts, err
		}
		parts = append(parts, content)
	}
}

// Initiation is the request by which an Upload begins.
func (req *UploadRequest) Initiation() *InitiateMultipartUploadRequest { return req.initiation() }

// Part is the request by which an Upload uploads a part.
func (req *UploadRequest) Part() *UploadPartRequest {
	return req.part(req.UploadID, &bodyPart{}, nil)
}

// Completion is the request by which an Upload ends.
func (req *UploadRequest) Completion() *CompleteMultipartUploadRequest {
	return req.completion(req.UploadID, nil)
}
