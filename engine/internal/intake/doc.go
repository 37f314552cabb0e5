// Package intake takes bodies in: it splits them into chunks, computes their digests, and stores
// the chunks that are not stored yet. What a body is for, and which record names its chunks, it
// does not know; nor does it know the index, of which it asks one question by a function.
//
// [Intake.Take] is the life of a body from its first byte to its last chunk. The caller's goroutine
// computes the digests; beside it one goroutine reads, and one a chunk does the rest:
//
//	Body ──read──> buffers ──in order──> MD5 and other digests      the caller's goroutine
//	                  └────side by side──> CRC-64, address, pin     one goroutine a chunk,
//	                                       found, or packed, sealed  as many of them computing
//	                                       and put                   as there are processors
//	full pages of chunks ──> the caller's function full, while the next page fills
//
// Of a small body that lies in memory the caller's goroutine does all.
//
// # The states of a body
//
// A [Body] is made by [FromReader] or [FromStore], is taken in once, and is then one of:
//
//	taken      it has ended with the size that it must have: a [Taken], to be released
//	refused    it is too long or too short, a [SizeError]; or full, Room or a store has failed
//	failed     its reader has failed or broken the rules of readers, a [ReadError]
//	abandoned  the context has ended. A Read may be under way for as long as it likes; its goroutine
//	           and its block stay with it, and what it returns is dropped
//
// In all cases but the first nothing is pinned any more. What was put is dead, unless full has
// named it.
//
// # The states of a chunk
//
//	read       its plaintext is in a buffer
//	digested   the digests of the body have read it: its buffer may be overwritten
//	addressed  its CRC-64 and its address are known; from here on it is one pin
//	found      Find knows where it is. It is durable: the index has named it before
//	stored     or it was put. It is not durable before its volume is synced
//	kept       or neither, but its frame stays in memory: see Body.Inline
//	pinned     found or stored, its place holds until it is unpinned
//	durable    [Intake.Sync] has synced its volume: now, and not before, a record may name it
//	unpinned   by the return of full, or by [Intake.Release]. If nothing names it by then, it is dead
//
// A chunk is addressed while it is being digested. Only what changes the buffer waits for the
// digests: packing that pays, sealing, and giving the buffer back.
//
// # The states of a buffer
//
// The buffers of all bodies together are the budget. One is:
//
//	free       given back, or not made yet. Its slot is a token in the budget
//	filling    a body is read into it; of a body whose Reads may wait, copied into it from a block
//	cut off    of a body that kept others waiting while filling: it goes on as it is
//	filled     sent, and not received yet
//	storing    it has a chunk, until that is stored and digested. The frame is made in it
//
// So a buffer is for bytes that are there. What a client is waited for in is a block, which is
// beside the budget: see filling.
//
// # The states of a pin
//
// A pin is one address that one or more bodies count on:
//
//	asked      the first who asked is looking for it or storing it; the others wait
//	placed     it is known where it is, in a volume that is neither condemned nor was trimmed since
//	done       those who waited share the result. After a failure, be it that of a sync, and when its
//	           place has turned out to be bad, the next who asks begins anew
//	gone       the last one has unpinned it
//
// Who reclaims volumes condemns them first ([Pins.Condemn]). From then on no chunk in one can be
// placed; those that were before are listed, and keep the volume from being removed. See Pins.
//
// # Locks
//
// Pins.mu guards all pins, budget.mu the free buffers and which bodies are filling one. Neither is
// held while anything is waited for, but for budget.mu when the system is asked for memory. Nothing
// is called with a lock held but Pins.mu, which is held while damaged is asked.
//
// # Words
//
//	take     to take in a body, and nothing else
//	find     to learn from the index where a chunk is; store, to put what was not found
//	pin      to keep a place from being removed; unpin, to let go of it
//	place    to record where a pinned chunk is; a location is what is recorded
//	release  to unpin what is left of a body
//	put      to put a frame into the chunk store, or a buffer or block back where it came from
//	send     to give a buffer to who takes the body in; cut off, to do so before it is full
//	hand     to give a page to full
//	page     chunks that become a page of a manifest together
package intake
