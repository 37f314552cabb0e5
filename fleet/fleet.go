package fleet

import (
	"cmp"
	"context"
	"errors"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/pgindex"
	"github.com/gabion-storage/gabion/fleet/s3blob"
	"github.com/gabion-storage/gabion/index"
)

// A Config says where a fleet's store is, and which node opens it.
type Config struct {
	// Index and Chunks are URLs; see the package's comment.
	Index, Chunks string

	// Node is the name of this process among those that have the store open at the same time. It is
	// what Stats calls it.
	Node string
}

// defaultChunkSize is twice the engine's: a look-up and some rows of the database a chunk are dearer than
// a copy past the CPU's caches.
const defaultChunkSize = 1 << 20

// Open opens the store of a fleet as one of its nodes. The first to open it makes it; the database
// and the bucket must be there. nil options work; c.Node takes the place of Options.Node, and must
// not be empty, and the volume size of c.Chunks that of Options.VolumeSize. Options.ChunkSize is 1 MiB by
// default. A node that has died can be replaced under its name: Open waits for the end of its lease.
//
// It fails with engine.ErrInvalidArgument when c is at fault, with engine.ErrInUse when a node of
// that name is open, and otherwise as OpenStores and engine.OpenStores do. ctx bounds the opening
// only. The caller must call Close.
func Open(ctx context.Context, c Config, o *engine.Options) (_ *engine.Engine, err error) {
	if c.Node == "" {
		return nil, invalid("Node", errors.New("must not be empty"))
	}
	idx, blobs, err := openStores(ctx, c)
	if err != nil {
		return nil, err
	}
	var own engine.Options
	if o != nil {
		own = *o
	}
	own.Node = c.Node
	// By a larger one all volumes would count as small, and be merged without end. It is at least what
	// the engine takes.
	own.ChunkSize = cmp.Or(own.ChunkSize, defaultChunkSize)
	own.VolumeSize = max(blobs.VolumeSize(), 1<<20, 2*int64(own.ChunkSize))
	e, err := engine.OpenStores(ctx, idx, blobs, &own)
	if err != nil {
		return nil, errors.Join(err, blobs.Close(), idx.Close())
	}
	return e, nil
}

// OpenStores opens the two stores of a fleet. It is for what works below an engine, as copying
// does: c.Node does not matter. It fails with engine.ErrInvalidArgument when a URL is at fault, and
// otherwise as pgindex.Open does, and when the bucket is not there.
func OpenStores(ctx context.Context, c Config) (index.Store, blob.Store, error) {
	idx, blobs, err := openStores(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return idx, blobs, nil
}

func openStores(
	ctx context.Context, c Config,
) (_ *pgindex.Store, _ *s3blob.Store, err error) {
	dsn, o, err := parseIndex(c.Index)
	if err != nil {
		err = invalid("Index", err)
	}
	b, err2 := parseChunks(c.Chunks)
	if err2 != nil {
		err2 = invalid("Chunks", err2)
	}
	if err := errors.Join(err, err2); err != nil {
		return nil, nil, err
	}
	blobs, err := b.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	idx, err := pgindex.Open(ctx, dsn, o)
	if err != nil {
		return nil, nil, errors.Join(err, blobs.Close())
	}
	return idx, blobs, nil
}

func invalid(field string, err error) error {
	return engine.ErrInvalidArgument.Derive("Config."+field, err)
}
