package floor

import (
	"context"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"

	"github.com/gabion-storage/gabion/crypto"
)

// Download writes the parts to w, each chunk verified first.
func (s *Store) Download(ctx context.Context, parts []*Part, w io.Writer) error {
	var frame, plain []byte
	for _, p := range parts {
		for i := range p.chunks {
			c := &p.chunks[i]
			var err error
			if frame, err = s.blobs.Get(ctx, c.ref, frame); err != nil {
				return err
			}
			if cap(plain) < c.size {
				plain = make([]byte, c.size)
			}
			body, err := s.decode(c, frame, plain[:c.size])
			if err != nil {
				return fmt.Errorf("floor: chunk %v: %w", c.address, err)
			}
			if _, err := w.Write(body); err != nil {
				return err
			}
		}
	}
	return nil
}

// decode returns the plaintext of a frame, verified. It lies in frame or in plain.
func (s *Store) decode(c *Chunk, frame, plain []byte) (body []byte, err error) {
	body = frame
	if s.cipher != nil {
		if body, err = s.cipher.Open(frame, c.address[:]); err != nil {
			return nil, err
		}
	}
	if c.compressed {
		if body, err = s2.Decode(plain, body); err != nil {
			return nil, err
		}
	}
	if len(body) != c.size {
		return nil, fmt.Errorf("it has %d bytes, wanted are %d", len(body), c.size)
	}
	// A seal binds the address already.
	if s.cipher == nil {
		if got := crypto.AddressOf(body); got != c.address {
			return nil, fmt.Errorf("the content has address %v", got)
		}
	}
	return body, nil
}
