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
	"runtime"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/bench/internal/soak"
	"github.com/gabion-storage/gabion/engine"
)

const (
	soakSamples   = 60      // in a run, unless -interval says otherwise
	soakCheckData = 4 << 30 // live bytes up to which the check at the end reads all data
	soakSlack     = 16      // goroutines and handles that may be more at the end than before
)

// soakOptions are the arguments of the soak command.
type soakOptions struct {
	cli.Place
	clients                        int
	duration, interval, expiry     time.Duration
	live, least, most              bytesize.Size
	seed                           uint64
	chunk, volume, budget, reserve bytesize.Size // 0: the engine's default
	checkData                      bool
	command                        string
}

func parseSoak(args []string, stdout io.Writer) (*soakOptions, error) {
	const most = 1 << 50
	o := &soakOptions{clients: 16, live: 1 << 30, least: 1 << 10, most: 64 << 20, chunk: engine.DefaultChunkSize}
	flags := flag.NewFlagSet("bench soak", flag.ContinueOnError)
	cli.Int(flags, &o.clients, "clients", 1, contest.MaxParallel, "`number` of clients at once")
	flags.DurationVar(&o.duration, "duration", time.Minute, "how `long` the clients go on")
	flags.DurationVar(&o.interval, "interval", 0, "`time` between samples (default the 60th part of -duration, at least 1s)")
	flags.Uint64Var(&o.seed, "seed", rand.Uint64N(1<<53)+1, "`number` that the clients' doings follow from; by default a random one")
	cli.Size(flags, &o.live, "live", 1, most, "`bytes` of objects that there are about, all the time: says how many keys there are")
	cli.Size(flags, &o.least, "least", 1, engine.MaxPartSize, "least `bytes` of an object; the logarithms of sizes are evenly distributed")
	cli.Size(flags, &o.most, "most", 1, engine.MaxPartSize, "most `bytes` of an object")
	cli.Size(flags, &o.chunk, "chunk", 1, most, "the engine's ChunkSize in `bytes`")
	cli.Size(flags, &o.volume, "volume", 0, most, "the engine's VolumeSize in `bytes`; 0: its default, as below")
	cli.Size(flags, &o.budget, "budget", 0, most, "the engine's MemoryBudget in `bytes`")
	cli.Size(flags, &o.reserve, "reserve", 0, most, "the engine's ReserveSpace in `bytes`")
	flags.DurationVar(&o.expiry, "expiry", 20*time.Second, "the engine's UploadExpiry: some uploads are left open for it; 0: none")
	flags.BoolVar(&o.checkData, "check-data", false, "have the check at the end read every byte, also when more than 4 GiB are live")
	o.Define(flags)
	if err := cli.Parse(flags, args, "", stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(stdout, "\n%s\n", soak.RuleText)
		}
		return nil, err
	}
	switch {
	case o.duration <= 0 || o.interval < 0:
		return nil, cli.Usagef("-duration is %v and -interval %v, must be above 0", o.duration, o.interval)
	case o.most <= o.least || o.live < o.most:
		return nil, cli.Usagef("-least is %v, -most %v and -live %v, must be in this order", o.least, o.most, o.live)
	case o.interval == 0:
		o.interval = max(o.duration/soakSamples, time.Second).Round(time.Millisecond)
	}
	o.command = cli.Command("go run ./bench soak", flags, "dir", "json")
	return o, nil
}

// runSoak is the soak command.
func runSoak(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	o, err := parseSoak(args, stdout)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.Dir, "gabion-bench-")
	if err != nil {
		return err
	}
	s := &soaking{soakOptions: o, dir: dir, stdout: stdout, log: stderr}
	err = s.run(ctx)
	if len(s.samples) > 1 && o.JSON != "" {
		r := report.New(fmt.Sprintf("%d clients for %v", o.clients, o.duration), o.command, dir,
			"Live is what must be there, duplicates once. May be: 1.5 times live and 256 MiB. p50 and p99 are of the calls in an interval.")
		r.Series = soak.Series(s.samples)
		err = errors.Join(err, r.Save(o.JSON))
	}
	if err != nil && o.Dir != os.TempDir() && ctx.Err() == nil {
		stderr.Printf("%s is left as it is", dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// A soaking is one run of the soak command.
type soaking struct {
	*soakOptions
	dir    string
	stdout io.Writer
	log    *log.Logger

	world   *soak.World
	begin   time.Time
	samples []soak.Sample // while the clients worked
}

// run opens the store, has the clients work, and looks at what they leave behind.
func (s *soaking) run(ctx context.Context) error {
	before := processState()
	keys, err := openKeyring(filepath.Join(s.dir, "keyring"), true)
	if err != nil {
		return err
	}
	world := soak.Options{
		Bucket: bucket, Clients: s.clients, Seed: s.seed, Sizes: soak.Sizes{Least: int64(s.least), Most: int64(s.most)},
		Part:   max(4<<20/int64(s.chunk), 1) * int64(s.chunk), // a few whole chunks, and what the rules allow
		Expiry: s.expiry, Clock: time.Now, Sleep: sleep,
	}
	world.Keys = world.KeysFor(int64(s.live))
	e, err := contest.OpenEngine(ctx, filepath.Join(s.dir, "store"), engine.Options{
		Keys: keys, ChunkSize: int(s.chunk), VolumeSize: int64(s.volume), MemoryBudget: int64(s.budget),
		ReserveSpace: int64(s.reserve), UploadExpiry: s.expiry,
	}, engine.OSS, func(format string, args ...any) {
		if s.world != nil {
			s.world.Fail(fmt.Errorf(format, args...))
		}
	})
	if err != nil {
		return err
	}
	s.world = soak.NewWorld(e, world)
	fmt.Fprintf(s.stdout, "%s\n%d keys in %s\n", s.command, world.Keys, s.dir)
	if err := errors.Join(s.work(ctx), e.Close()); err != nil {
		return err
	}
	return leftovers(before, processState, func() { time.Sleep(20 * time.Millisecond) })
}

func (s *soaking) work(ctx context.Context) error {
	if err := s.world.Fill(ctx); err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	s.begin = time.Now()
	ticks := time.NewTicker(s.interval)
	defer ticks.Stop()
	working, over := context.WithTimeout(ctx, s.duration)
	defer over()
	err := s.world.Run(ctx, working.Done(), ticks.C, func(ctx context.Context) error {
		sample, err := s.sample(ctx)
		if err == nil {
			s.samples = append(s.samples, sample)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.log.Print("the clients are done; reading everything once more")
	if err := s.world.Settle(ctx); err != nil {
		return err
	}
	if _, err := s.sample(ctx); err != nil {
		return err
	}
	s.log.Print("checking")
	if err := s.world.Check(ctx, s.checkData || s.world.Live() < soakCheckData); err != nil {
		return err
	}
	unjudged, err := soak.Judge(s.samples)
	if len(unjudged) > 0 {
		s.log.Printf("too few samples to judge: %s", strings.Join(unjudged, ", "))
	}
	if err == nil {
		fmt.Fprintln(s.stdout, "verified: all reads, the store, and that the curves level off")
	}
	return err
}

// sample takes a sample and prints it.
func (s *soaking) sample(ctx context.Context) (soak.Sample, error) {
	at := time.Since(s.begin)
	interval := at
	if n := len(s.samples); n > 0 {
		interval -= s.samples[n-1].At
	}
	sample, err := s.world.Sample(ctx, at, interval, processState())
	if err == nil {
		err = sample.Print(s.stdout)
	}
	return sample, err
}

// leftovers fails when the engine, which is closed, has left goroutines or handles behind.
func leftovers(before soak.Process, now func() soak.Process, pause func()) error {
	var after soak.Process
	for range 100 { // what is ending needs a moment
		if after = now(); after.Goroutines <= before.Goroutines && after.Handles <= before.Handles {
			return nil
		}
		pause()
	}
	if after.Goroutines > before.Goroutines+soakSlack || after.Handles > before.Handles+soakSlack {
		return fmt.Errorf("after Close there are %d goroutines and %d handles, before Open there were %d and %d",
			after.Goroutines, after.Handles, before.Goroutines, before.Handles)
	}
	return nil
}

// processState tells what the process takes.
func processState() soak.Process {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	handles, _ := os.ReadDir("/proc/self/fd") // none where the system does not tell
	return soak.Process{
		Resident: process.ReadMemory()["VmRSS"], Heap: int64(m.HeapInuse), Goroutines: runtime.NumGoroutine(), Handles: len(handles),
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
