package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
)

// node is what the others of a fleet know this process by.
const node = "gabion-fleet"

// A location is where a store is: a directory, or a fleet.
type location struct {
	dir   string // empty if it is a fleet
	fleet fleet.Config
}

func locationOf(arg string) (location, error) {
	idx, chunks, ok := strings.Cut(arg, ",s3://")
	switch {
	case ok:
		return location{fleet: fleet.Config{Index: idx, Chunks: "s3://" + chunks}}, nil
	case strings.Contains(arg, "://"):
		return location{}, errUsage
	default:
		return location{dir: arg}, nil
	}
}

// open opens the store that is there; of a fleet as one of the nodes that it may have. It makes no
// directory.
func (l *location) open(ctx context.Context, o engine.Options) (*engine.Engine, error) {
	if l.dir != "" {
		if _, err := os.Stat(l.dir); err != nil {
			return nil, err
		}
		return engine.Open(ctx, l.dir, &o)
	}
	as := l.fleet
	as.Node = node
	return fleet.Open(ctx, as, &o)
}

// clone opens what is to become a copy.
func (l *location) clone(ctx context.Context, o engine.Options) (*engine.Clone, error) {
	if l.dir != "" {
		return engine.OpenClone(ctx, l.dir, &o)
	}
	idx, blobs, err := fleet.OpenStores(ctx, l.fleet)
	if err != nil {
		return nil, err
	}
	c, err := engine.OpenCloneStores(ctx, idx, blobs, &o)
	if err != nil {
		return nil, errors.Join(err, blobs.Close(), idx.Close())
	}
	return c, nil
}
