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

	"github.com/gabion-storage/gabion/crypto"
)

const (
	hashWrite    = 1 << 20
	hashBuffer   = 4 << 20 // at most, of one stream: more than the caches keep when there are many
	maxStreams   = 256
	maxRounds    = 1000
	hashSynopsis = "[-size 64MiB] [-streams 1,2,4,8,16,32] [-rounds 3]"
)

// hashOptions are the arguments of the hash command.
type hashOptions struct {
	size    size
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
	o := &hashOptions{size: 64 << 20, streams: streamCounts{1, 2, 4, 8, 16, 32}}
	flags := flag.NewFlagSet("hash", flag.ContinueOnError)
	flags.Var(&o.size, "size", "`bytes` that each stream hashes, or a number with KiB, MiB or GiB")
	flags.Var(&o.streams, "streams", "`numbers` of concurrent streams to measure")
	flags.IntVar(&o.rounds, "rounds", 3, "measurements of each, of which the median counts")
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

// A digester is an MD5 under way.
type digester interface {
	io.Writer
	Sum() [md5.Size]byte
	Close()
}

// A contender is an implementation of MD5.
type contender func() digester

// standard is crypto/md5.
func standard() digester { return standardMD5{md5.New()} }

type standardMD5 struct{ hash.Hash }

func (s standardMD5) Close() {}

func (s standardMD5) Sum() (sum [md5.Size]byte) {
	s.Hash.Sum(sum[:0])
	return sum
}

// runHash is the hash command.
func runHash(ctx context.Context, args []string, stdout io.Writer, _ *console) error {
	o, err := parseHash(args, stdout)
	if err != nil {
		return err
	}
	pool := crypto.NewMD5Pool()
	defer pool.Close()
	return measure(ctx, o, func() digester { return pool.New() }, stdout)
}

// measure prints how fast ours is beside crypto/md5, one line a number of streams.
func measure(ctx context.Context, o *hashOptions, ours contender, stdout io.Writer) error {
	fmt.Fprintf(stdout, "%s\nMD5 of %s a stream, median of %d rounds, MB is 10^6 bytes\n\n", machine(), human(int64(o.size)), o.rounds)
	fmt.Fprintf(stdout, "%7s  %11s  %15s  %5s\n", "streams", "ours MB/s", "crypto/md5 MB/s", "ratio")
	buffers := makeBuffers(slices.Max(o.streams), int(min(o.size, hashBuffer)))
	for _, n := range o.streams {
		row, err := measureStreams(ctx, o, ours, buffers[:n])
		if err != nil {
			return fmt.Errorf("%d streams: %w", n, err)
		}
		_, err = fmt.Fprintf(stdout, "%7d  %11.0f  %15.0f  %5.2f\n", n, row.ours, row.standard, row.ours/row.standard)
		if err != nil {
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

// rates are medians in MB/s.
type rates struct{ ours, standard float64 }

// measureStreams measures both in turns, so that what else the machine does hits both alike. It
// fails when they do not agree.
func measureStreams(ctx context.Context, o *hashOptions, ours contender, buffers [][]byte) (rates, error) {
	total := int64(o.size) * int64(len(buffers))
	var oursAll, standardAll []float64
	for range o.rounds {
		got, took, err := hashAll(ctx, ours, buffers, int64(o.size))
		if err != nil {
			return rates{}, err
		}
		oursAll = append(oursAll, megabytes(total, took))
		want, took, err := hashAll(ctx, standard, buffers, int64(o.size))
		if err != nil {
			return rates{}, err
		}
		standardAll = append(standardAll, megabytes(total, took))
		for i := range want {
			if got[i] != want[i] {
				return rates{}, fmt.Errorf("stream %d: the digests differ, ours is %X, that of crypto/md5 %X", i+1, got[i], want[i])
			}
		}
	}
	return rates{median(oursAll), median(standardAll)}, nil
}

// hashAll hashes size bytes out of each buffer, all at once, and returns the digests and the time
// from the common start to the last end.
func hashAll(ctx context.Context, implementation contender, buffers [][]byte, size int64) ([][md5.Size]byte, time.Duration, error) {
	sums, errs := make([][md5.Size]byte, len(buffers)), make([]error, len(buffers))
	var streams sync.WaitGroup
	start := make(chan struct{})
	for i, buffer := range buffers {
		streams.Go(func() {
			<-start
			sums[i], errs[i] = hashStream(ctx, implementation, buffer, size)
		})
	}
	begin := time.Now()
	close(start)
	streams.Wait()
	took := time.Since(begin)
	for _, err := range errs {
		if err != nil {
			return nil, 0, err
		}
	}
	return sums, took, nil
}

// hashStream hashes size bytes: the buffer from its beginning to its end, again and again.
func hashStream(ctx context.Context, implementation contender, buffer []byte, size int64) (sum [md5.Size]byte, err error) {
	h := implementation()
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
