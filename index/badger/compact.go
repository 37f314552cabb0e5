package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/badgerfile"
)

const (
	// catchUps is how often at most a compaction copies what was committed meanwhile before it makes
	// commits wait for the rest.
	catchUps = 5
	// fewCommits is a rest for which it does so earlier, behind one round.
	fewCommits = 64
	// compactSpace must be free for each table that is written. What comes besides is the memtable and
	// the log of the new generation.
	compactSpace = spareSpace + 2*tableSize + 2*walSpace
	// contextSteps is after how many records ctx is looked at.
	contextSteps = 256
)

// Compact puts a new generation in charge, of what lives in the old one.
func (d *database) Compact(ctx context.Context) error {
	select {
	case d.compacting <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-d.compacting }()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !d.grown() {
		return nil
	}
	if err := d.Fault(); err != nil {
		return &index.CommitError{Err: err}
	}
	if err := d.removeKept(); err != nil {
		return mapError("remove old database", err)
	}
	c := &compaction{database: d, from: d.snapshot(), verified: map[uint64]bool{}}
	old := c.from.gen
	c.to = d.successor(old)
	if err := c.run(ctx); err != nil {
		c.from.Release()
		return errors.Join(err, c.undo())
	}
	d.drop(old) // which was held because it was in charge
	if d.drop(old) {
		d.retire(old)
	}
	return nil
}

// grown reports whether there is anything that a compaction could give back.
func (d *database) grown() bool {
	d.committing.Lock()
	defer d.committing.Unlock()
	return d.growth.written > 0
}

// A compaction builds a generation.
type compaction struct {
	*database
	from  *snapshot // what it is built from
	to    current
	next  *generation // once it is open
	turn  bool        // it holds committing
	named bool        // the new generation is in charge, or may be
	live  growth
	made  copied

	verified map[uint64]bool // tables of the old generation
}

func (c *compaction) run(ctx context.Context) (err error) {
	defer badgerfile.Recovered("index", &err) // nobody else would: it may be in the background
	if err := c.dir.RemoveAll(c.to.name()); err != nil {
		return mapError("remove what a compaction has left", err)
	}
	if err := c.build(ctx); err != nil {
		return err
	}
	if c.next, err = c.openGeneration(ctx, c.to); err != nil {
		return err
	}
	_ = c.beside(func() error {
		c.building = c.next
		return nil
	})
	if err := c.compare(ctx); err != nil {
		return err
	}
	for round := range catchUps {
		if round > 0 && c.last() <= c.to.base+fewCommits {
			break
		}
		if err := c.round(ctx); err != nil {
			return err
		}
	}
	return c.takeOver(ctx)
}

// build writes the tables.
func (c *compaction) build(ctx context.Context) error {
	b, err := newBuilder(c.dir, c.to.name())
	if err != nil {
		return mapError("make directory", err)
	}
	defer b.close()
	c.to.base, c.made.from = c.from.at, c.from.at
	for item, err := range c.records(ctx, c.from) {
		if err != nil {
			return err
		}
		if b.full() {
			if err := c.room(compactSpace, c.tryBeside); err != nil {
				return err
			}
		}
		if err := b.add(item.Key, item.Value); err != nil {
			return mapError("write table", err)
		}
		c.live.records++
		c.live.base += int64(len(item.Key) + len(item.Value))
	}
	return mapError("write tables", b.finish())
}

// records yields all that a snapshot shows, until ctx ends.
func (c *compaction) records(ctx context.Context, s *snapshot) iter.Seq2[index.Item, error] {
	return func(yield func(index.Item, error) bool) {
		n := 0
		for item, err := range s.Scan(nil, nil) {
			if n++; n%contextSteps == 0 && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// compare reads both generations, and fails unless they show the same.
func (c *compaction) compare(ctx context.Context) error {
	next, stop := iter.Pull2(c.records(ctx, &snapshot{db: c.database, gen: c.next, at: c.from.at}))
	defer stop()
	for want, err := range c.records(ctx, c.from) {
		if err != nil {
			return err
		}
		got, err, more := next()
		if err != nil {
			return err
		}
		if !more || !bytes.Equal(got.Key, want.Key) || !bytes.Equal(got.Value, want.Value) {
			return &index.CorruptionError{
				Where:  c.next.dir.Path(),
				Reason: fmt.Sprintf("the new database is wrong at key %x", want.Key),
			}
		}
	}
	if got, err, more := next(); more {
		return errors.Join(err, &index.CorruptionError{
			Where:  c.next.dir.Path(),
			Reason: fmt.Sprintf("the new database has a key %x", got.Key),
		})
	}
	return nil
}

// round copies what was committed meanwhile, and then verifies the tables of the old generation that have
// it, and once those that the new one was built from. What has changed in them since they were opened both
// have, and the new one has sums of it that are right. It comes behind all that reads them, so that nothing
// can change between.
func (c *compaction) round(ctx context.Context) error {
	old := c.from.gen
	var at uint64
	var listed badger.Manifest
	err := c.beside(func() (err error) {
		old.settle() // what is being flushed is not in a table yet
		if err := old.failure(); err != nil {
			return &index.CommitError{Err: err} // of which the list may be wrong
		}
		at = c.last()
		listed, err = old.replayManifest()
		return mapError("verify the old database", err)
	})
	if err != nil {
		return err
	}
	if err := c.catchUp(ctx, at); err != nil {
		return err
	}
	for id := range listed.Tables {
		if c.verified[id] {
			delete(listed.Tables, id)
		}
		c.verified[id] = true
	}
	return mapError("verify the old database", old.checkTables(ctx, &listed, true))
}

// catchUp copies what was committed after what the new generation shows, up to a commit. Both are
// at that commit then. Nobody compares what it copies, but all of these commits must turn up.
func (c *compaction) catchUp(ctx context.Context, to uint64) error {
	batch := &batch{compaction: c, at: to}
	var last []byte
	steps := 0
	seen := commitSet{}
	source := &snapshot{gen: c.from.gen, at: to}
	err := source.versions(c.to.base, func(item *badger.Item) error {
		if steps++; steps%contextSteps == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		seen.add(item.Version())
		if last != nil && bytes.Equal(item.Key(), last) {
			return nil // an older version
		}
		last = item.KeyCopy(last[:0])
		return batch.add(item)
	})
	if err == nil {
		err = c.from.gen.complete(seen, c.to.base, to)
	}
	if err == nil {
		err = batch.flush()
	}
	if err == nil {
		c.to.base = to
		c.next.current = c.to
	}
	return err
}

// A batch writes to the new generation, in transactions of the size that updates may have.
type batch struct {
	*compaction
	at  uint64
	txn *badger.Txn

	bytes, records int // that wait
}

func (b *batch) add(item *badger.Item) error {
	c := index.Change{Key: item.KeyCopy(nil), Removed: item.IsDeletedOrExpired()}
	if c.Removed {
		// Deleting what never came there would be a deletion to step over for nothing.
		s := snapshot{gen: b.next, at: b.at}
		_, err := s.Get(c.Key)
		if errors.Is(err, index.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
	} else {
		var err error
		if c.Value, err = b.from.gen.valueOf(item, bytes.Clone); err != nil {
			return err
		}
	}
	if b.bytes+cost(c) > index.MaxTxBytes || b.records == index.MaxTxRecords {
		if err := b.flush(); err != nil {
			return err
		}
	}
	b.bytes += cost(c)
	b.records++
	if b.txn == nil {
		if err := b.ready(); err != nil {
			return err
		}
		b.txn = b.next.db.NewTransactionAt(b.at-1, true)
	}
	b.live.count(c)
	b.made.records++
	return mapError("copy", b.next.stage(b.txn, c))
}

// ready refuses to go on for the reasons for which updates are refused.
func (b *batch) ready() error {
	if err := b.room(spareSpace+walSpace, b.tryBeside); err != nil {
		return err
	}
	return b.readyBeside()
}

// tryBeside tries the space while the old generation has commits.
func (c *compaction) tryBeside(n int64) error {
	return c.beside(func() error { return c.try(n) })
}

// readyBeside makes room for a commit to the new generation, which takes space.
func (c *compaction) readyBeside() error {
	return c.beside(func() error {
		c.from.gen.settle()
		return c.next.ready(c.settle)
	})
}

// beside calls take, which takes space, or may have the new generation take some, while the old one has
// no commits.
func (c *compaction) beside(take func() error) error {
	if !c.turn {
		c.committing.Lock()
		defer c.committing.Unlock()
	}
	return take()
}

func (b *batch) flush() error {
	if b.txn == nil {
		return nil
	}
	defer func() { b.txn, b.bytes, b.records = nil, 0, 0 }()
	defer b.txn.Discard()
	commit := func() error { return mapError("copy", b.next.commit(b.txn, b.at)) }
	if b.next.wal.hasRoom() {
		return commit()
	}
	// Badger may begin a log with it. Who settles finds all that were begun.
	return b.beside(commit)
}

// takeOver puts the new generation in charge, between two commits.
func (c *compaction) takeOver(ctx context.Context) error {
	c.committing.Lock()
	defer c.committing.Unlock()
	c.turn = true
	defer func() { c.turn = false }()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := c.from.gen.failure(); err != nil {
		return &index.CommitError{Err: err}
	}
	at := c.last()
	if err := c.catchUp(ctx, at); err != nil {
		return err
	}
	if err := c.next.failure(); err != nil {
		return err
	}
	// The update that comes next may have been found ready already.
	if err := c.readyBeside(); err != nil {
		return err
	}
	if err := errors.Join(c.next.writeCopied(c.made), c.next.dir.Sync()); err != nil {
		return mapError("sync", err)
	}
	if err := c.name(); err != nil {
		return err
	}
	c.named = true
	c.from.gen.returnSpare() // a View may keep it, but nobody writes to it
	c.next.holders = 1
	c.mu.Lock()
	c.inCharge, c.reads = c.next, nil
	c.mu.Unlock()
	c.growth, c.building = c.live, nil
	return nil
}

// name makes CURRENT name the new generation. When that fails halfway, CURRENT is made to name the
// old one again; if that fails, too, nobody knows which of them the next opening finds: then both
// stay, and since they are the same, nothing more may be committed.
func (c *compaction) name() error {
	err := c.to.write(c.dir)
	if err == nil {
		return nil
	}
	if again := c.from.gen.current.write(c.dir); again != nil {
		c.named = true
		err = errors.Join(err, again)
		c.broken.Store(&err)
		return &index.CommitError{Err: err}
	}
	return mapError("name the new database", err)
}

// undo removes what a compaction that failed has written.
func (c *compaction) undo() error {
	switch {
	case c.next == nil:
		return mapError("remove the new database", c.dir.RemoveAll(c.to.name()))
	case c.named:
		return mapError("close the new database", c.beside(func() error {
			c.building = nil
			return c.next.abandon()
		}))
	}
	return mapError("remove the new database", c.remove(c.next))
}

// successor names the generation after one: with a number under which Badger works on nothing.
func (d *database) successor(g *generation) current {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := g.successor()
	next.number = max(next.number, d.taken+1)
	return next
}
