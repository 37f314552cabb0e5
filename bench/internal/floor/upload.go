package floor

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
)

// Upload stores a part. It is durable when Upload has returned.
func (s *Store) Upload(ctx context.Context, body []byte) (*Part, error) {
	p := &Part{Size: int64(len(body)), chunks: make([]Chunk, (len(body)+chunkSize-1)/chunkSize)}
	errs := make([]error, 1+len(p.chunks))
	sum := s.md5.New()
	defer sum.Close()
	var chunks sync.WaitGroup
	i := 0
	for piece := range slices.Chunk(body, chunkSize) {
		c, err := &p.chunks[i], &errs[i]
		chunks.Go(func() { *err = s.store(ctx, c, piece) })
		if _, err := sum.Write(piece); err != nil {
			errs[len(p.chunks)] = err
		}
		i++
	}
	chunks.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.MD5 = sum.Sum()
	for _, c := range p.chunks {
		p.CRC64 = crypto.CombineCRC64(p.CRC64, c.crc64, int64(c.size))
	}
	return p, s.sync(ctx, p)
}

// store computes one chunk and stores it, unless it is known.
func (s *Store) store(ctx context.Context, c *Chunk, piece []byte) error {
	if s.blobs == nil {
		<-s.compute
		defer func() { s.compute <- struct{}{} }()
		s.digest(c, piece)
		return nil
	}
	buf := s.buffer()
	frame, err := s.frame(c, piece, buf)
	if err != nil || frame == nil {
		s.free <- buf
		return err
	}
	if !c.compressed && s.cipher == nil { // the frame lies in the piece
		s.free <- buf
		buf = nil
	}
	c.ref, err = s.blobs.Put(ctx, blob.ID(c.address), frame)
	c.stored = true
	if buf != nil {
		s.free <- buf
	}
	return err
}

func (s *Store) digest(c *Chunk, piece []byte) {
	c.size, c.crc64 = len(piece), crypto.CRC64(0, piece)
	if s.cipher != nil {
		c.address = s.cipher.AddressOf(piece)
	} else {
		c.address = crypto.AddressOf(piece)
	}
}

// frame computes all that there is to compute of a chunk, and returns nil if it is known. The frame
// lies in buf, or in piece when nothing had to be made.
func (s *Store) frame(c *Chunk, piece, buf []byte) ([]byte, error) {
	<-s.compute
	defer func() { s.compute <- struct{}{} }()
	s.digest(c, piece)
	s.mu.Lock()
	known, ok := s.known[c.address]
	s.mu.Unlock()
	if ok {
		*c = known
		return nil, nil
	}
	body := piece
	if packed := s2.Encode(buf[crypto.NonceSize:], piece); len(packed) < len(piece) {
		c.compressed = true
		body = packed
	}
	if s.cipher == nil {
		return body, nil
	}
	if !c.compressed {
		copy(buf[crypto.NonceSize:], piece)
	}
	return s.cipher.Seal(buf[:crypto.NonceSize+len(body)], c.address[:])
}

// sync makes the chunks of a part durable.
func (s *Store) sync(ctx context.Context, p *Part) error {
	var volumes []uint64
	for _, c := range p.chunks {
		if c.stored && !slices.Contains(volumes, c.ref.Volume) {
			volumes = append(volumes, c.ref.Volume)
		}
	}
	if len(volumes) == 0 {
		return nil
	}
	if err := s.blobs.Sync(ctx, volumes...); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range p.chunks {
		p.chunks[i].stored = false
		s.known[p.chunks[i].address] = p.chunks[i]
	}
	return nil
}
