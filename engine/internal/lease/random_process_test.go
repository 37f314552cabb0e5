package lease_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/lease"
	"github.com/gabion-storage/gabion/index"
)

// A process is one of a fleet, until it is killed or has lost its lease.
type process struct {
	*world
	name string
	node *lease.Node

	killed atomic.Bool
	end    context.CancelFunc

	mu        sync.Mutex // guards the fields below
	random    *rand.Rand
	stopped   time.Time // until when it is
	condemned map[uint64]bool
	finding   int // calls that look where a chunk is
}

// errKilled is what becomes of requests of a process that is killed. They may have been served.
var errKilled = errors.New("the process is killed")

func (w *world) newProcess(name string, random *rand.Rand) *process {
	return &process{
		world: w, name: name, random: random, condemned: map[uint64]bool{}, end: func() {},
	}
}

func (p *process) join(ctx context.Context) (err error) {
	p.node, err = lease.Join(ctx, lease.Config{
		Index: slow{p.index, p}, Name: p.name, Lease: lasts, Condemned: p.isTold,
		Alarm: func(err error) {
			if errors.Is(err, lease.ErrLost) {
				p.count("lost")
				p.end()
			}
		},
	})
	return err
}

// process runs a process until it is killed, or lost, or ctx ends.
func (w *world) process(ctx context.Context, name string, random *rand.Rand) {
	p := w.newProcess(name, random)
	ctx, p.end = context.WithTimeout(ctx, p.upTo(50*lasts))
	defer p.end()
	if err := p.join(ctx); err != nil {
		return
	}
	var workers sync.WaitGroup
	for _, work := range []func(context.Context) error{p.put, p.put, p.delete, p.read, p.sweep, p.stop} {
		workers.Go(func() {
			for ctx.Err() == nil {
				if err := work(ctx); !expected(err) {
					w.Errorf("process %s: %v", name, err)
				}
				p.pause(p.upTo(2 * time.Second))
			}
		})
	}
	<-ctx.Done()
	p.killed.Store(true)
	workers.Wait()
	p.count("killed")
	_ = p.node.Leave(context.Background()) // which fails, but ends the renewals
}

// expected says whether a process may get an error.
func expected(err error) bool {
	for _, kind := range []error{
		nil, errKilled, lease.ErrLost, lease.ErrTurnLost, lease.ErrTurnTaken,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func (p *process) isTold(volumes []uint64) {
	p.travel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finding == 0 { // else somebody may have found something in what is removed by now
		clear(p.condemned)
	}
	for _, v := range volumes {
		p.condemned[v] = true
	}
}

// finds counts n calls more that look where a chunk is.
func (p *process) finds(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finding += n
}

func (p *process) isCondemned(volume uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.condemned[volume]
}

func (p *process) below(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(n)
}

func (p *process) upTo(most time.Duration) time.Duration { return time.Duration(p.below(int(most))) }

// pause takes some time, and as long as the process is stopped.
func (p *process) pause(d time.Duration) {
	for time.Sleep(d); ; {
		p.mu.Lock()
		left := time.Until(p.stopped)
		p.mu.Unlock()
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// stop stops the process now and then, often for longer than its lease lasts.
func (p *process) stop(context.Context) error {
	p.pause(p.upTo(10 * lasts))
	until := time.Now().Add(p.upTo(6 * lasts))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = until
	return nil
}

// travel is what a request or an answer takes: some of them very long.
func (p *process) travel() {
	d := p.upTo(20 * time.Millisecond)
	if p.below(300) == 0 {
		d = p.upTo(2 * lasts)
	}
	p.pause(d)
}

// slow is the index as a process has it.
type slow struct {
	index.Store
	*process
}

func (s slow) View(ctx context.Context, fn func(index.Reader) error) error {
	return s.request(func() error { return s.Store.View(ctx, fn) })
}

func (s slow) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return index.GetByView(ctx, s.View, keys)
}

func (s slow) Update(ctx context.Context, fn func(index.Tx) error) error {
	return s.request(func() error { return s.Store.Update(ctx, fn) })
}

func (s slow) request(serve func() error) error {
	s.travel()
	if s.killed.Load() {
		return errKilled
	}
	err := serve()
	s.travel()
	return err
}
