/*
Package data makes the bytes that benchmarks store: sets of parts of one kind, which no store has
seen before.
*/
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

// A Set is parts of equal size, outside of Go's heap where that can be.
type Set struct {
	free   func()
	parts  [][]byte
	rounds []uint32 // that the parts are stamped for
}

// NewSet makes n parts of size bytes, the same every time. The caller should Close it.
func NewSet(kind Kind, n, size int) *Set {
	base := make([]byte, size)
	source := rand.NewChaCha8([32]byte([]byte("gabion bench: the seed of parts.")))
	if kind == JSON {
		fillWithJSON(base, rand.New(source))
	} else {
		source.Read(base) // never fails
	}
	mem, free := process.Allocate(n * size)
	s := &Set{free: free, parts: make([][]byte, n), rounds: make([]uint32, n)}
	for i := range s.parts {
		s.parts[i] = mem[i*size : (i+1)*size : (i+1)*size]
		copy(s.parts[i], base)
		stamp(s.parts[i], 0, i)
	}
	return s
}

// Close gives the memory back. Parts that were returned must not be used any more, neither by
// uploads that were given up: when one has failed, the Set is better left open.
func (s *Set) Close() {
	s.free()
	s.parts = nil
}

// Parts returns the first n parts as they are in a round: no two chunks of all rounds are alike.
// The bytes stay until Parts is called with another round.
func (s *Set) Parts(n int, round uint32) [][]byte {
	for i, part := range s.parts[:n] {
		if s.rounds[i] != round {
			stamp(part, round, i)
			s.rounds[i] = round
		}
	}
	return s.parts[:n]
}

// stamp writes 16 hexadecimal digits, so that JSON stays text.
func stamp(part []byte, round uint32, number int) {
	digits := fmt.Appendf(nil, "%08x%08x", round, number)
	for at := 0; at < len(part); at += stampEvery {
		copy(part[at:], digits)
	}
}

var events = []string{"login", "logout", "upload.begin", "upload.part", "upload.complete", "download", "list", "delete"}

// fillWithJSON writes lines as a log has them. What varies is drawn so that they compress like one.
func fillWithJSON(p []byte, rng *rand.Rand) {
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var line []byte
	for id := 1; len(p) > 0; id++ {
		clock = clock.Add(time.Duration(rng.IntN(3)) * time.Second)
		line = fmt.Appendf(line[:0], `{"id":%d,"time":"%s","user":"user-%d","event":"%s","bytes":%d}`+"\n",
			id, clock.Format(time.RFC3339), rng.IntN(10_000), events[rng.IntN(len(events))], rng.IntN(100_000))
		p = p[copy(p, line):]
	}
}
