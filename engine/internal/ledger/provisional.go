package ledger

import "github.com/gabion-storage/gabion/index"

// A Provisional is a content or a manifest that takes several transactions to write. It stands in
// the table of what waits from the first of them on. Whoever writes it calls Begin in every one but
// the last, and Begun when that is committed; Name in the last, which names it, Named when that is
// committed, and End in any case. Without Named it is garbage from then on.
//
// The methods are for one goroutine at a time.
type Provisional struct {
	trash   *Trash
	id      [16]byte
	kind    index.TrashKind
	written bool // it stands in the table
}

// NewProvisional returns one that is in use until its End.
func (t *Trash) NewProvisional(id [16]byte, kind index.TrashKind) *Provisional {
	t.Use(id)
	return &Provisional{trash: t, id: id, kind: kind}
}

// Begin puts it into the table of what waits, unless it stands there.
func (p *Provisional) Begin(tx index.Tx) error {
	if p.written {
		return nil
	}
	p.trash.inUse.provisional(p.id)
	rec := index.Trash{Kind: p.kind, ID: p.id, Queued: p.trash.now()}
	return index.Put(tx, index.WaitingKey(p.id), &rec)
}

// Begun says that a transaction with Begin is committed.
func (p *Provisional) Begun() { p.written = true }

// Name takes it out of the table in the transaction that names it. If that is the only one, there
// is nothing to do.
func (p *Provisional) Name(tx index.Tx) error {
	if !p.written {
		return nil
	}
	return index.Delete(tx, index.WaitingKey(p.id))
}

// Named says that the transaction with Name is committed.
func (p *Provisional) Named() { p.trash.inUse.named(p.id) }

// End leaves it.
func (p *Provisional) End() { p.trash.Leave(p.id) }
