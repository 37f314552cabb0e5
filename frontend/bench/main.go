// Command bench sends an object through each face, and through other S3 servers, over loopback and
// by the services' own SDKs:
//
//	cd frontend && go run ./bench [-minio PROGRAM] [-versitygw PROGRAM] [-size MIB] [-rounds N]
//	cd frontend && go run ./bench stalls [-turns N] [-turn DURATION]
//
// The servers take turns, in each round once, and in each in another order. Before a server's turn
// what others have left to write is written. Each is a process of its own, with a store of its
// own below -dir; what is printed are medians (least-most) of MB/s and of the processor time that
// the server takes for a byte of an upload, and the most memory that the process has taken. Every
// download is compared with what was sent. The client, which signs, hashes and compares, is on the
// same processors. With -build another build of the command takes turns with the present one.
//
// Stalls measures the S3 face alone: how long requests for small objects take while 200 other
// clients have stopped in the middle of theirs, and while none have.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/gabion-storage/gabion/internal/latinsquare"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// partSize and parallel are what every client uses.
const (
	partSize = 16 << 20
	parallel = 8
)

// A contender is a server and the client that talks to it.
type contender struct {
	name  string
	start func(dir string) (*server, error)
	dial  func(ctx context.Context, s *server) (client, error)

	up, down []float64 // MB/s
	cost     []float64 // nanoseconds of a processor that the server takes for a byte of an upload
	memory   int64     // bytes at most
}

// A client stores an object and reads it again.
type client interface {
	upload(ctx context.Context, key string, body []byte) error
	download(ctx context.Context, key string, w io.Writer) error
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) > 0 && args[0] == "stalls" {
		return stalls(ctx, args[1:], stdout)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	minio := flags.String("minio", "", "`program` of MinIO to compare with")
	versity := flags.String("versitygw", "", "`program` of versitygw to compare with")
	size := flags.Int("size", 1024, "`MiB` of the object")
	rounds := flags.Int("rounds", 5, "`number` of measurements of each")
	dir := flags.String("dir", os.TempDir(), "`directory` to make the stores in")
	only := flags.String("only", "", "`regexp` of the names of those that are measured")
	var builds []string
	flags.Func("build", "`program` that is another build of the command; can be repeated",
		func(program string) error { builds = append(builds, program); return nil })
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	contenders, err := gabion()
	if err != nil {
		return err
	}
	for _, program := range builds {
		contenders = append(contenders, faces(filepath.Base(program), runs(program))...)
	}
	if *minio != "" {
		contenders = append(contenders, minioServer(*minio))
	}
	if *versity != "" {
		contenders = append(contenders, versityServer(*versity))
	}
	contenders = slices.DeleteFunc(contenders, func(c *contender) bool {
		return !wanted.MatchString(c.name)
	})
	body := make([]byte, *size<<20)
	for round := range *rounds {
		if _, err := rand.Read(body); err != nil { // so that nothing is stored already
			return err
		}
		for _, i := range latinsquare.Row(len(contenders), round) {
			c := contenders[i]
			if err := c.measure(ctx, *dir, body); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	fmt.Fprintf(stdout, "%-28s %18s %18s %18s %12s\n", "",
		"upload, MB/s", "server, ns a byte", "download, MB/s", "memory, MiB")
	for _, c := range contenders {
		fmt.Fprintf(stdout, "%-28s %18s %18s %18s %12d\n", c.name,
			spread(c.up, 0), spread(c.cost, 2), spread(c.down, 0), c.memory>>20)
	}
	return nil
}

// measure has a new server take the body and give it back.
func (c *contender) measure(ctx context.Context, dir string, body []byte) (err error) {
	dir, err = os.MkdirTemp(dir, "gabion-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := c.start(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	to, err := c.dial(ctx, s)
	if err != nil {
		return err
	}
	settle()
	idle, err := s.busy()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := to.upload(ctx, "object", body); err != nil {
		return err
	}
	c.up = append(c.up, rate(len(body), time.Since(begin)))
	busy, err := s.busy()
	if err != nil {
		return err
	}
	c.cost = append(c.cost, float64(busy-idle)/float64(len(body)))

	rest := comparison(body)
	begin = time.Now()
	if err := to.download(ctx, "object", &rest); err != nil {
		return err
	}
	c.down = append(c.down, rate(len(body), time.Since(begin)))
	if len(rest) > 0 {
		return fmt.Errorf("the last %d bytes are missing", len(rest))
	}
	memory, err := s.memory()
	c.memory = max(c.memory, memory)
	return err
}

// A comparison takes only what it has, from its beginning.
type comparison []byte

func (c *comparison) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(*c, p) {
		return 0, errors.New("what comes back is not what was sent")
	}
	*c = (*c)[len(p):]
	return len(p), nil
}

func rate(n int, took time.Duration) float64 { return float64(n) / 1e6 / took.Seconds() }

// spread is the median of values, and the least and greatest, with so many digits after the point.
func spread(values []float64, digits int) string {
	slices.Sort(values)
	return fmt.Sprintf("%.*f (%.*f-%.*f)", digits, values[len(values)/2],
		digits, values[0], digits, values[len(values)-1])
}
