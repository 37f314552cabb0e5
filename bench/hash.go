package main

import (
	"context"
	"crypto/md5"
	"flag"
	"fmt"
	"hash"
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

// hashOptions are the arguments of the hash command.
type hashOptions struct {
	size    bytesize.Size
	churn   bytesize.Size // 0: none
	streams cli.List[int]
	rounds  int
	json    string
	command string
}

func parseHash(args []string, stdout io.Writer) (*hashOptions, error) {
	o := &hashOptions{size: 64 << 20, churn: 100 << 10, rounds: 5}
	o.streams = cli.Counts(1, maxStreams, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
	flags := flag.NewFlagSet("bench hash", flag.ContinueOnError)
	cli.Size(flags, &o.size, "size", 1, math.MaxInt64, "`bytes` that each stream hashes, or a number with KiB, MiB or GiB")
	cli.Size(flags, &o.churn, "churn", 0, math.MaxInt64, "`bytes` of a hash in the second table, where hashes come and go; 0 leaves it out")
	flags.Var(&o.streams, "streams", "`numbers` of concurrent streams to measure")
	cli.Rounds(flags, &o.rounds)
	flags.StringVar(&o.json, "json", "", cli.JSONUsage)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		return nil, err
	}
	o.command = cli.Command("go run ./bench hash", flags, "json")
	return o, nil
}

type md5Sum = [md5.Size]byte

// A digester is an MD5 under way.
type digester interface {
	io.Writer
	Sum() md5Sum
	Close()
}

// A contender is an implementation of MD5.
type contender struct {
	name string
	// start returns what makes hashes, for one measurement, and what ends it.
	start func() (begin func() digester, stop func())
}

// contenders are the implementations to compare, ours first.
func contenders() []contender {
	return []contender{
		{"ours", func() (func() digester, func()) {
			pool := md5lanes.NewPool()
			return func() digester { return pool.New() }, func() {}
		}},
		{"crypto/md5", func() (func() digester, func()) { return standard, func() {} }},
		// A server for each measurement, because it gets slower with each hash that was ever closed.
		{"md5-simd", func() (func() digester, func()) {
			server := md5simd.NewServer()
			return func() digester { return simdMD5{server.NewHash()} }, server.Close
		}},
	}
}

// standard is a hash of crypto/md5.
func standard() digester { return standardMD5{md5.New()} }

type standardMD5 struct{ hash.Hash }

func (s standardMD5) Close() {}

func (s standardMD5) Sum() (sum md5Sum) {
	s.Hash.Sum(sum[:0])
	return sum
}

type simdMD5 struct{ md5simd.Hasher }

func (s simdMD5) Sum() (sum md5Sum) {
	s.Hasher.Sum(sum[:0])
	return sum
}

// runHash is the hash command.
func runHash(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	o, err := parseHash(args, stdout)
	if err != nil {
		return err
	}
	r, err := measureHash(ctx, o, contenders(), stderr)
	if err != nil {
		return err
	}
	return r.Write(stdout, o.json)
}

// measureHash measures how fast the implementations are: first when each stream is one hash, then
// when hashes come and go.
func measureHash(ctx context.Context, o *hashOptions, all []contender, stderr *log.Logger) (*report.Report, error) {
	r := report.New("MD5 of "+bytesize.Human(int64(o.size))+" a stream", o.command, "", megabyteNote)
	r.Baseline = "crypto/md5"
	buffers := makeBuffers(slices.Max(o.streams.Values), int(min(o.size, hashBuffer)))
	for _, part := range []bytesize.Size{o.size, o.churn} {
		if part == 0 {
			continue
		}
		for _, n := range o.streams.Values {
			stderr.Printf("hashes of %s: streams: %d", bytesize.Human(int64(part)), n)
			if err := measureStreams(ctx, r, o, int64(part), all, buffers[:n]); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
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

// measureStreams adds to r how many MB/s each of all reaches. It fails when they do not agree.
func measureStreams(ctx context.Context, r *report.Report, o *hashOptions, part int64, all []contender, buffers [][]byte) error {
	total := int64(o.size) * int64(len(buffers))
	var want [][]md5Sum
	runs := make([]report.Run, len(all))
	for i, c := range all {
		runs[i] = report.Run{Name: c.name, Measure: func(ctx context.Context) (float64, error) {
			got, took, err := hashAll(ctx, c, buffers, int64(o.size), part)
			if err != nil {
				return 0, err
			}
			if want == nil {
				want = got
			}
			return contest.Rate(total, took), compareSums(got, want)
		}}
	}
	about := report.Series{Group: "hashes of " + bytesize.Human(part), Axis: "streams", Case: strconv.Itoa(len(buffers)), Unit: "MB/s"}
	return r.Measure(ctx, o.rounds, about, runs, nil)
}

// compareSums compares digests with those of whoever was measured first.
func compareSums(got, want [][]md5Sum) error {
	for stream := range want {
		for i, sum := range want[stream] {
			if got[stream][i] != sum {
				return fmt.Errorf("stream %d, hash %d: the digests differ: %X, and %X from the first", stream+1, i+1, got[stream][i], sum)
			}
		}
	}
	return nil
}

// hashAll hashes size bytes in each of as many streams as there are buffers, all at once, in hashes
// of part bytes. It returns the digests and the time from the common start to the last end.
func hashAll(ctx context.Context, c contender, buffers [][]byte, size, part int64) ([][]md5Sum, time.Duration, error) {
	begin, stop := c.start()
	defer stop()
	sums := make([][]md5Sum, len(buffers))
	clock := time.Now()
	err := fanout.Each(ctx, len(buffers), len(buffers), func(ctx context.Context, i int) (err error) {
		sums[i], err = hashParts(ctx, begin, buffers[i], size, part)
		return err
	})
	return sums, time.Since(clock), err
}

// hashParts hashes size bytes in hashes of part bytes, one after the other, the last one shorter.
func hashParts(ctx context.Context, begin func() digester, buffer []byte, size, part int64) (sums []md5Sum, err error) {
	at := int64(0)
	for done := int64(0); done < size; done += part {
		length := min(part, size-done)
		// A part that fits in the buffer is not cut at its end: md5-simd can block for ever when many
		// write in the middle of a block.
		if at+length > int64(len(buffer)) {
			at = 0
		}
		sum, err := hashStream(ctx, begin, buffer[at:], length)
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
		if at += length; at >= int64(len(buffer)) {
			at = 0
		}
	}
	return sums, nil
}

// hashStream hashes size bytes: the buffer from its beginning to its end, again and again.
func hashStream(ctx context.Context, begin func() digester, buffer []byte, size int64) (sum md5Sum, err error) {
	h := begin()
	defer h.Close()
	length := int64(len(buffer))
	for done := int64(0); done < size; {
		if ctx.Err() != nil {
			return sum, context.Cause(ctx)
		}
		at := done % length
		piece := buffer[at:min(at+hashWrite, length, at+size-done)]
		if _, err := h.Write(piece); err != nil {
			return sum, err
		}
		done += int64(len(piece))
	}
	return h.Sum(), nil
}
