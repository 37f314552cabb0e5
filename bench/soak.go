package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/bench/internal/soak"
	"github.com/gabion-storage/gabion/engine"
)

const soakSamples = 60 // in a run, unless -interval says otherwise

// A soaking is one run of the soak command.
type soaking struct {
	cli.Place
	duration, interval time.Duration
	live               int64 // bytes
	rules              soak.Rules
	clients            soak.Options
	engine             engine.Options
	command            string

	dir     string
	stdout  io.Writer
	log     *log.Logger
	world   *soak.World
	samples []soak.Sample // while the clients worked
}

func parseSoak(args []string, stdout io.Writer) (*soaking, error) {
	const most = 1 << 50
	s := &soaking{live: 1 << 30, stdout: stdout}
	c, e := &s.clients, &s.engine
	c.Bucket, c.Clients, c.Sizes = bucket, 16, soak.Sizes{Least: 1 << 10, Most: 64 << 20}
	c.Clock, c.Sleep, e.ChunkSize = time.Now, sleep, engine.DefaultChunkSize
	flags := flag.NewFlagSet("bench soak", flag.ContinueOnError)
	size := func(at *int64, name string, most bytesize.Size, usage string) {
		cli.Size(flags, (*bytesize.Size)(at), name, 1, most, usage)
	}
	chunk := int64(e.ChunkSize)
	cli.Int(flags, &c.Clients, "clients", 1, contest.MaxParallel, "`number` of clients at once")
	flags.DurationVar(&s.duration, "duration", time.Minute, "how `long` the clients go on")
	flags.DurationVar(&s.interval, "interval", 0,
		"`time` between samples (default the 60th part of -duration, at least 1s)")
	flags.Uint64Var(&c.Seed, "seed", rand.Uint64N(1<<53)+1,
		"`number` that the clients' doings follow from; by default a random one")
	size(&s.live, "live", most,
		"`bytes` of objects that there are about, all the time: says how many keys there are")
	size(&c.Sizes.Least, "least", engine.MaxPartSize,
		"least `bytes` of an object; the logarithms of sizes are evenly distributed")
	size(&c.Sizes.Most, "most", engine.MaxPartSize, "most `bytes` of an object")
	size(&chunk, "chunk", most, "the engine's ChunkSize in `bytes`")
	flags.DurationVar(&e.UploadExpiry, "expiry", 20*time.Second,
		"the engine's UploadExpiry: some uploads are left open for it; 0: none")
	flags.BoolVar(&s.rules.Latency, "latency", true,
		"judge also what calls take, which a busy machine can make grow")
	s.Define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(stdout, "\n%s\n", soak.RuleText)
		}
		return nil, err
	}
	switch {
	case s.duration <= 0 || s.interval < 0:
		return nil, cli.Usagef("-duration is %v and -interval %v, must be above 0",
			s.duration, s.interval)
	case c.Sizes.Most <= c.Sizes.Least || s.live < c.Sizes.Most:
		return nil, cli.Usagef("-least is %d, -most %d and -live %d, must be in this order",
			c.Sizes.Least, c.Sizes.Most, s.live)
	case s.interval == 0:
		s.interval = max(s.duration/soakSamples, time.Second).Round(time.Millisecond)
	}
	c.Part = max(4<<20/chunk, 1) * chunk // a few whole chunks, and what the rules allow
	c.Expiry, e.ChunkSize = e.UploadExpiry, int(chunk)
	c.Keys = c.KeysFor(s.live)
	s.world = soak.NewWorld(*c)
	s.command = cli.Command("go run ./bench soak", flags, "dir", "json")
	return s, nil
}

// runSoak is the soak command.
func runSoak(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	s, err := parseSoak(args, stdout)
	if err != nil {
		return err
	}
	s.log = stderr
	if s.dir, err = os.MkdirTemp(s.Dir, "gabion-bench-"); err != nil {
		return err
	}
	err = s.run(ctx)
	if len(s.samples) > 1 && s.JSON != "" {
		r := report.New(fmt.Sprintf("%d clients for %v", s.clients.Clients, s.duration), s.command,
			s.dir, "Live is what must be there, duplicates once. May be: 1.5 times live and 256 MiB."+
				" p50 and p99 are of the calls in an interval.")
		soak.AddTo(r, s.samples)
		err = errors.Join(err, r.Save(s.JSON))
	}
	if err != nil && s.Dir != os.TempDir() && ctx.Err() == nil {
		stderr.Printf("%s is left as it is", s.dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// run opens the store and has the clients work.
func (s *soaking) run(ctx context.Context) (err error) {
	s.engine.Keys, err = openKeyring(filepath.Join(s.dir, "keyring"), true)
	if err != nil {
		return err
	}
	alarm := func(format string, args ...any) { s.world.Fail(fmt.Errorf(format, args...)) }
	e, err := contest.OpenEngine(ctx, filepath.Join(s.dir, "store"), s.engine, engine.OSS, alarm)
	if err != nil {
		return errors.Join(err, s.world.Failure())
	}
	s.world.Use(e.Engine)
	fmt.Fprintf(s.stdout, "%s\n%d keys in %s\n", s.command, s.clients.Keys, s.dir)
	if err := s.conclude(s.work(ctx), e); err != nil {
		return err
	}
	fmt.Fprintln(s.stdout, "verified: all reads, the store, and that the curves level off")
	return nil
}

// conclude closes the store and adds what it has reported, up to its end, to how the work ended.
func (s *soaking) conclude(err error, store io.Closer) error {
	err = errors.Join(err, store.Close())
	if failure := s.world.Failure(); failure != nil && !errors.Is(err, failure) {
		return errors.Join(err, failure)
	}
	return err
}

func (s *soaking) work(ctx context.Context) error {
	if err := s.world.Fill(ctx); err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	ticks := time.NewTicker(s.interval)
	defer ticks.Stop()
	working, over := context.WithTimeout(ctx, s.duration)
	defer over()
	err := s.world.Run(ctx, working.Done(), ticks.C, func(sample soak.Sample) error {
		s.samples = append(s.samples, sample)
		return sample.Print(s.stdout)
	})
	if err != nil {
		return err
	}
	s.log.Print("the clients are done; reading everything once more")
	if err := s.world.Settle(ctx); err != nil {
		return err
	}
	s.log.Print("checking")
	if err := s.world.Check(ctx); err != nil {
		return err
	}
	unjudged, err := s.rules.Judge(s.samples)
	if len(unjudged) > 0 {
		s.log.Printf("too few samples or calls to judge: %s", strings.Join(unjudged, ", "))
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
