package fleet_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/fleet"
	"github.com/gabion-storage/gabion/fleet/internal/nodes"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
)

// lease is that of nodes. It is short, so that there are many ends of leases in little time.
const lease = 2 * time.Second

// rounds is how often a test with a short and a long form repeats itself.
func rounds(t *testing.T, variable string, short int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// A cluster is real servers, and nodes as processes, each behind proxies of its own.
type cluster struct {
	*testing.T
	database *postgres.Server
	objects  *s3server.Server
	members  []*member
}

// A member is one place among the nodes. Who dies in it is replaced under the same name.
type member struct {
	config   nodes.Config
	database *postgres.Proxy
	objects  *s3server.Proxy

	mu   sync.Mutex // guards node
	node *nodes.Node
}

// newCluster starts an object store, and n nodes over it and a database.
func newCluster(t *testing.T, n int, database *postgres.Server, immortal bool) *cluster {
	t.Helper()
	s3server.Setenv(t)
	c := &cluster{T: t, database: database, objects: s3server.Start(t)}
	for i := range n {
		m := &member{
			database: postgres.NewProxy(t, c.database), objects: s3server.NewProxy(t, c.objects),
		}
		m.config = nodes.Config{
			Config: fleet.Config{
				Index:  postgres.URL(m.database.Dir()),
				Chunks: s3server.URL(m.objects.Addr, "") + "&attempts=4",
				Node:   string(rune('a' + i)),
			},
			Lease: lease, Immortal: immortal,
		}
		c.members = append(c.members, m)
		c.start(m)
	}
	return c
}

// start starts the node of a member.
func (c *cluster) start(m *member) {
	c.Helper()
	node, err := nodes.Start(c.T, m.config)
	if err != nil {
		c.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.node = node
}

// get is the node of the member, which may have died.
func (m *member) get() *nodes.Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node
}

// any is the node of any member.
func (c *cluster) any(rng *rand.Rand) *nodes.Node {
	return c.members[rng.IntN(len(c.members))].get()
}

// heal replaces nodes that are dead, or have lost their lease. Then nothing is under way: what a
// dead node has sent has been done before a later update, or never will be.
func (c *cluster) heal() {
	c.Helper()
	for _, m := range c.members {
		node := m.get()
		err := node.CreateBucket("healthy-" + node.Config.Node)
		if err == nil {
			err = node.Put("healthy-"+node.Config.Node, "key", "", 0)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, nodes.ErrGone) && !mayFail(err) {
			c.Errorf("node %s: %v", node.Config.Node, err)
		}
		node.Kill()
		c.start(m)
	}
}

// calmly makes a call of some node while nothing else is under way. On a busy machine a node may lose
// its lease even then: it is replaced, and the call is made anew.
func (c *cluster) calmly(rng *rand.Rand, call func(*nodes.Node) error) error {
	c.Helper()
	err := call(c.any(rng))
	for again := 0; again < 3 && mayFail(err); again++ {
		c.Logf("while nothing is under way: %v", err)
		c.heal()
		err = call(c.any(rng))
	}
	return err
}

// storedBytes is how much the volumes have, as the object store has them on its disk.
func (c *cluster) storedBytes() (sum int64) {
	c.Helper()
	err := filepath.WalkDir(filepath.Join(c.objects.Dir(), "volumes"),
		func(_ string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // there is none yet
			}
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				sum += info.Size()
			}
			return err
		})
	if err != nil {
		c.Fatal(err)
	}
	return sum
}

// reclaim has nodes give space back, one after another.
func (c *cluster) reclaim(rng *rand.Rand) {
	c.Helper()
	for range 3 {
		if err := c.calmly(rng, (*nodes.Node).Reclaim); err != nil {
			c.Fatalf("Reclaim: %v", err)
		}
	}
}

// reclaiming has nodes give space back again and again, until stop is called. What no call may fail
// with is told to wrong.
func (c *cluster) reclaiming(rng *rand.Rand, pause time.Duration, wrong func(error)) (stop func()) {
	own := rand.New(rand.NewPCG(rng.Uint64(), 0))
	over := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(pause):
			}
			if err := c.any(own).Reclaim(); err != nil && !excused(err) {
				wrong(fmt.Errorf("Reclaim: %w", err))
			}
		}
	})
	return func() {
		close(over)
		running.Wait()
	}
}

// check has a node check everything.
func (c *cluster) check(rng *rand.Rand) {
	c.Helper()
	var problems []string
	err := c.calmly(rng, func(node *nodes.Node) (err error) {
		problems, err = node.Check()
		return err
	})
	if err != nil {
		c.Fatalf("Check: %v", err)
	}
	for _, p := range problems {
		c.Errorf("Check: %s", p)
	}
}

// wantBounded fails when the volumes take more than half as much again as lives in them, and what
// nodes may have had under way.
func (c *cluster) wantBounded(rng *rand.Rand) {
	c.Helper()
	var live int64
	err := c.calmly(rng, func(node *nodes.Node) (err error) {
		live, err = node.LiveBytes()
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
	stored := c.storedBytes()
	c.Logf("%d KiB live, %d KiB are stored", live>>10, stored>>10)
	if grace := int64(len(c.members)) * 2 * nodes.VolumeSize; stored > live*3/2+grace {
		c.Errorf("%d bytes are stored, %d live", stored, live)
	}
}

// close ends all nodes, which must succeed.
func (c *cluster) close() {
	c.Helper()
	for _, m := range c.members {
		if err := m.get().Close(); err != nil {
			c.Error(err)
		}
	}
}
