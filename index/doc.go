// Package index keeps the metadata of a store: small records under ordered keys, read from
// snapshots and written in serial, durable transactions.
//
// # Transactions
//
// A [Store] is an ordered map of bytes. [Store.View] reads a snapshot of what is committed and
// durable, and waits for nobody. [Store.Update] runs a function in a transaction. The functions
// queue, run one after another on a goroutine of the store, and are committed together, with one
// sync for all that were waiting:
//
//	Update(a) ──┐             ┌── a, b, c run in turn,
//	Update(b) ──┼──> queue ──>│   each sees what the ones      ──> one commit, one sync ──> a, b, c return
//	Update(c) ──┘             └── before it have written           (d, e, f queue meanwhile)
//
// So every update sees all earlier ones: there are no conflicts and no phantoms. Its function may
// run more than once; only the last run counts: see [Store.Update]. One that fails, panics or
// writes more than the limits ([MaxTxBytes], [MaxTxRecords]) leaves no trace and does not fail its
// neighbours. No caller learns the outcome before the commit, not even of a failure, since an
// update may have failed because of what another one of its group had written.
//
// A commit that fails is different. What the database then holds in memory is not known, so the
// store stops: every update of the group and every later one gets a [CommitError], while reads go
// on from the last good commit. After the store is opened again the group is there as a whole or
// not at all. Being out of space is not a failed commit: it is found out before, refuses updates
// with [ErrNoSpace], and passes when there is space again.
//
// [Memory] is the reference. Package badger keeps an index in a directory. Package indextest has
// the contract as tests, which both pass and any other store must pass. Both are built on [Serial],
// which queues and groups the updates of any [Backend], and also of a [Turner]: a database that
// several processes write to by turns.
//
// # Records and stores
//
// A Store knows nothing of what it stores. The records, and the keys they lie under, are the
// engine's; [Get], [Put], [Delete] and [Scan] store them in any Reader or Tx.
//
// # Keys
//
// The first byte is the table. Numbers are big endian, so that keys sort as what they say; be16 to
// be64 are their bits. The builders and parsers of this package are the only code that knows the
// forms.
//
//	H                                        Header
//	B bucket                                 Bucket
//	U bucket 00 esc(key) 00 01 content(16)   Upload    sorts by object key, then upload id
//	P content(16) number(be16)               Part
//	L content(16) page(be16)                 Directory absent for a content of less than two parts
//	M manifest(16) page(be32)                Page
//	I manifest(16)                           Inline    instead of pages
//	O bucket 00 key                          Object
//	R content(16)                            Shared    absent for a content of one object
//	C chunk(32)                              Chunk
//	V volume(be64)                           Volume
//	T number(be64)                           Trash     a queue
//	W id(16)                                 Trash     garbage once nobody uses it
//	D content(16)                            Completed
//	A number(be64)                           Answer    a queue
//	E time(be64) content(16)                 Idle      unix nanoseconds, the sign inverted
//	Q table                                  Ends      of a queue, or Head alone: the first time of E
//	S                                        Totals
//	N node(16)                               Node      of a fleet, as the next two
//	F                                        Fleet
//	X volume(be64)                           Condemned
//	K                                        Clone     while the index is a copy that nobody has opened
//
// An object key may contain any byte. In the upload table something follows it, so there its zero
// bytes are escaped: esc replaces 00 by 00 FF. The end mark 00 01 is smaller than any longer key's
// continuation, which is 00 FF or a byte above zero; so the order of the encoded keys is the
// bytewise order of the object keys. A bucket name has no zero byte. No table begins with '!',
// which is Badger's.
//
// N, F and X are of a fleet: of several engines that have one index together. A directory has one
// engine, and never a record of these. K is there only while the index is a copy that nobody has
// opened. So FORMAT did not move when they came.
//
// # Records
//
//	+---------+-----------------------+-----------------+
//	| version | fields of the record  | CRC32C (be32)   |
//	| 1 byte  | in order              | of key, version |
//	|         |                       | and fields      |
//	+---------+-----------------------+-----------------+
//
// The checksum covers the key, so a record that turns up under another key is refused like a
// damaged one, with a [CorruptionError]. Fields are
//
//	numbers    uvarint in its shortest form, below a limit each; checksums and hashes are fixed and big endian
//	counters   zigzag varint: they may be negative, which is for a check to find
//	texts      uvarint length, at most a limit each, then the bytes
//	maps       uvarint count, then names and values as texts, in ascending order of names
//	times      unix nanoseconds, be64; the smallest number stands for the zero time
//
// Each record has one encoding only, in each version. Encoding refuses what is over a limit, and
// decoding does so before it allocates.
//
// # Versions
//
// Each kind of record has a version of its own, which its decoder is told. So have [Attributes],
// [Encryption] and [Checksum], which several kinds have, and the [Object] within a [Completed]:
// their version stands before their fields, so that a record does not change with what is in it. A
// kind changes by these rules:
//
//   - A new field comes last in encode, and the version goes up by one. decode reads the field if
//     the version that it is told has it. In older records it is zero; so zero must mean what was
//     true before there was the field.
//   - Whoever writes a record writes the newest version. No record is rewritten only to make it
//     newer.
//   - Every version that a release has written can be read, as long as FORMAT keeps its number.
//     testdata/records has a record of each, with what must be read from it; files are added there
//     and never changed.
//   - Reading a newer version than is known is a [VersionError], which package engine makes its
//     FormatError: it is no damage. The record is not decoded in part, since an unknown field may
//     change what the others mean, and would be lost with the next write. It is not changed, and
//     nobody may conclude from it that something is unused. Everything else goes on.
//   - FORMAT changes when an older program would go wrong without meeting a newer version: with a
//     table that it would overlook, another form of keys, another meaning of an existing field,
//     another envelope (the checksum stays where it is), other frames or files. And it changes when
//     old versions are no longer read. Then Open refuses the whole store, and changes nothing.
//   - What package engine's MACs cover is a message of its own, not the record. A new field that
//     they must cover needs another message, with another label, for records in which the field is
//     not zero. The other records keep theirs, whatever their version.
package index
