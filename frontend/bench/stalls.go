package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/gabion-storage/gabion/internal/latinsquare"
)

// settling is how long the server has for what clients have sent before they stalled.
const settling = 2 * time.Second

// Who stalls, and who does not.
const (
	stalledClients = 200
	stalledInChunk = 64 // of them: they have sent a chunk of the engine's, and half of another
	workers        = 4
	objectSize     = 64 << 10
)

// A phase is what other clients do while the workers' requests are timed.
type phase struct {
	name  string
	stall func(context.Context, *s3.Client, string) (stalledConns, error)
	latencies
}

// phases come in another order in each turn: the store grows, and what comes later would look slower
// than what comes earlier. Two of them are the same, and show how far that holds.
func phases() []*phase {
	const inHeaders = "PUT /bench/stalled HTTP/1.1\r\nHost: x\r\nContent-Le"
	const unsent = ""
	return []*phase{
		{name: "nobody stalls", stall: stallers(0, 0, unsent)},
		{name: "nobody, once more", stall: stallers(0, 0, unsent)},
		{name: "200 send nothing", stall: stallers(stalledClients, 0, unsent)},
		{name: "200 stall in headers", stall: stallers(stalledClients, 0, inHeaders)},
		{name: "64 stall in a chunk", stall: stallers(stalledInChunk, stalledInChunk, unsent)},
		{name: "200 stall, 64 in a chunk", stall: stallers(stalledClients, stalledInChunk, inHeaders)},
	}
}

// stalls prints how long requests take while other clients stall, and while none do.
func stalls(ctx context.Context, args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("bench stalls", flag.ContinueOnError)
	dir := flags.String("dir", os.TempDir(), "`directory` to make the store in")
	turns := flags.Int("turns", 5, "`number` of turns")
	length := flags.Duration("turn", 5*time.Second, "how long each phase of a turn is")
	if err := flags.Parse(args); err != nil {
		return err
	}
	start, err := buildGabion()
	if err != nil {
		return err
	}
	store, err := os.MkdirTemp(*dir, "gabion-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(store)) }()
	s, err := start("-s3")(store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	to, err := dialS3(ctx, s)
	if err != nil {
		return err
	}
	all := phases()
	for turn := range *turns {
		for _, i := range latinsquare.Row(len(all), turn) {
			if err := all[i].time(ctx, to, s.addr, *length); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(stdout, "%-26s %10s %20s %20s\n", "ms, median and p99", "requests", "put", "get")
	for _, p := range all {
		p.print(stdout, p.name)
	}
	return nil
}

// time times requests while others stall.
func (p *phase) time(ctx context.Context, to client, addr string, length time.Duration) error {
	clients, err := p.stall(ctx, to.(*s3Client).api, addr)
	if err != nil {
		return errors.Join(err, clients.close())
	}
	time.Sleep(settling)
	err = p.measure(ctx, to, length)
	return errors.Join(err, clients.close())
}

// latencies are how long requests have taken.
type latencies struct {
	mu       sync.Mutex
	put, get []time.Duration
}

// measure has some workers put and get objects for a turn, each at least one.
func (l *latencies) measure(ctx context.Context, to client, turn time.Duration) error {
	end := time.Now().Add(turn)
	errs := make(chan error, workers)
	for i := range workers {
		go func() { errs <- l.work(ctx, to, fmt.Sprint("worker-", i), end) }()
	}
	var err error
	for range workers {
		err = errors.Join(err, <-errs)
	}
	return err
}

func (l *latencies) work(ctx context.Context, to client, key string, end time.Time) error {
	body := make([]byte, objectSize)
	for {
		if _, err := rand.Read(body); err != nil { // so that nothing is stored already
			return err
		}
		begin := time.Now()
		if err := to.upload(ctx, key, body); err != nil {
			return err
		}
		stored := time.Now()
		rest := comparison(body)
		if err := to.download(ctx, key, &rest); err != nil {
			return err
		}
		read := time.Now()
		if len(rest) > 0 {
			return fmt.Errorf("the last %d bytes are missing", len(rest))
		}
		l.mu.Lock()
		l.put = append(l.put, stored.Sub(begin))
		l.get = append(l.get, read.Sub(stored))
		l.mu.Unlock()
		if read.After(end) {
			return nil
		}
	}
}

func (l *latencies) print(w io.Writer, name string) {
	fmt.Fprintf(w, "%-26s %10d %20s %20s\n", name, len(l.put), quantiles(l.put), quantiles(l.get))
}

// quantiles are the median and the 99th percentile of at least one.
func quantiles(took []time.Duration) string {
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return fmt.Sprintf("%.2f %.2f", ms(took[len(took)/2]), ms(took[len(took)*99/100]))
}

// stalledConns are connections of clients that have stopped in the middle of a request.
type stalledConns []net.Conn

// stallers makes n clients that stop: some in the middle of a body, the others when they have sent
// head.
func stallers(
	n, inChunk int, head string,
) func(context.Context, *s3.Client, string) (stalledConns, error) {
	return func(ctx context.Context, api *s3.Client, addr string) (conns stalledConns, err error) {
		for i := range n {
			sent := []byte(head)
			if i < inChunk {
				if sent, err = halfAnObject(ctx, api, addr); err != nil {
					return conns, err
				}
			}
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return conns, err
			}
			conns = append(conns, conn)
			if _, err := conn.Write(sent); err != nil {
				return conns, err
			}
		}
		return conns, nil
	}
}

// halfAnObject is what a client sends that may put an object, and does not go on.
func halfAnObject(ctx context.Context, api *s3.Client, addr string) ([]byte, error) {
	signed, err := s3.NewPresignClient(api).PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: new(bucket), Key: new("stalled"),
	})
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(signed.URL)
	if err != nil {
		return nil, err
	}
	const sent = 3 << 19
	head := fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n",
		u.RequestURI(), addr, 2*sent)
	return append([]byte(head), make([]byte, sent)...), nil
}

// close fails if the server has not waited for one of the clients.
func (c stalledConns) close() (err error) {
	for _, conn := range c {
		_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond)) // does not fail while it is open
		said, readErr := io.ReadAll(conn)
		if len(said) > 0 || !errors.Is(readErr, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("a client that stalled got %q, %v", said, readErr)
		}
		err = errors.Join(err, conn.Close())
	}
	return err
}
