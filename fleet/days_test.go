package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/fleet/internal/nodes"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
	"github.com/gabion-storage/gabion/index/indextest"
)

// A day is what happens while authors make their calls.
type day struct {
	name string
	do   func(c *cluster, rng *rand.Rand)
}

var days = []day{
	{"a node is killed", func(c *cluster, rng *rand.Rand) {
		m := c.members[rng.IntN(len(c.members))]
		m.get().Kill()
		c.start(m)
	}},
	{"all nodes are killed", func(c *cluster, rng *rand.Rand) {
		for _, m := range c.members {
			m.get().Kill()
		}
		for _, m := range c.members {
			c.start(m)
		}
	}},
	{"a node stops, and goes on in time", func(c *cluster, rng *rand.Rand) {
		c.stop(c.any(rng), lease/4)
	}},
	{"a node stops until its lease has ended", func(c *cluster, rng *rand.Rand) {
		c.stop(c.any(rng), 2*lease)
	}},
	{"the database is killed", func(c *cluster, rng *rand.Rand) {
		c.database.Kill()
		time.Sleep(moment(rng))
		c.database.Run()
	}},
	{"a node's connections to the database are cut", func(c *cluster, rng *rand.Rand) {
		p := c.members[rng.IntN(len(c.members))].database
		which := seeded(rng)
		p.Set(false, func([]byte) postgres.Verdict {
			return []postgres.Verdict{postgres.Cut, postgres.Answer, 29: postgres.Pass}[which(30)]
		})
		time.Sleep(lease)
		p.Set(false, nil)
	}},
	{"a node cannot reach the database until its lease has ended", func(c *cluster, rng *rand.Rand) {
		p := c.members[rng.IntN(len(c.members))].database
		p.Set(true, nil)
		p.CutAll()
		time.Sleep(2 * lease)
		p.Set(false, nil)
	}},
	{"the object store is killed", func(c *cluster, rng *rand.Rand) {
		c.objects.Kill()
		time.Sleep(moment(rng))
		c.objects.Restart()
	}},
	{"the object store is slow", func(c *cluster, rng *rand.Rand) {
		delay := seeded(rng)
		c.hurt(rng, func(*http.Request) s3server.Fault {
			return s3server.Fault{Delay: time.Duration(delay(300)) * time.Millisecond}
		})
	}},
	{"the object store fails now and then", func(c *cluster, rng *rand.Rand) {
		which := seeded(rng)
		c.hurt(rng, func(*http.Request) s3server.Fault {
			return []s3server.Fault{
				{Status: 500, Code: "InternalError"}, {Status: 503, Code: "SlowDown"},
				{Status: 503, Code: "ServiceUnavailable"}, 9: {},
			}[which(10)]
		})
	}},
	{"the object store is too busy", func(c *cluster, rng *rand.Rand) {
		c.hurt(rng, func(*http.Request) s3server.Fault {
			return s3server.Fault{Status: 503, Code: "SlowDown"}
		})
	}},
	{"the object store does what it says it cannot", func(c *cluster, rng *rand.Rand) {
		which := seeded(rng)
		c.hurt(rng, func(r *http.Request) s3server.Fault {
			if r.Method == http.MethodGet || which(2) == 0 {
				return s3server.Fault{}
			}
			return s3server.Fault{Status: 500, Code: "InternalError", Done: true}
		})
	}},
	{"answers of the object store are cut", func(c *cluster, rng *rand.Rand) {
		which := seeded(rng)
		c.hurt(rng, func(*http.Request) s3server.Fault { return s3server.Fault{Cut: which(3) == 0} })
	}},
	{"the disk of the database is full", func(c *cluster, rng *rand.Rand) {
		c.database.Fill()
		time.Sleep(moment(rng))
		c.database.Unfill()
	}},
}

// moment is some time in which calls are under way.
func moment(rng *rand.Rand) time.Duration {
	return time.Duration(rng.IntN(1000)) * time.Millisecond
}

// seeded returns random numbers below n, for many goroutines.
func seeded(rng *rand.Rand) func(n int) int {
	var mu sync.Mutex // guards own
	own := rand.New(rand.NewPCG(rng.Uint64(), 0))
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return own.IntN(n)
	}
}

// stop has a node do nothing for a while.
func (c *cluster) stop(node *nodes.Node, d time.Duration) {
	if err := node.Stop(); err != nil {
		c.Error(err)
	}
	time.Sleep(d)
	if err := node.Continue(); err != nil {
		c.Error(err)
	}
}

// hurt has faults happen between some node and the object store for a while.
func (c *cluster) hurt(rng *rand.Rand, fault func(*http.Request) s3server.Fault) {
	p := c.members[rng.IntN(len(c.members))].objects
	p.Set(fault)
	time.Sleep(lease)
	p.Set(nil)
}

// TestBadDays has authors make calls of three nodes while something bad happens, another thing each
// round, and space is given back beside them. After each round everything that was acknowledged
// must be there, nothing else may be, a check of all data must be clean, and the space is bounded.
// GABION_DAYS sets the number of rounds.
func TestBadDays(t *testing.T) {
	rng := rand.New(rand.NewPCG(indextest.Seed(t), 0))
	c := newCluster(t, 3, postgres.StartOnDisk(t, 512), false)
	var authors []*author
	for i := range 4 {
		a := &author{
			cluster: c, rng: rand.New(rand.NewPCG(rng.Uint64(), 0)), bucket: fmt.Sprint("author-", i),
			objects: map[string]contents{}, uploads: map[string]*upload{},
		}
		if err := c.any(rng).CreateBucket(a.bucket); err != nil {
			t.Fatal(err)
		}
		authors = append(authors, a)
	}
	for round := range rounds(t, "GABION_DAYS", 4) {
		today := days[rng.IntN(len(days))]
		t.Logf("round %d: %s", round, today.name)
		c.live(authors, today, rng)
		c.heal()
		for _, a := range authors {
			a.verify()
		}
		c.reclaim(rng)
		c.check(rng)
		c.wantBounded(rng)
		if t.Failed() {
			t.Fatalf("round %d failed: %s", round, today.name)
		}
	}
	c.close()
}

// live has authors make calls during a day, and until they have made some after it.
func (c *cluster) live(authors []*author, today day, rng *rand.Rand) {
	over := make(chan struct{})
	var running sync.WaitGroup
	for _, a := range authors {
		running.Go(func() {
			for after := 10; after > 0; {
				a.step()
				select {
				case <-over:
					after--
				default:
				}
			}
		})
	}
	stop := c.reclaiming(rng, lease/2, func(err error) { c.Error(err) })
	time.Sleep(moment(rng))
	today.do(c, rng)
	close(over)
	running.Wait()
	stop()
}
