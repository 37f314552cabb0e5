// Package pgindex is an index.Store in PostgreSQL, for any number of processes at once.
//
// # Tables
//
//	"gabion".records (k bytea, v bytea)                      the index
//	"gabion".nodes   (node uuid, committed bigint, at time)  each node's last commit
//	"gabion".format  (version integer)                       1
//
// A node is a Store that is open. It draws a number of its own at Open and takes its row away at
// Close; rows that are a week old go when a node opens, since nobody looks for a commit for that
// long. Keys are ordered by their bytes, and values are not packed: what is worth it the engine has
// packed.
//
// # Turns
//
// All nodes together have one turn, an advisory lock that a transaction holds to its end. What waits
// for it in a node goes in one turn, and each of the functions runs twice:
//
//	rehearse   on guesses: what the node last saw under each key, no record otherwise
//	   │       what they ask for is noted, the rest is dropped
//	   ▼
//	BEGIN; lock; read all that was asked for                      one round trip
//	   │
//	   ▼
//	run        on what was read; once more, should they ask for   one round trip for all
//	   │       something else, which is read meanwhile            that is new, seldom
//	   ▼
//	write; note the commit's number; COMMIT                       one round trip
//
// So what a function reads costs no round trips of its own, if it can be known before: a part of 16
// chunks is published with two, and with four by a node that has seen nothing of its upload. Scans
// are read by pages, of at most 1024 records or 1 MiB and one record; behind the first page each
// takes a round trip.
//
// Every query of a turn sees what was committed before it, and nobody else commits: so READ
// COMMITTED is enough, and updates are serial. A View is a transaction of REPEATABLE READ on a
// connection of its own. It takes a round trip to begin, one for each Get, and one for each page of
// a Scan; for its end nobody waits. What index.Prefetch wants takes one, whatever it is: so a check of
// the engine takes one for hundreds of objects.
//
// Get takes one, and no transaction, on connections that no View takes. Those who get something while
// two round trips of others are under way go together in the next one, so the chunks of a part are
// mostly looked up in a few. An
// UploadPart of 16 chunks takes three and those of its chunks, which are 1 to 16: one to look the
// upload up, and two to publish the part. A small GetObject takes three: one to find the object, one to
// be certain that it is there while it is in use, with the part, and one for what that has.
//
// The other way is that nodes do not wait for each other, in transactions that are SERIALIZABLE and
// are tried again when they conflict, with totals of each node's own. It was measured and is slower,
// the more nodes the more: to find no record under the key of a new chunk is to read a page of the
// B-tree, in which another node has written its own. Parts of 16 new chunks a second of all nodes,
// each with 8 at once, on two cores with PostgreSQL 15 on a Unix socket beside them, in two rounds:
//
//	nodes                       1           4           16
//	turns                       1914, 1842  2492, 1995  1937, 2031
//	SERIALIZABLE with retries   1734, 1611  1125, 984     22, 11
//
// So one server does some 2,000 such parts a second, whatever the number of nodes; there the
// processors were the bound. BenchmarkNodes measures turns.
//
// # Durability
//
// The server must run with fsync, and every session with synchronous_commit, or Open refuses it; so
// does every later connection. With a standby that is to lose nothing, synchronous_standby_names
// must name it: what of that the server promises, the package promises.
//
// # Failures
//
//	the connection is lost before the commit     the turn is had anew
//	nobody acknowledges what is sent for 5 s     likewise, by TCP and on Linux; else after 40 s
//	the turn does not come within 10 s           likewise; so for deadlocks, shutdown, a standby
//	the outcome of a commit is not known         it is looked up: the number of the node's last
//	                                             commit, behind the lock that it held to its end,
//	                                             by a commit that the standby must have, too
//	it cannot be looked up                       *index.CommitError; the node takes no more updates
//	a node stops in its turn                     the server ends its session after 10 s
//	the disk of the server is full               index.ErrNoSpace; deleting goes on
//	a View gets no answer for 30 s, or           index.ErrUnavailable
//	Options.Patience if that is shorter
//	none of that helps for Options.Patience      index.ErrUnavailable
//
// lock_timeout, statement_timeout and idle_in_transaction_session_timeout of the DSN take the place
// of the times above, and hold for Views, too. Failover to a standby is what the list says of lost
// connections; it was not tried.
//
// # Connections
//
// A node has one connection for each View that goes on, up to Options.Views; two for gets; and one
// for turns. While one that is lost is given up, there may be two more for gets and another for turns:
// with the default that is 19, and 22 for a while. Those of Views and gets are closed when they are
// not used for a minute. That of turns is kept while there is a turn each hour, whatever
// pool_max_conn_lifetime of the DSN says.
//
// Over TCP the server ends the session of a node that has lost its power after half a minute, by
// tcp_keepalives_idle and its like, for which the DSN may have other values. A View has no limit: one
// that is open for long, as that of a check of all content is, keeps the server from removing any
// record that is deleted or overwritten meanwhile, and what is written often, such as the totals, gets
// slower to read for all nodes. idle_in_transaction_session_timeout of the DSN is such a limit, but it
// has to be longer than such a check reads chunks between two looks at the index.
package pgindex
