package main

import (
	"context"
	"crypto/md5"
	"flag"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	md5simd "github.com/minio/md5-simd"

	"github.com/gabion-storage/gabion/crypto"
)

const (
	hashWrite    = 1 << 20
	hashBuffer   = 4 << 20 // at most, of one stream: more than the caches keep when there are many
	maxStreams   = 256
	maxRounds    = 1000
	hashSynopsis = "[-size 64MiB] [-churn 100KiB] [-streams 1,2,4,8,16,32,64] [-rounds 5]"
)

// hashOptions are the arguments of the hash command.
type hashOptions struct {
	size    size
	churn   size // 0: none
	streams streamCounts
	rounds  int
}

// streamCounts is a flag: numbers of streams.
type streamCounts []int

// Set implements flag.Value.
func (s *streamCounts) Set(text string) error {
	var counts streamCounts
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 || n > maxStreams {
			return fmt.Errorf("%q is not a number of streams, 1 to %d", field, maxStreams)
		}
		counts = append(counts, n)
	}
	*s = counts
	return nil
}

// String implements flag.Value.
func (s streamCounts) String() string {
	texts := make([]string, len(s))
	for i, n := range s {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

func parseHash(args []string, stdout io.Writer) (*hashOptions, error) {
	o := &hashOptions{size: 64 << 20, churn: 100 << 10, streams: streamCounts{1, 2, 4, 8, 16, 32, 64}}
	flags := flag.NewFlagSet("hash", flag.ContinueOnError)
	flags.Var(&o.size, "size", "`bytes` that each stream hashes, or a number with KiB, MiB or GiB")
	flags.Var(&o.churn, "churn", "`bytes` of a hash in the second table, where hashes come and go; 0 leaves it out")
	flags.Var(&o.streams, "streams", "`numbers` of concurrent streams to measure")
	flags.IntVar(&o.rounds, "rounds", 5, "measurements of each, of which the median counts")
	if err := parseFlags(flags, args, hashSynopsis, stdout); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, usagef("%q: the hash command takes flags only", flags.Arg(0))
	case o.size < 1:
		return nil, usagef("-size is %v, must be at least 1 byte", o.size)
	case o.rounds < 1 || o.rounds > maxRounds:
		return nil, usagef("-rounds is %d, must be 1 to %d", o.rounds, maxRounds)
	}
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
			pool := crypto.NewMD5Pool()
			return func() digester { return pool.New() }, pool.Close
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
func runHash(ctx context.Context, args []string, stdout io.Writer, _ *console) error {
	o, err := parseHash(args, stdout)
	if err != nil {
		return err
	}
	return measure(ctx, o, contenders(), stdout)
}

// measure prints how fast the implementations are: a table in which each stream is one hash, and one
// in which hashes come and go.
func measure(ctx context.Context, o *hashOptions, all []contender, stdout io.Writer) error {
	fmt.Fprintf(stdout, "%s\nMD5 of %s a stream, median of %d rounds, MB is 10^6 bytes; ratio: ours to the best of the others\n",
		machine(), human(int64(o.size)), o.rounds)
	buffers := makeBuffers(slices.Max(o.streams), int(min(o.size, hashBuffer)))
	if err := measureParts(ctx, o, int64(o.size), all, buffers, stdout); err != nil || o.churn == 0 {
		return err
	}
	return measureParts(ctx, o, int64(o.churn), all, buffers, stdout)
}

// measureParts prints one table, of hashes of part bytes each, one line a number of streams.
func measureParts(ctx context.Context, o *hashOptions, part int64, all []contender, buffers [][]byte, stdout io.Writer) error {
	fmt.Fprintf(stdout, "\nhashes of %s\n%7s", human(part), "streams")
	for _, c := range all {
		fmt.Fprintf(stdout, "  %15s", c.name+" MB/s")
	}
	fmt.Fprintf(stdout, "  %5s\n", "ratio")
	for _, n := range o.streams {
		rates, err := measureStreams(ctx, o, part, all, buffers[:n])
		if err != nil {
			return fmt.Errorf("%d streams: %w", n, err)
		}
		fmt.Fprintf(stdout, "%7d", n)
		for _, rate := range rates {
			fmt.Fprintf(stdout, "  %15.0f", rate)
		}
		if _, err := fmt.Fprintf(stdout, "  %5.2f\n", rates[0]/slices.Max(rates[1:])); err != nil {
			return err
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

// measureStreams measures all in turns, so that what else the machine does hits all alike, and
// returns the median of each in MB/s. It fails when they do not agree.
func measureStreams(ctx context.Context, o *hashOptions, part int64, all []contender, buffers [][]byte) ([]float64, error) {
	total := int64(o.size) * int64(len(buffers))
	rates := make([][]float64, len(all))
	var want [][]md5Sum
	for round := range o.rounds {
		for i := range all {
			i := (i + round) % len(all) // who comes after whom differs
			got, took, err := hashAll(ctx, all[i], buffers, int64(o.size), part)
			if err != nil {
				return nil, err
			}
			rates[i] = append(rates[i], megabytes(total, took))
			if want == nil {
				want = got
			}
			for stream := range want {
				for j, sum := range want[stream] {
					if got[stream][j] != sum {
						return nil, fmt.Errorf("stream %d, hash %d: the digests differ, that of %s is %X, that of %s %X",
							stream+1, j+1, all[i].name, got[stream][j], all[0].name, sum)
					}
				}
			}
		}
	}
	medians := make([]float64, len(all))
	for i := range all {
		medians[i] = median(rates[i])
	}
	return medians, nil
}

// hashAll hashes size bytes in each of as many streams as there are buffers, all at once, in hashes
// of part bytes. It returns the digests and the time from the common start to the last end.
func hashAll(ctx context.Context, c contender, buffers [][]byte, size, part int64) ([][]md5Sum, time.Duration, error) {
	begin, stop := c.start()
	defer stop()
	sums, errs := make([][]md5Sum, len(buffers)), make([]error, len(buffers))
	var streams sync.WaitGroup
	start := make(chan struct{})
	for i, buffer := range buffers {
		streams.Go(func() {
			<-start
			sums[i], errs[i] = hashParts(ctx, begin, buffer, size, part)
		})
	}
	clock := time.Now()
	close(start)
	streams.Wait()
	took := time.Since(clock)
	for _, err := range errs {
		if err != nil {
			return nil, 0, err
		}
	}
	return sums, took, nil
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

// median returns the middle of values, which must not be empty; the mean of both middles when
// their number is even.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// machine tells what the measurement ran on.
func machine() string {
	fields := []string{runtime.GOOS + "/" + runtime.GOARCH, fmt.Sprintf("%d CPUs", runtime.NumCPU())}
	info, err := os.ReadFile("/proc/cpuinfo")
	if model := cpuModel(string(info)); err == nil && model != "" {
		fields = append(fields, model)
	}
	return strings.Join(append(fields, runtime.Version()), ", ")
}

// cpuModel returns the model name in the text of /proc/cpuinfo, "" when there is none.
func cpuModel(info string) string {
	for line := range strings.Lines(info) {
		if name, model, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return ""
}
