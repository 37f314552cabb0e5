package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
)

// The sample is made of blocks, in turn of several with random bytes and one with text, so that a
// chunk holds both and compresses a little.
const (
	sampleSize      = 64 << 20
	sampleBlock     = 64 << 10
	sampleTextEvery = 4 // blocks
)

var sampleWords = []string{
	"stone ", "wire ", "cage ", "wall ", "river ", "bank ", "water ", "rough ",
	"part ", "chunk ", "many ", "one ", "holds ", "against ", "the ", "flood\n",
}

// makeSample writes a sample of n bytes into the file path.
func makeSample(ctx context.Context, path string, n int64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, sampleBlock)
	if err := writeSample(ctx, w, n); err != nil {
		return err
	}
	return w.Flush()
}

// writeSample writes the first n bytes of the sample, which are the same every time.
func writeSample(ctx context.Context, w io.Writer, n int64) error {
	source := rand.NewChaCha8([32]byte([]byte("gabion bench: the sample's seed.")))
	rng := rand.New(source)
	block := make([]byte, sampleBlock)
	for i := 0; n > 0; i++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if i%sampleTextEvery == sampleTextEvery-1 {
			fillWithText(block, rng)
		} else {
			source.Read(block) // never fails
		}
		block = block[:min(n, sampleBlock)]
		if _, err := w.Write(block); err != nil {
			return err
		}
		n -= int64(len(block))
	}
	return nil
}

func fillWithText(p []byte, rng *rand.Rand) {
	for len(p) > 0 {
		p = p[copy(p, sampleWords[rng.IntN(len(sampleWords))]):]
	}
}
