// Command frontend serves a store to clients of OSS and of S3, on this machine unless it is told
// otherwise:
//
//	go run . -dir DIR [-oss ADDR] [-s3 ADDR] [-keys FILE] [-anonymous]
//
// As one of several processes, on many machines, over one database and one bucket:
//
//	go run . -dir DIR -index postgres://... -chunks s3://... -node NAME
//
// A key ring is made with a new store. Beside a store that is there, and for a fleet, one that is
// missing is an error, unless -new-keyring says that there has been none.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/wire"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2) // package flag has said why
	}
	if err := run(ctx, c, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "frontend:", err)
		os.Exit(1)
	}
}

// A command is what the command line asks for.
type command struct {
	dir, oss, s3, keys, domain string
	fleet                      fleet.Config // zero: the store is in dir
	volumes                    engine.VolumeKind
	newKeyring, anonymous      bool
	connections                int
	idle                       time.Duration
}

func parse(args []string) (*command, error) {
	c := &command{}
	f := flag.NewFlagSet("frontend", flag.ContinueOnError)
	f.StringVar(&c.dir, "dir", "",
		"`directory` of the store, its key ring and its access keys; made if it is not there, the "+
			"key ring only with a new store")
	f.StringVar(&c.fleet.Index, "index", "",
		"`URL` of the database of a store that many nodes serve; see package fleet")
	f.StringVar(&c.fleet.Chunks, "chunks", "", "`URL` of the bucket of such a store")
	f.StringVar(&c.fleet.Node, "node", "", "`name` of this node, that no other has")
	f.StringVar(&c.oss, "oss", ":9000",
		"`address` to serve OSS on, of this machine alone without a host; empty: not at all")
	f.StringVar(&c.s3, "s3", ":9001", "`address` to serve S3 on, likewise")
	f.StringVar(&c.keys, "keys", "",
		"`file` of access keys, DIR/keys if empty; made with a random one if it is not there")
	f.StringVar(&c.domain, "domain", "localhost", "`host` whose subdomains are buckets")
	f.BoolVar(&c.newKeyring, "new-keyring", false,
		"make the key ring, DIR/keyring, if it is not there, though the store is, or may be: that of a fleet")
	f.StringVar((*string)(&c.volumes), "volumes", string(engine.VolumesBadger),
		"`kind` of the volumes that new chunks go to: badger; badger-format, which is the same but cheaper to write; "+
			"or log, past the page cache")
	f.BoolVar(&c.anonymous, "anonymous", false, "let requests in that nobody has signed")
	f.IntVar(&c.connections, "connections", 0,
		"most connections at once to each address; 0: any number")
	f.DurationVar(&c.idle, "idle", wire.DefaultIdle,
		"how long a client may neither send nor take anything")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if c.dir == "" || f.NArg() > 0 {
		fmt.Fprintln(f.Output(), "-dir is needed, and nothing else but flags")
		f.Usage()
		return nil, flag.ErrHelp
	}
	if c.keys == "" {
		c.keys = filepath.Join(c.dir, "keys")
	}
	return c, nil
}

// run serves until ctx ends, or the engine can do nothing any more, which is an error: what runs the
// command may start it anew.
func run(ctx context.Context, c *command, stdout, stderr io.Writer) error {
	return c.runWith(ctx, c.open, stdout, stderr)
}

func (c *command) runWith(
	ctx context.Context, open func(context.Context, *engine.Options) (*engine.Engine, error),
	stdout, stderr io.Writer,
) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	ring, err := c.openKeyring() // first: when that fails, nothing has been made
	if err != nil {
		return err
	}
	known, err := loadKeys(c.keys)
	if err != nil {
		return err
	}
	a := newAlarms(stderr)
	e, err := open(ctx, &engine.Options{
		Keys: ring, Volumes: c.volumes, Events: &engine.Events{Alarm: a.hear},
	})
	if err != nil {
		return err
	}
	o := access.Options{Keys: known, Anonymous: c.anonymous, Domain: c.domain}
	return errors.Join(c.serve(ctx, e, o, stdout, a.over), e.Close())
}

// open opens the store in the directory, or that of a fleet, if one is named.
func (c *command) open(ctx context.Context, o *engine.Options) (*engine.Engine, error) {
	if c.fleet == (fleet.Config{}) {
		return engine.Open(ctx, filepath.Join(c.dir, "store"), o)
	}
	return fleet.Open(ctx, c.fleet, o)
}

// loadKeys reads the access keys, and makes one if there is no file, also beside a store that is
// there: nothing in a store depends on them, and whose key is missing is refused, and hears of it.
func loadKeys(path string) (access.StaticKeys, error) {
	keys, err := access.LoadKeys(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := access.CreateKeys(path); err != nil {
			return nil, err
		}
		return access.LoadKeys(path)
	}
	return keys, err
}
