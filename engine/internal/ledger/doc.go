// Package ledger keeps the books of a store: which chunks live, who refers to them, and what is
// garbage. It writes to the index alone, and knows of the chunk store only what a place is.
//
// Its tables are those of parts, manifests (pages and inline contents), chunks, volumes, shared
// contents, the trash and what waits, and the totals. Buckets, uploads, objects and directories are
// package engine's, which also counts objects and uploads in the totals, by [Count].
//
//	object ──owner──> content ──> part ──> manifest ──reference──> chunk ──> place in a volume
//	upload ─────────┘              each names the next
//
// # Words
//
//	name        an object or upload names its content, a part its manifest: they are there for good
//	owner       an object or upload of a content. A copy adds one, and the last one discards it
//	reference   an entry of a page. A chunk's record counts them; it is there while there are any
//	live, dead  a chunk with a record, and what else lies in volumes
//	use, leave  somebody reads a content, or writes a manifest: it is not swept meanwhile
//	discard     to put what nothing names any more into the trash, a queue
//	sweep       to drop what a content or manifest in the trash refers to, and that itself
//	wait        to stand in a table beside the queue, not swept until nobody uses it
//	free        nobody uses what waits: the next sweep has it
//	put aside   damaged, so that it cannot be swept; it waits until [Trash.Retry]
//	note        to list what is in the trash, where several processes share the index: see [Noted]
//
// What a process has pinned is package intake's word for chunks that unfinished parts count on, and
// which may have no reference yet. The books do not know of it.
//
// # The states of a content, and of a manifest
//
//	              Name                    discard          Sweep
//	provisional ───────> named ─────────────────> queued ───────> gone
//	    │ waits                                     │ in use        ^
//	    │                                           v               │
//	    └──── End without Named, or a crash ────> waits ── free ────┘
//
// What takes several transactions to write is [Provisional] and waits from the first one on, so
// that a crash leaves nothing unaccounted for: after one nobody uses anything, and [Trash.Recover]
// frees whatever waits. What is written in the transaction that names it never was provisional.
//
// What waits does not stand in the way of what is behind it in the queue. Who wants to read what is
// named calls [Trash.Use] first and looks again: what is named then can only be discarded by a
// later transaction, and a sweep asks who uses it after that is committed.
//
// # The states of a volume
//
// The ledger says what lives in a volume. Package engine's compaction gives back what does not.
// This is what becomes of a volume, and who may move it on:
//
//	active ──> sealed ──> condemned ──┬──> [trimmed] ──> [copied] ──> removed
//	              ^                   │        │
//	              │                   │        └──> spared: sealed, with holes ──> condemned ...
//	              └────── spared <────┘
//
//	active       takes frames. The chunk store seals it when it is full, a compaction when it wants
//	             it
//	sealed       what unfinished parts found in it is pinned; parts may find more, and pin that
//	condemned    by who has the worker's turn, at the intake's pins: nothing more is found in it. What
//	             lives is listed from now on: it only gets less, but for the pins that were there,
//	             which are listed with it
//	trimmed      holes lie where neither a chunk of the list nor a pin is
//	copied       each chunk of the list has a synced copy, then the index points at that; see
//	             [Delta.Move]
//	removed      when the index counts nothing in it ([LiveIn]) and there was no pin. What an open
//	             Object reads counts, since it is not swept; for reads under way the store waits
//	spared       after an error, or what is in use: found again as before; of a trimmed volume only
//	             what the index knows
//
// Whatever is destroyed was decided by a list that was made after the condemnation, never by what
// the volume was chosen for; and nothing is destroyed after a failed commit, of which nobody knows
// whether it was stored ([index.Store]'s Failure).
//
// # Locks and errors
//
// A [Delta], and what takes an [index.Tx], belong to the transaction that they are called in. The
// mutexes of a [Trash] are its own, are not held during I/O, and may be taken within a transaction.
//
// Records that contradict each other are a [*CorruptionError]. What the index returns comes through
// as it is.
package ledger
