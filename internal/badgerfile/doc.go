// Package badgerfile knows how a Badger database lies on the disk, for those who make, read or look
// over its files beside Badger itself: the index in a directory, and the volumes of the chunk
// store. It knows nothing of what they keep there.
//
// # What of Badger this depends on
//
// All of it is that of badger/v4 4.9.6, and would have to be looked at again with another version.
// The tests compare it with what Badger itself makes.
//
//	000001.sst              a table (table/table.go)
//	00001.mem               the write-ahead log of a memtable (memtable.go)
//	000001.vlog             a value log (value.go)
//	MANIFEST                which tables there are, and in which level (manifest.go)
//	MANIFEST-REWRITE        what is to replace it
//	KEYREGISTRY             the keys that files are encrypted by; here none (key_registry.go)
//	KEYREGISTRY-REWRITE     what is to replace it
//	DISCARD                 notes of garbage in value logs (discard.go)
//
// Logs of both kinds begin with [LogHeader] bytes, behind which their records follow each other
// (memtable.go, encodeEntry, and structs.go, header.Encode):
//
//	key id(be64)=0 IV(12)
//	{ meta(1) user meta(1) key length(uvarint) value length(uvarint) expiry(uvarint)
//	  key value CRC-32C of all before(be32) }...
//
// where a key id of 0 says that the log is not encrypted, and meta has the marks [MarkPointer],
// [MarkTxn] and [MarkTxnEnd] (value.go).
//
// MANIFEST is a header and records, each of which is a change as a whole:
//
//	"Bdgr" 0000 0008
//	{ length(be32) CRC-32C(be32) ManifestChangeSet }...
//
// ManifestChangeSet and ManifestChange are messages of Protocol Buffers: see badgerpb4.proto.
//
// Besides: Badger takes a DISCARD of any length as it finds it, and makes one of a megabyte only
// where there is none; it opens by their paths the files that it has just made, with the modes that
// the umask has left them; it formats most of the system's errors instead of wrapping them
// (y/error.go); and what it finds in damaged files may make it panic.
package badgerfile
