package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/bench/internal/soak"
	"github.com/gabion-storage/gabion/engine"
)

const (
	soakSamples     = 60 // in a run, unless -interval says otherwise
	soakHandlesPath = "/proc/self/fd"
	soakCheckData   = 4 << 30 // live bytes up to which the check at the end reads all data
	soakSlack       = 16      // goroutines and handles that may be more at the end than before

	soakSynopsis = "[-clients 16] [-duration 60s] [-live 1GiB] [-least 1KiB] [-most 64MiB] [-interval D] [-seed N]" +
		" [-chunk 1MiB] [-volume N] [-budget N] [-reserve N] [-expiry 20s] [-check-data] [-dir DIR] [-json FILE]"
)

// soakOptions are the arguments of the soak command.
type soakOptions struct {
	clients            int
	duration, interval time.Duration
	live, least, most  bytesize.Size
	seed               uint64
	chunk              bytesize.Size
	volume, budget     bytesize.Size // 0: the engine's default
	reserve            bytesize.Size // 0: the engine's default
	expiry             time.Duration
	checkData          bool
	dir                string
	output             output
}

func parseSoak(args []string, stdout io.Writer) (*soakOptions, error) {
	o := &soakOptions{live: 1 << 30, least: 1 << 10, most: 64 << 20, chunk: engine.DefaultChunkSize}
	flags := flag.NewFlagSet("bench soak", flag.ContinueOnError)
	flags.IntVar(&o.clients, "clients", 16, "`number` of clients at once")
	flags.DurationVar(&o.duration, "duration", time.Minute, "how `long` the clients go on")
	flags.DurationVar(&o.interval, "interval", 0, "`time` between samples (default the 60th part of -duration, at least 1s)")
	flags.Uint64Var(&o.seed, "seed", 0, "`number` that the clients' doings follow from (default a random one)")
	flags.Var(&o.live, "live", "`bytes` of objects that there are about, all the time: says how many keys there are")
	flags.Var(&o.least, "least", "least `bytes` of an object; the logarithms of sizes are evenly distributed")
	flags.Var(&o.most, "most", "most `bytes` of an object")
	flags.Var(&o.chunk, "chunk", "the engine's ChunkSize in `bytes`")
	flags.Var(&o.volume, "volume", "the engine's VolumeSize in `bytes`")
	flags.Var(&o.budget, "budget", "the engine's MemoryBudget in `bytes`")
	flags.Var(&o.reserve, "reserve", "the engine's ReserveSpace in `bytes`")
	flags.DurationVar(&o.expiry, "expiry", 20*time.Second, "the engine's UploadExpiry: some uploads are left open for it; 0: none")
	flags.BoolVar(&o.checkData, "check-data", false, "have the check at the end read every byte, also when more than 4 GiB are live")
	flags.StringVar(&o.dir, "dir", "", "working `directory`, which must not be there; it is removed at the end if all went well (default a temporary one)")
	o.output.define(flags)
	if err := cli.Parse(flags, args, soakSynopsis, stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(stdout, "\n%s\nOn disk may be 1.5 times the live bytes and 256 MiB, at every sample.\n", soak.RuleText)
		}
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, cli.Usagef("%q: the soak command takes flags only", flags.Arg(0))
	}
	return o, o.check()
}

func (o *soakOptions) check() error {
	switch {
	case o.clients < 1 || o.clients > maxParallel:
		return cli.Usagef("-clients is %d, must be 1 to %d", o.clients, maxParallel)
	case o.duration <= 0:
		return cli.Usagef("-duration is %v, must be above 0", o.duration)
	case o.interval < 0:
		return cli.Usagef("-interval is %v, must not be negative", o.interval)
	case o.least < 1 || o.most <= o.least || o.most > engine.MaxPartSize:
		return cli.Usagef("-least is %v and -most %v, must be 1 byte to %v and in this order", o.least, o.most, bytesize.Size(engine.MaxPartSize))
	case o.live < o.most:
		return cli.Usagef("-live is %v, must be at least one object of -most, %v", o.live, o.most)
	case o.chunk < 1:
		return cli.Usagef("-chunk is %v, must be at least 1 byte", o.chunk)
	}
	if o.interval == 0 {
		o.interval = max(o.duration/soakSamples, time.Second).Round(time.Millisecond)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1<<53) + 1
	}
	return nil
}

// world is what is to be done in the store.
func (o *soakOptions) world() soak.Options {
	w := soak.Options{
		Clients: o.clients, Seed: o.seed, Sizes: soak.Sizes{Least: int64(o.least), Most: int64(o.most)},
		Part: o.partSize(), Expiry: o.expiry, Clock: time.Now, Sleep: sleep,
	}
	w.Keys = w.KeysFor(int64(o.live))
	return w
}

// partSize is a few whole chunks, and what the rules allow.
func (o *soakOptions) partSize() int64 {
	const wanted = 4 << 20
	return max(wanted/int64(o.chunk), 1) * int64(o.chunk)
}

func (o *soakOptions) command() string {
	text := fmt.Sprintf("go run ./bench soak -clients %d -duration %v -live %v -least %v -most %v -interval %v -seed %d -chunk %v -expiry %v",
		o.clients, o.duration, o.live, o.least, o.most, o.interval, o.seed, o.chunk, o.expiry)
	for _, f := range []struct {
		name string
		size bytesize.Size
	}{{"volume", o.volume}, {"budget", o.budget}, {"reserve", o.reserve}} {
		if f.size != 0 {
			text += fmt.Sprintf(" -%s %v", f.name, f.size)
		}
	}
	return text
}

// runSoak is the soak command.
func runSoak(ctx context.Context, args []string, stdout io.Writer, out *console) (err error) {
	o, err := parseSoak(args, stdout)
	if err != nil {
		return err
	}
	dir, err := makeDir(o.dir)
	if err != nil {
		return err
	}
	s := &soaking{options: o, dir: dir, stdout: stdout, out: out}
	err = s.run(ctx)
	if len(s.samples) > 1 {
		err = errors.Join(err, s.report())
	}
	if err != nil && o.dir != "" && ctx.Err() == nil {
		out.notef("%s is left as it is", dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// A soaking is one run of the soak command.
type soaking struct {
	options *soakOptions
	dir     string
	stdout  io.Writer
	out     *console

	engine  *engine.Engine
	world   *soak.World
	begin   time.Time
	samples []soak.Sample // while the clients worked
}

// run opens the store, has the clients work, and looks at what they leave behind.
func (s *soaking) run(ctx context.Context) (err error) {
	before := processState()
	if err := s.open(ctx); err != nil {
		return err
	}
	err = s.work(ctx)
	if closing := s.engine.Close(); closing != nil {
		return errors.Join(err, fmt.Errorf("closing: %w", closing))
	}
	if err != nil {
		return err
	}
	return leftovers(before, processState, func() { time.Sleep(20 * time.Millisecond) })
}

func (s *soaking) open(ctx context.Context) error {
	store := filepath.Join(s.dir, "store")
	keys, err := openKeyring(filepath.Join(s.dir, "keyring"), !isThere(store))
	if err != nil {
		return err
	}
	o := s.options
	s.engine, err = engine.Open(ctx, store, &engine.Options{
		Keys: keys, ChunkSize: int(o.chunk), VolumeSize: int64(o.volume), MemoryBudget: int64(o.budget),
		ReserveSpace: int64(o.reserve), UploadExpiry: o.expiry,
		Events: &engine.Events{Alarm: func(err error) {
			if s.world != nil {
				s.world.Fail(fmt.Errorf("the store reports: %w", err))
			}
		}},
	})
	if errors.Is(err, engine.ErrInvalidArgument) {
		return cli.Usagef("%v", err)
	}
	return err
}

func (s *soaking) work(ctx context.Context) (err error) {
	o := s.options
	world := o.world()
	s.world, err = soak.NewWorld(ctx, s.engine, world)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "%s\n%d keys in %s\n", o.command(), world.Keys, s.dir)
	if err := s.world.Fill(ctx); err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	if err := s.clients(ctx); err != nil {
		return err
	}
	s.out.notef("the clients are done; reading everything once more")
	if err := s.world.Settle(ctx); err != nil {
		return err
	}
	rest, err := s.take(ctx)
	if err != nil {
		return err
	}
	if err := rest.Print(s.stdout); err != nil {
		return err
	}
	s.out.notef("checking")
	if err := s.world.Check(ctx, o.checkData || s.world.Live() < soakCheckData); err != nil {
		return err
	}
	return s.judge()
}

// clients has the clients work until the time is over.
func (s *soaking) clients(ctx context.Context) error {
	s.begin = time.Now()
	ticks := time.NewTicker(s.options.interval)
	defer ticks.Stop()
	stop := make(chan struct{})
	timer := time.AfterFunc(s.options.duration, func() { close(stop) })
	defer timer.Stop()
	return s.world.Run(ctx, stop, ticks.C, s.sample)
}

// take takes a sample.
func (s *soaking) take(ctx context.Context) (soak.Sample, error) {
	at := time.Since(s.begin)
	interval := at
	if n := len(s.samples); n > 0 {
		interval -= s.samples[n-1].At
	}
	return s.world.Sample(ctx, at, interval, processState())
}

func (s *soaking) sample(ctx context.Context) error {
	sample, err := s.take(ctx)
	if err != nil {
		return err
	}
	s.samples = append(s.samples, sample)
	return sample.Print(s.stdout)
}

func (s *soaking) judge() error {
	unjudged, err := soak.Judge(s.samples)
	if len(unjudged) > 0 {
		s.out.notef("too few samples to judge: %s", strings.Join(unjudged, ", "))
	}
	if err == nil {
		fmt.Fprintln(s.stdout, "verified: all reads, the store, and that the curves level off")
	}
	return err
}

func (s *soaking) report() error {
	r := &report.Report{
		Title:   fmt.Sprintf("%d clients for %v", s.options.clients, s.options.duration),
		Command: s.options.command(),
		Date:    time.Now().UTC().Truncate(time.Second),
		Machine: report.ThisMachine(s.dir),
		Notes:   []string{"Live is what must be there, duplicates once. May be: 1.5 times live and 256 MiB. p50 and p99 are of the calls in an interval."},
		Series:  soak.Series(s.samples),
	}
	return s.options.output.save(r)
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
func processState() (p soak.Process) {
	if m := readMemory(); m != nil {
		p.Resident = m.Resident
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.Heap, p.Goroutines = int64(m.HeapInuse), runtime.NumGoroutine()
	if handles, err := os.ReadDir(soakHandlesPath); err == nil {
		p.Handles = len(handles)
	}
	return p
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
