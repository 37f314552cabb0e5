package access

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/crypto"
)

const (
	longestTrailer   = 8 << 10  // bytes
	longestOverrun   = 64 << 10 // of a chunk that is too long, and still read to its end
	leastChunk       = 8 << 10  // but of the last one
	signatureLength  = 2 * sha256.Size
	trailerSignature = "x-amz-trailer-signature"
)

// A chain signs chunks, each with the signature before it.
type chain struct {
	sign     signer
	claim    *claim // of the request
	previous string
}

// verify compares the signature of the next link, whose texts are hashed.
func (c *chain) verify(algorithm, signature string, hashes ...string) error {
	text := strings.Join(append([]string{algorithm, c.claim.context, c.previous}, hashes...), "\n")
	if !same(c.sign(text), signature) {
		return s3{}.explain(signatureMismatch(text, c.claim.accessKey, signature), c.claim)
	}
	c.previous = signature
	return nil
}

// A chunkReader decodes aws-chunked: chunks of
//
//	SIZE in hex [;chunk-signature=SIGNATURE] CRLF data CRLF
//
// the last one empty, then lines NAME:VALUE, the signature of these as the last of them, and an empty
// line. All chunks but the last two have 8 KiB at least, as S3 wants it.
type chunkReader struct {
	from    *bufio.Reader
	chain   *chain      // nil if chunks are not signed
	trailer http.Header // the names that are allowed; filled at the end

	left      int64 // bytes of data that are still to come
	chunk     int64 // of them in this chunk
	count     int   // of chunks that have begun
	size      int64 // of the chunk
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
		err = incompleteBody(bodyEnded)
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
	text, signature, _ := strings.Cut(line, ";chunk-signature=")
	n, err := strconv.ParseUint(text, 16, 63)
	size := int64(n)
	r.count++
	switch {
	case err != nil, r.chain != nil && len(signature) != signatureLength:
		return incompleteBody(bodyEnded)
	case size > 0 && r.count > 1 && r.size < leastChunk:
		return badRequest("InvalidChunkSizeError", chunkTooSmall).
			with("Chunk", strconv.Itoa(r.count)).
			with("BadChunkSize", strconv.FormatInt(r.size, 10))
	case size > r.left:
		return r.overrun(size)
	}
	r.chunk, r.size = size, size
	r.signature = signature
	r.hash.Reset()
	return nil
}

// overrun is the error for a chunk of a size that is more than is still to come. None of it is given to
// anybody. Whether its size is wrong, or the length of all, the end of the chunk shows.
func (r *chunkReader) overrun(size int64) error {
	if size <= longestOverrun {
		if _, err := io.CopyN(io.Discard, r.from, size); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
		if line, err := r.line(); err != nil {
			return err
		} else if line != "" {
			return incompleteBody(bodyEnded)
		}
	}
	return incompleteBody(bodyLength)
}

// finish reads what is behind the data of a chunk, and verifies it.
func (r *chunkReader) finish() error {
	line, err := r.line()
	if err != nil {
		return err
	}
	if line != "" {
		return incompleteBody(bodyEnded)
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
// Clients do not agree about the empty lines around the lines of a trailer, so those mean nothing, but
// that the last line must be one.
func (r *chunkReader) end() error {
	if r.left > 0 {
		return incompleteBody(bodyLength)
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
	signed, signature, err := r.readTrailer(string(rest))
	if err != nil {
		return err
	}
	return r.verifyTrailer(signed, signature)
}

// readTrailer reads the lines of a trailer. signed is what its signature is made of.
func (r *chunkReader) readTrailer(rest string) (signed, signature string, err error) {
	if rest != "\r\n" && !strings.HasSuffix(rest, "\n\r\n") {
		return "", "", incompleteBody(bodyEnded)
	}
	missing := len(r.trailer)
	var lines strings.Builder
	for line := range strings.Lines(rest) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if strings.Contains(line, "\r") {
			return "", "", incompleteBody(bodyEnded)
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch before, allowed := r.trailer[http.CanonicalHeaderKey(name)]; {
		case name == "":
		case name == trailerSignature && signature == "":
			signature = value
		case !allowed && r.chain != nil && len(r.trailer) > 0 && missing == 0:
			return "", "", incompleteBody(bodyEnded) // the signature must come there
		case !allowed || before != nil:
			return "", "", malformedTrailer()
		case !fitsChecksum(name, value): // with an empty one nothing would be compared
			return "", "", badRequest("InvalidRequest", say(trailerValue, name))
		default:
			missing--
			r.trailer.Set(name, value)
			lines.WriteString(name + ":" + value + "\n")
		}
	}
	if missing > 0 {
		return "", "", malformedTrailer()
	}
	return lines.String(), signature, nil
}

// verifyTrailer finds out whether the trailer came as it was signed.
func (r *chunkReader) verifyTrailer(signed, signature string) error {
	if r.chain == nil || len(r.trailer) == 0 {
		return io.EOF
	}
	if len(signature) != signatureLength {
		return incompleteBody(bodyEnded)
	}
	if err := r.chain.verify("AWS4-HMAC-SHA256-TRAILER", signature, hexSHA256(signed)); err != nil {
		return err
	}
	return io.EOF
}

// fitsChecksum says whether a trailer of that name may have the value: a checksum must be one.
func fitsChecksum(name, value string) bool {
	algorithm, _ := strings.CutPrefix(name, "x-amz-checksum-")
	a := crypto.ChecksumAlgorithm(strings.ToUpper(algorithm))
	sum, err := base64.StdEncoding.DecodeString(value)
	return value != "" && (!a.Valid() || err == nil && len(sum) == a.Size())
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
		return "", incompleteBody(bodyEnded)
	}
	return text, nil
}

func malformedTrailer() *Error {
	return badRequest("MalformedTrailerError", "The request contained trailing data that was not "+
		"well-formed or did not conform to our published schema.")
}
