package engine

import "github.com/gabion-storage/gabion/index"

// What nothing refers to any more goes to the trash, a queue that the sweeper works off from its
// head. What may not be swept yet does not stay there: it moves to the table of what waits until
// nobody holds it, and comes back when it is released. What is being written in several
// transactions stands in that table from the first one on, so that a crash leaves nothing
// unaccounted for: when the store is opened nothing is held, and whatever waits goes to the trash.

// discard queues a content or a manifest that nothing refers to any more.
func (e *Engine) discard(tx index.Tx, t index.Trash) error {
	t.Queued = e.now()
	if err := e.queueTrash(tx, &t); err != nil {
		return err
	}
	return count(tx, index.Totals{TrashParts: t.Parts, TrashBytes: t.Bytes})
}

// queueTrash puts a record that is counted already at the end of the queue.
func (e *Engine) queueTrash(tx index.Tx, t *index.Trash) error {
	ends, err := index.Push(tx, index.TrashQueue(), t)
	e.sweeper.pushed.Store(ends.Tail)
	return err
}

// trashOf is the trash that a list of parts makes.
func trashOf(id index.ContentID, parts []numberedPart) index.Trash {
	t := index.Trash{Kind: index.TrashContent, ID: id, Parts: int64(len(parts))}
	for i := range parts {
		t.Bytes += parts[i].Size
	}
	return t
}

// A provisional content or manifest is one that takes several transactions to write. Whoever writes
// it calls begin in the first, settle in the last, which names it, settled when that is committed,
// and end in any case. Without settled it is garbage from then on.
type provisional struct {
	engine  *Engine
	id      [16]byte
	kind    index.TrashKind
	written bool // it stands in the table
}

func (e *Engine) newProvisional(id [16]byte, kind index.TrashKind) *provisional {
	e.inUse.hold(id)
	return &provisional{engine: e, id: id, kind: kind}
}

// begin may be called in every transaction but the last; the first call counts.
func (p *provisional) begin(tx index.Tx) error {
	if p.written {
		return nil
	}
	p.written = true
	p.engine.inUse.provide(p.id)
	rec := index.Trash{Kind: p.kind, ID: p.id, Queued: p.engine.now()}
	return index.Put(tx, index.WaitingKey(p.id), &rec)
}

// settle takes it out of the table in the transaction that names it. If that is the only one, there
// is nothing to do.
func (p *provisional) settle(tx index.Tx) error {
	if !p.written {
		return nil
	}
	return index.Delete(tx, index.WaitingKey(p.id))
}

// settled says that the transaction with settle is committed.
func (p *provisional) settled() { p.engine.inUse.spare(p.id) }

// end lets go of it.
func (p *provisional) end() { p.engine.inUse.release(p.id) }

// waitingSince returns what stands in the table of what waits, held or not.
func waitingSince(r index.Reader) (ids [][16]byte, err error) {
	for entry, err := range index.Scan(r, index.AllWaiting()) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, entry.Record.ID)
	}
	return ids, nil
}
