// Package data makes the bytes that benchmarks store: sets of parts of one kind.
package data

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/process"
)

// A Kind says what the bytes are like.
type Kind string

const (
	Random Kind = "random" // do not compress
	JSON   Kind = "json"   // lines of JSON, which S2 compresses about 4 times
	Stored Kind = "stored" // random; the benchmark stores them twice and measures the second time
)

// stampEvery is the distance of stamps: no chunk of any store that chunks by 4 KiB or more is
// without one, and so equal to another.
const stampEvery = 4 << 10

// NewSet makes n parts of size bytes, the same every time, no two chunks of which are alike. They
// lie outside of Go's heap where that can be, and must not be used any more after free, neither by
// uploads that were given up: when one has failed, they are better left.
func NewSet(kind Kind, n, size int) (parts [][]byte, free func()) {
	base := make([]byte, size)
	source := rand.NewChaCha8([32]byte([]byte("gabion bench: the seed of parts.")))
	if kind == JSON {
		fillWithJSON(base, rand.New(source))
	} else {
		source.Read(base) // never fails
	}
	mem, free := process.Allocate(n * size)
	for i := range n {
		part := mem[i*size : (i+1)*size : (i+1)*size]
		copy(part, base)
		Stamp(part, i)
		parts = append(parts, part)
	}
	return parts, free
}

// Stamp makes the chunks of a part differ from those of parts of other numbers. It writes
// hexadecimal digits, so that JSON stays text.
func Stamp(part []byte, number int) {
	digits := fmt.Appendf(nil, "%016x", number)
	for at := 0; at < len(part); at += stampEvery {
		copy(part[at:], digits)
	}
}

var events = []string{
	"login", "logout", "upload.begin", "upload.part", "upload.complete", "download", "list", "delete",
}

// fillWithJSON writes lines as a log has them. What varies is drawn so that they compress like one.
func fillWithJSON(p []byte, rng *rand.Rand) {
	const line = `{"id":%d,"time":"%s","user":"user-%d","event":"%s","bytes":%d}` + "\n"
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for id := 1; len(p) > 0; id++ {
		clock = clock.Add(time.Duration(rng.IntN(3)) * time.Second)
		p = p[copy(p, fmt.Sprintf(line, id, clock.Format(time.RFC3339),
			rng.IntN(10_000), events[rng.IntN(len(events))], rng.IntN(100_000))):]
	}
}
