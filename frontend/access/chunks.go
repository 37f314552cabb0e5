package access

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	longestTrailer   = 8 << 10 // bytes
	trailerSignature = "x-amz-trailer-signature"
)

// A chain signs chunks, each with the signature before it.
type chain struct {
	sign     signer
	context  string
	previous string
}

// verify compares the signature of the next link, whose texts are hashed.
func (c *chain) verify(algorithm, signature string, hashes ...string) error {
	text := strings.Join(append([]string{algorithm, c.context, c.previous}, hashes...), "\n")
	if !same(c.sign(text), signature) {
		return signatureMismatch(text)
	}
	c.previous = signature
	return nil
}

// A chunkReader decodes aws-chunked: chunks of
//
//	SIZE in hex [;chunk-signature=SIGNATURE] CRLF data CRLF
//
// the last one empty, then lines NAME:VALUE, and the signature of these as the last of them.
type chunkReader struct {
	from    *bufio.Reader
	chain   *chain      // nil if chunks are not signed
	trailer http.Header // the names that are allowed; filled at the end

	left      int64 // bytes of data that are still to come
	chunk     int64 // of them in this chunk
	signature string
	hash      hash.Hash // of the chunk, if it is signed
	err       error     // that has ended it
}

func newChunkReader(
	from io.Reader, length int64, c *chain, h hash.Hash, trailer http.Header,
) *chunkReader {
	return &chunkReader{
		from: bufio.NewReader(from), chain: c, trailer: trailer, left: length, hash: h,
	}
}

// Read gives the last bytes of a chunk only when the chunk has been verified.
func (r *chunkReader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	n, err := r.read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = incompleteBody()
	}
	r.err = err
	return n, err
}

func (r *chunkReader) read(p []byte) (int, error) {
	if r.chunk == 0 {
		if err := r.begin(); err != nil {
			return 0, err
		}
		if r.chunk == 0 {
			return 0, r.end()
		}
	}
	n, err := r.from.Read(p[:min(int64(len(p)), r.chunk)])
	if r.chain != nil {
		r.hash.Write(p[:n])
	}
	r.chunk -= int64(n)
	r.left -= int64(n)
	switch {
	case r.chunk == 0:
		if err := r.finish(); err != nil {
			return 0, err
		}
		return n, nil
	case err == io.EOF:
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// begin reads the header of a chunk.
func (r *chunkReader) begin() error {
	line, err := r.line()
	if err != nil {
		return err
	}
	size, signature, _ := strings.Cut(line, ";chunk-signature=")
	n, err := strconv.ParseUint(size, 16, 63)
	if err != nil || int64(n) > r.left {
		return incompleteBody()
	}
	r.chunk = int64(n)
	r.signature = signature
	r.hash.Reset()
	return nil
}

// finish reads what is behind the data of a chunk, and verifies it.
func (r *chunkReader) finish() error {
	line, err := r.line()
	if err != nil {
		return err
	}
	if line != "" {
		return incompleteBody()
	}
	return r.verifyChunk()
}

func (r *chunkReader) verifyChunk() error {
	if r.chain == nil {
		return nil
	}
	return r.chain.verify("AWS4-HMAC-SHA256-PAYLOAD", r.signature,
		hexSHA256(""), hex.EncodeToString(r.hash.Sum(nil)))
}

// end verifies the last chunk, which is empty, and reads the trailer. It is io.EOF if all is well.
// Clients do not agree about the empty lines around the lines of a trailer, so those mean nothing.
func (r *chunkReader) end() error {
	if r.left > 0 {
		return incompleteBody()
	}
	if err := r.verifyChunk(); err != nil {
		return err
	}
	rest, err := io.ReadAll(io.LimitReader(r.from, longestTrailer+1))
	if err != nil {
		return err
	}
	if len(rest) > longestTrailer {
		return malformedTrailer()
	}
	var signed strings.Builder
	signature := ""
	for line := range bytes.Lines(rest) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch before, allowed := r.trailer[http.CanonicalHeaderKey(name)]; {
		case name == "":
		case name == trailerSignature && signature == "":
			signature = value
		case !allowed || before != nil:
			return malformedTrailer()
		case value == "": // with which nothing would be compared
			return badRequest("InvalidRequest", "Value for "+name+" trailing header is invalid.")
		default:
			r.trailer.Set(name, value)
			signed.WriteString(name + ":" + value + "\n")
		}
	}
	return r.verifyTrailer(signed.String(), signature)
}

// verifyTrailer finds out whether all of the trailer came, and as it was signed.
func (r *chunkReader) verifyTrailer(signed, signature string) error {
	for _, values := range r.trailer {
		if values == nil {
			return malformedTrailer()
		}
	}
	if r.chain != nil && len(r.trailer) > 0 {
		err := r.chain.verify("AWS4-HMAC-SHA256-TRAILER", signature, hexSHA256(signed))
		if err != nil {
			return err
		}
	}
	return io.EOF
}

// line reads a line that ends with CRLF, without it. One that the buffer cannot hold is none.
func (r *chunkReader) line() (string, error) {
	line, err := r.from.ReadSlice('\n')
	switch {
	case err == io.EOF:
		return "", io.ErrUnexpectedEOF
	case err != nil && err != bufio.ErrBufferFull:
		return "", err
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return "", incompleteBody()
	}
	return text, nil
}

func malformedTrailer() *Error {
	return badRequest("MalformedTrailerError", "The request contained trailing data that was not "+
		"well-formed or did not conform to our published schema.")
}
