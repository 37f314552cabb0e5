package nodes

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// A Body is what is stored, by the numbers of its blocks: each rune stands for BlockSize bytes that
// are random but for the number at their beginning. What nodes read they tell in the same way, so a
// Body is all that has to be remembered and compared.
type Body string

// BlockSize is the size of a block in bytes, and of the chunks of nodes: what bodies have in common
// is stored once.
const BlockSize = 16 << 10

// Part is a body that is large enough for any part, of successive blocks: the first one is some
// number above first.
func Part(first int32) Body {
	const least = 100 << 10 // that a part may have, but for the last
	var numbers []rune
	for len(numbers) <= least/BlockSize {
		numbers = append(numbers, ' '+first+rune(len(numbers)))
	}
	return Body(numbers)
}

// block is the block of a number.
func block(number rune) []byte {
	b := make([]byte, BlockSize)
	binary.BigEndian.PutUint32(b, uint32(number))
	_, _ = rand.NewChaCha8([32]byte(b[:32])).Read(b[4:]) // it never fails
	return b
}

// ETag is that of a part with the body.
func (b Body) ETag() string {
	sum := md5.New()
	_, _ = io.Copy(sum, b.reader(0))
	return fmt.Sprintf("%X", sum.Sum(nil))
}

// reader gives the body, the second half of it after a pause.
func (b Body) reader(pause time.Duration) io.Reader {
	numbers := []rune(b)
	half := len(numbers) / 2
	return io.MultiReader(whole(numbers[:half]), &pauseReader{pause}, whole(numbers[half:]))
}

func whole(numbers []rune) io.Reader {
	var all []byte
	for _, number := range numbers {
		all = append(all, block(number)...)
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
	var numbers []rune
	for begin := 0; begin < len(all); begin += BlockSize {
		got := all[begin:min(begin+BlockSize, len(all))]
		number := rune(0)
		if len(got) == BlockSize {
			number = rune(binary.BigEndian.Uint32(got))
		}
		if !bytes.Equal(got, block(number)) {
			return "", fmt.Errorf("%w are at %d of %d", errWrong, begin, len(all))
		}
		numbers = append(numbers, number)
	}
	return Body(numbers), nil
}
