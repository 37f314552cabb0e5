// Package blob stores chunks: opaque frames under a content address, in append-only volumes.
//
// A [Store] promises little, so that stores of other kinds can promise it too: a frame that was
// put can be read through its [Ref] exactly as it was, or the error says that it cannot; it is
// durable after [Store.Sync]; space comes back a whole volume at a time. Which frames are alive,
// and where they are, the caller's index knows. [Memory] is the reference; [Volumes] keeps volumes
// on disk. Package blobtest holds the suite that both pass.
//
// # Volumes on disk
//
//	<dir>/LOCK                  held while the store is open
//	<dir>/0000000000000001/     a volume: one Badger database
//	    000001.vlog             the frames, in pieces of 64 KiB, with a CRC-32C a record
//	    00001.mem               log of the keys, while the volume is active
//	    000001.sst              the keys, once it is sealed
//	    VOLUME, SUMS            what the volume holds; checksums of the files (see seal.go)
//	<dir>/dead-...              a volume whose removal has begun
//
// Badger's value log is fast to append to and dangerous to collect, so a volume is only appended
// to. It is sealed at Options.VolumeSize, or before its keys outgrow one memtable: compaction and
// the value log's garbage collection never run. When a volume is half full, the next one is made
// beside it. Sealed volumes are opened read-only on demand, at most Options.OpenVolumes at a time.
//
// # Durability
//
// Sync flushes the value log, then the log of the keys; their directory was flushed when they were
// made. That order must hold: whatever a power loss leaves of the keys then has its frames. On Linux
// the value log starts on its way to the disk while it is written, so that Sync has less to wait for.
// A volume whose flush failed fails every later Sync and takes no more writes, because the kernel
// reports a lost page only once.
//
// After a crash a volume may hold any frame that was put, synced or not, or a key without its
// frame. Presence proves nothing; only the caller's Ref, written after Sync, does.
//
// # Damage
//
// Every read checks the record's CRC-32C and the frame's length: Badger answers a value that it
// cannot read with an empty one and no error. The other files of a sealed volume are checked
// against SUMS before Badger opens them, since Badger may crash on damaged ones. What fails is a
// [*CorruptionError]; other volumes stay readable.
//
// # Full disks
//
// Badger writes through memory maps, where a full disk is a fatal signal. So the blocks of the
// value log are set aside before they are written, with what closing the volume takes on top, and
// Put refuses with [ErrNoSpace] when the file system's free space falls to Options.ReserveSpace.
// Closing a volume first gives back what it had set aside for that.
//
// # Platforms
//
// All of this holds on Linux. Elsewhere blocks cannot be set aside, so only the reserve guards
// against a full disk. On macOS and Windows Badger pushes mapped pages to the file before our own
// flush, keys before frames, so a power loss between the two can leave a key without its frame (which
// was not yet acknowledged then, and reads as a CorruptionError). On Windows directories cannot be
// flushed, and sealed volumes are opened for writing because Badger has no read-only mode there.
package blob
