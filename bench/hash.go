package main

import (
	"context"
	"crypto/md5"
	"errors"
	"flag"
	"fmt"
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
	"github.com/gabion-storage/gabion/bench/internal/fanout"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/crypto/md5lanes"
)

const (
	hashWrite  = 1 << 20
	hashBuffer = 4 << 20 // at most, of one stream: more than the caches keep when there are many
	maxStreams = 256
)

type md5Sum = [md5.Size]byte

// A hashing is an MD5 under way; end ends it.
type hashing struct {
	io.Writer
	end func() md5Sum
}

// An implementation is one of MD5. start returns what begins hashes, for one measurement, and what
// ends it.
type implementation struct {
	name  string
	start func() (begin func() hashing, stop func())
}

// implementations are what is compared, ours first.
func implementations() []implementation {
	return []implementation{
		{"ours", func() (func() hashing, func()) {
			pool := md5lanes.NewPool()
			return func() hashing {
				h := pool.New()
				return hashing{h, func() md5Sum { defer h.Close(); return h.Sum() }}
			}, func() {}
		}},
		{"crypto/md5", func() (func() hashing, func()) { return standard, func() {} }},
		// A server for each measurement, because it gets slower with each hash that was ever
		// closed.
		{"md5-simd", func() (func() hashing, func()) {
			server := md5simd.NewServer()
			return func() hashing {
				h := server.NewHash()
				return hashing{h, func() md5Sum { defer h.Close(); return md5Sum(h.Sum(nil)) }}
			}, server.Close
		}},
	}
}

// standard is a hash of crypto/md5.
func standard() hashing {
	h := md5.New()
	return hashing{h, func() md5Sum { return md5Sum(h.Sum(nil)) }}
}

// runHash is the hash command: all streams hash size bytes each, first as one hash, then in hashes
// of churn bytes that come and go.
func runHash(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	size, churn, rounds, file := bytesize.Size(64<<20), bytesize.Size(100<<10), 5, ""
	streams := cli.Counts(1, maxStreams, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
	flags := flag.NewFlagSet("bench hash", flag.ContinueOnError)
	cli.Size(flags, &size, "size", 1, math.MaxInt64, "`bytes` that each stream hashes")
	cli.Size(flags, &churn, "churn", 0, math.MaxInt64,
		"`bytes` of a hash in the second table, where hashes come and go; 0 leaves it out")
	flags.Var(&streams, "streams", "`numbers` of concurrent streams to measure")
	cli.Rounds(flags, &rounds)
	flags.StringVar(&file, "json", "", cli.JSONUsage)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return err
	}
	r := report.New(fmt.Sprintf("MD5 of %v a stream", size),
		cli.Command("go run ./bench hash", flags, "json"), "", "MB is 10^6 bytes.")
	r.Baseline = "crypto/md5"
	buffers := makeBuffers(slices.Max(streams.Values), int(min(size, hashBuffer)))
	for _, part := range []bytesize.Size{size, churn} {
		for _, n := range streams.Values {
			if part == 0 {
				continue
			}
			stderr.Printf("hashes of %v: streams: %d", part, n)
			runs := hashRuns(implementations(), buffers[:n], int64(size), part)
			if err := r.Interleave(ctx, rounds, []string{"MB/s"}, runs, nil); err != nil {
				return err
			}
		}
	}
	return r.Write(stdout, file)
}

// hashRuns are the runs of one number of streams. They fail when the digests differ.
func hashRuns(
	all []implementation, buffers [][]byte, size int64, part bytesize.Size,
) (runs []report.Run) {
	about := report.Series{
		Group: fmt.Sprintf("hashes of %v", part), Axis: "streams", Case: strconv.Itoa(len(buffers)),
	}
	var want [][]md5Sum // of whoever is measured first
	for _, one := range all {
		about.Contender = one.name
		runs = append(runs, report.Run{
			Series: about,
			Measure: func(ctx context.Context) ([]float64, error) {
				got, took, err := hashAll(ctx, one, buffers, size, int64(part))
				if want == nil {
					want = got
				}
				if err == nil && !slices.EqualFunc(got, want, slices.Equal) {
					err = errors.New("the digests differ from those of the first")
				}
				return []float64{process.Rate(size*int64(len(buffers)), took)}, err
			},
		})
	}
	return runs
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
func hashAll(
	ctx context.Context, one implementation, buffers [][]byte, size, part int64,
) ([][]md5Sum, time.Duration, error) {
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
func hashStream(
	ctx context.Context, begin func() hashing, buffer []byte, size, part int64,
) (sums []md5Sum, err error) {
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
