package access

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// What the payload of a request to S3 may be beside a SHA-256.
const (
	unsigned             = "UNSIGNED-PAYLOAD"
	signedChunks         = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedChunksTrailer  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedChunkTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const headerPayload = "X-Amz-Content-Sha256"

// payload is what a request to S3 says of its body.
func payload(r *request) string {
	for _, said := range []string{r.Header.Get(headerPayload), r.query.Get(headerPayload)} {
		if said != "" {
			return said
		}
	}
	return unsigned
}

// body decodes and verifies the body of a request. c and sign are nil of one that nobody has
// signed.
func (s s3) body(r *request, c *claim, sign signer) (*body, error) {
	switch said := payload(r); said {
	case unsigned:
		b := plainBody(r)
		b.Reader = wholeReader{r.Body}
		return b, nil
	case unsignedChunkTrailer:
		return s.chunkedBody(r, nil)
	case signedChunks, signedChunksTrailer:
		if c == nil {
			return nil, accessDenied("Signed chunks need a signed request.")
		}
		return s.chunkedBody(r, &chain{sign, c, c.signature})
	default:
		if err := checkPayload(said); err != nil {
			return nil, err
		}
		return s.hashedBody(r, said)
	}
}

// checkPayload finds out whether a request may say so of its body.
func checkPayload(said string) error {
	switch said {
	case unsigned, unsignedChunkTrailer, signedChunks, signedChunksTrailer:
		return nil
	}
	if sum, err := hex.DecodeString(said); err != nil || len(sum) != sha256.Size {
		return invalidArgument("x-amz-content-sha256", said, payloadValue)
	}
	return nil
}

// A body is what is read of a request.
type body struct {
	io.Reader
	length  int64 // -1 if it is not known
	trailer http.Header
}

func plainBody(r *request) *body {
	return &body{Reader: r.Body, length: r.declaredLength()}
}

// A wholeReader says as S3 does that a body has ended early.
type wholeReader struct{ from io.Reader }

func (w wholeReader) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if err == io.ErrUnexpectedEOF {
		err = incompleteBody(bodyLength)
	}
	return n, err
}

// hashedBody is a body with a SHA-256. An empty one is verified at once, since nobody may read it.
func (s s3) hashedBody(r *request, said string) (*body, error) {
	b := plainBody(r)
	hashed := &hashedReader{from: wholeReader{r.Body}, hash: s.hashes.New(), said: said}
	if r.ContentLength == 0 {
		if err := hashed.verify(); err != nil {
			return nil, err
		}
	}
	b.Reader = hashed
	return b, nil
}

// A hashedReader fails at its end if what was read has another SHA-256 than it must have.
type hashedReader struct {
	from io.Reader
	hash hash.Hash
	said string // in hex
}

func (h *hashedReader) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.hash.Write(p[:n])
	if err == io.EOF {
		if err := h.verify(); err != nil {
			return 0, err
		}
	}
	return n, err
}

func (h *hashedReader) verify() error {
	sum := hex.EncodeToString(h.hash.Sum(nil))
	if !strings.EqualFold(sum, h.said) {
		return badRequest("XAmzContentSHA256Mismatch", payloadMismatch).
			with("ClientComputedContentSHA256", h.said).with("S3ComputedContentSHA256", sum)
	}
	return nil
}

// chunkedBody is one that is aws-chunked, of chunks that are signed unless the chain is nil.
func (s s3) chunkedBody(r *request, c *chain) (*body, error) {
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return nil, &Error{
			Code: "MissingContentLength", Status: http.StatusLengthRequired,
			Message: "You must provide the Content-Length HTTP header.",
		}
	}
	b := &body{length: length, trailer: http.Header{}}
	for name := range strings.SplitSeq(r.Header.Get("X-Amz-Trailer"), ",") {
		if name := strings.TrimSpace(name); name != "" {
			b.trailer[http.CanonicalHeaderKey(name)] = nil
		}
	}
	b.Reader = newChunkReader(r.Body, length, c, s.hashes.New(), b.trailer)
	return b, nil
}
