package main

import (
	"context"
	"crypto/md5"
	"errors"
	"flag"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	md5simd "github.com/minio/md5-simd"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/crypto/md5lanes"
)

const (
	hashWrite  = 1 << 20
	hashBuffer = 4 << 20 // at most, of one stream: more than the caches keep when there are many
	maxStreams = 256
)

type md5Sum = [md5.Size]byte

// underWay is an MD5 under way; end ends it.
type underWay struct {
	io.Writer
	end func() md5Sum
}

// An implementation is one of MD5. start returns what begins hashes, for one measurement, and what
// ends it.
type implementation struct {
	name  string
	start func() (begin func() underWay, stop func())
}

// implementations are what is compared, ours first.
func implementations() []implementation {
	return []implementation{
		{"ours", func() (func() underWay, func()) {
			pool := md5lanes.NewPool()
			return func() underWay {
				h := pool.New()
				return underWay{h, func() md5Sum { defer h.Close(); return h.Sum() }}
			}, func() {}
		}},
		{"crypto/md5", func() (func() underWay, func()) { return standard, func() {} }},
		// A server for each measurement, because it gets slower with each hash that was ever
		// closed.
		{"md5-simd", func() (func() underWay, func()) {
			server := md5simd.NewServer()
			return func() underWay {
				h := server.NewHash()
				return underWay{h, func() md5Sum { defer h.Close(); return md5Sum(h.Sum(nil)) }}
			}, server.Close
		}},
	}
}

// standard is a hash of crypto/md5.
func standard() underWay {
	h := md5.New()
	return underWay{h, func() md5Sum { return md5Sum(h.Sum(nil)) }}
}

// A hashing is the hash command: all streams hash size bytes each.
type hashing struct {
	size, churn bytesize.Size
	streams     cli.List[int]
	rounds      int
	all         []implementation
	report      *report.Report
	log         *log.Logger
}

// runHash is the hash command.
func runHash(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	h := &hashing{size: 64 << 20, churn: 100 << 10, rounds: 5, all: implementations(), log: stderr}
	h.streams = cli.Counts(1, maxStreams, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
	file := ""
	flags := flag.NewFlagSet("bench hash", flag.ContinueOnError)
	cli.Size(flags, &h.size, "size", 1, math.MaxInt64, "`bytes` that each stream hashes, or a number with KiB, MiB or GiB")
	cli.Size(flags, &h.churn, "churn", 0, math.MaxInt64, "`bytes` of a hash in the second table, where hashes come and go; 0 leaves it out")
	flags.Var(&h.streams, "streams", "`numbers` of concurrent streams to measure")
	cli.Rounds(flags, &h.rounds)
	flags.StringVar(&file, "json", "", cli.JSONUsage)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return err
	}
	command := cli.Command("go run ./bench hash", flags, "json")
	h.report = report.New("MD5 of "+bytesize.Human(int64(h.size))+" a stream", command, "", megabyteNote)
	h.report.Baseline = "crypto/md5"
	if err := h.measure(ctx); err != nil {
		return err
	}
	return h.report.Write(stdout, file)
}

// measure measures how fast the implementations are: first when each stream is one hash, then when
// hashes come and go.
func (h *hashing) measure(ctx context.Context) error {
	buffers := makeBuffers(slices.Max(h.streams.Values), int(min(h.size, hashBuffer)))
	for _, part := range []bytesize.Size{h.size, h.churn} {
		for _, n := range h.streams.Values {
			if part == 0 {
				continue
			}
			about := report.Series{Group: "hashes of " + bytesize.Human(int64(part)), Axis: "streams", Case: strconv.Itoa(n), Unit: "MB/s"}
			h.log.Printf("%s: streams: %d", about.Group, n)
			var want [][]md5Sum // of whoever is measured first
			runs := make([]report.Run, len(h.all))
			for i, one := range h.all {
				runs[i] = report.Run{Name: one.name, Measure: func(ctx context.Context) (float64, error) {
					got, took, err := hashAll(ctx, one, buffers[:n], int64(h.size), int64(part))
					if want == nil {
						want = got
					}
					if err == nil && !slices.EqualFunc(got, want, slices.Equal) {
						err = errors.New("the digests differ from those of the first")
					}
					return contest.Rate(int64(h.size)*int64(n), took), err
				}}
			}
			if err := h.report.Measure(ctx, h.rounds, about, runs, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeBuffers returns n buffers of random bytes, no two alike.
func makeBuffers(n, length int) [][]byte {
	source := rand.NewChaCha8([32]byte{})
	buffers := make([][]byte, n)
	for i := range buffers {
		buffers[i] = make([]byte, length)
		source.Read(buffers[i]) // never fails
	}
	return buffers
}

// hashAll hashes size bytes in each of as many streams as there are buffers, all at once, in hashes
// of part bytes. It returns the digests and the time from the common start to the last end.
func hashAll(ctx context.Context, one implementation, buffers [][]byte, size, part int64) ([][]md5Sum, time.Duration, error) {
	begin, stop := one.start()
	defer stop()
	sums := make([][]md5Sum, len(buffers))
	clock := time.Now()
	err := fanout.Each(ctx, len(buffers), len(buffers), func(ctx context.Context, i int) (err error) {
		sums[i], err = hashStream(ctx, begin, buffers[i], size, part)
		return err
	})
	return sums, time.Since(clock), err
}

// hashStream hashes size bytes in hashes of part bytes, one after the other, the last one shorter:
// the buffer from its beginning to its end, again and again.
func hashStream(ctx context.Context, begin func() underWay, buffer []byte, size, part int64) (sums []md5Sum, err error) {
	at, length := int64(0), int64(len(buffer))
	for ; size > 0; size -= part {
		part = min(part, size)
		// A part that fits in the buffer is not cut at its end: md5-simd can block for ever when
		// many write in the middle of a block.
		if at+part > length {
			at = 0
		}
		h := begin()
		for rest := part; rest > 0; {
			piece := buffer[at:min(at+hashWrite, length, at+rest)]
			if _, err = h.Write(piece); err == nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				h.end()
				return nil, err
			}
			rest -= int64(len(piece))
			at = (at + int64(len(piece))) % length
		}
		sums = append(sums, h.end())
	}
	return sums, nil
}
