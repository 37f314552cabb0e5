package index

import (
	"math"
	"time"
)

// TrashKind says what the id of a Trash record names.
type TrashKind uint8

// The kinds of trash.
const (
	TrashContent  TrashKind = iota + 1 // the id is a ContentID: all its parts go
	TrashManifest                      // the id is a ManifestID: the pages of one part go
)

// Trash is something that waits to be reclaimed, or may have to be: see WaitingKey.
type Trash struct {
	Kind   TrashKind
	ID     [16]byte // a ContentID or ManifestID
	Queued time.Time
	Parts  int64 // that are still there; a manifest counts as one
	Bytes  int64 // sizes of these parts, as plaintext
}

func (*Trash) version() byte { return 1 }

func (t *Trash) encode(e *encoder) {
	if t.Kind != TrashContent && t.Kind != TrashManifest {
		e.fail("unknown kind of trash %d", t.Kind)
	}
	e.uint(uint64(t.Kind))
	e.fixed(t.ID[:])
	e.time(t.Queued)
	e.size(t.Parts, math.MaxInt32)
	e.size(t.Bytes, math.MaxInt64)
}

func (t *Trash) decode(d *decoder, _ byte) {
	t.Kind = TrashKind(d.uint(uint64(TrashManifest)))
	if t.Kind == 0 {
		d.fail(errNoKind)
	}
	t.ID = [16]byte(d.fixed(16))
	t.Queued = d.time()
	t.Parts = d.size(math.MaxInt32)
	t.Bytes = d.size(math.MaxInt64)
}
