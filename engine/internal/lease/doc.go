// Package lease says who of a fleet may commit, and who may remove what. A fleet is several engines,
// its nodes, over one index and one chunk store.
//
// # Why
//
// An engine alone knows what its unfinished parts count on and what its readers have open: it pins
// the one and uses the other, and leaves both alone when it gives space back. What other nodes have
// pinned and opened it cannot see. So they tell it, in the index, as coarsely as will do: by epochs.
//
// # Words
//
//	epoch      a number in the index. Whoever condemns volumes, or finds out what is discarded, adds
//	           one, and that is the epoch of all of it
//	lease      a row of the index that a node has: its beat, which counts its renewals, how long it
//	           lasts without one, and its oldest epoch
//	seen       the epoch that a node knew of at its last renewal, and with it all that was condemned
//	           by then
//	began      what a call, and an open Object, remembers: what its node had seen when it began
//	oldest     the least of what the calls and Objects of a node began in; what it has seen if it has none
//	turn       says which node sweeps and compacts, and in which term: a number that grows whenever
//	           the turn is taken, also by who had it before
//	passed     an epoch that no lease's oldest is below
//
// # Rules
//
//	commit      every transaction looks for its node's own lease first. Without it nothing is
//	            committed, and the node never commits again: it has to join anew
//	go back     an index in which the epoch, or the node's own beat, is before what the node has seen
//	            is not the one that it knows: its lease is lost
//	revoke      a lease that has ended is deleted, by whoever finds it, in a transaction that finds
//	            its beat as it was. Until then it holds, so no commit depends on a clock
//	renew       a transaction writes the node's oldest, as it was before, and reads the epoch; only
//	            then the node has seen that. A call that begins between the two began in the old one
//	find        a call finds no chunk in a volume that was condemned in the epoch that it began in,
//	            or before: it stores the chunk anew
//	condemn     by who has the turn. It is for good: a condemned volume is removed some day, and stays
//	            as it is till then
//	plan        what lives in a condemned volume is listed after the epoch of its condemnation has
//	            passed. It only gets less from then on, since whoever could have found or stored
//	            something in it has committed, or never will
//	move        the transaction that points the index at copies looks for the term that they were made
//	            in. When that is over nothing is moved, whoever has the turn: nothing lived in the
//	            volume of the copies, so that one may be removed by now
//	remove      when nothing lives in a volume whose epoch has passed. That stays true. So it does no
//	            harm when a node that was stopped removes it long after somebody else did
//	forget      a node that comes to see an epoch reads what is condemned by then. A volume that it knew
//	            as such, and that is not among those, was removed: nothing lives in it, and who looks
//	            from then on finds nothing there. So the node may forget it when those have ended who
//	            were looking before
//	sweep       a content that was discarded before an epoch began is swept when that has passed
//	number      a volume's number is never given to another
//
// # Time
//
// No clock is compared with another, nor with the database's. A lease has ended for a node which has
// seen the same beat for as long as that lease lasts, by its own monotonic clock. Time counts when
// the node renews its own lease, and no more between two renewals than one takes: when the index is
// away for an hour, or takes no writes but is read, all leases are as they were. To revoke a lease at
// any moment is safe, as the model
// has it. When it is too early, a node that lives has to join anew; when it is late, space comes
// back late.
//
// # The states of a volume
//
//	             Sync           condemn           passed, nothing lives
//	waits at a node ──> stored ───────> condemned ────────────────> removed
//	                                     │      ^
//	                                     └ move ┘  once its epoch has passed
//
// What a node that died has stored and not named is a stored volume in which nothing lives. It is
// condemned like any other: its node's lease is revoked, so nobody's oldest keeps it.
//
// # What is where
//
// This package has the leases, the epochs and the turn: see [Node] and [Turn]. What a node has found
// and stored, what lives, and what is moved and removed is package engine's; it asks for a Store
// here wherever it commits.
//
// The rules are checked by a model of three nodes in model_test.go, all of whose states are gone
// through; and each of them is taken out once, after which the model loses data. random_test.go has
// three processes use this package by the rules, while they are stopped, slow and killed.
package lease
