package nodes

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// A Body is what is stored, by the numbers of its blocks: each byte stands for one of 256 blocks of
// BlockSize random bytes. What nodes read they tell in the same way, so a Body is all that has to
// be remembered and compared.
type Body string

// BlockSize is the size of a block in bytes, and of the chunks of nodes: what bodies have in common
// is stored once.
const BlockSize = 4 << 10

var blocks = sync.OnceValue(func() (all [256][]byte) {
	for i := range all {
		all[i] = make([]byte, BlockSize)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(all[i]) // it never fails
	}
	return all
})

// ETag is that of a part with the body.
func (b Body) ETag() string {
	sum := md5.New()
	_, _ = io.Copy(sum, b.reader(0))
	return fmt.Sprintf("%X", sum.Sum(nil))
}

// reader gives the body, the second half of it after a pause.
func (b Body) reader(pause time.Duration) io.Reader {
	half := len(b) / 2
	return io.MultiReader(b[:half].whole(), &pauseReader{pause}, b[half:].whole())
}

func (b Body) whole() io.Reader {
	var all []byte
	for _, number := range []byte(b) {
		all = append(all, blocks()[number]...)
	}
	return bytes.NewReader(all)
}

// pauseReader is at its end, a little later.
type pauseReader struct{ time.Duration }

func (r *pauseReader) Read([]byte) (int, error) {
	time.Sleep(r.Duration)
	return 0, io.EOF
}

// errWrong says that bytes were read that nobody can have stored.
var errWrong = errors.New("bytes that were never stored")

// readBody reads a body.
func readBody(r io.Reader) (Body, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	var b []byte
	for at := 0; at < len(all); at += BlockSize {
		number, ok := numberOf(all[at:min(at+BlockSize, len(all))])
		if !ok {
			return "", fmt.Errorf("%w are at %d of %d", errWrong, at, len(all))
		}
		b = append(b, number)
	}
	return Body(b), nil
}

func numberOf(block []byte) (number byte, ok bool) {
	for i, is := range blocks() {
		if bytes.Equal(is, block) {
			return byte(i), true
		}
	}
	return 0, false
}
