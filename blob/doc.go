// Package blob stores chunks: opaque frames under a content address, in append-only volumes.
//
// A [Store] promises little, so that stores of other kinds can promise it too: a frame that was put
// can be read through its [Ref] exactly as it was, or the error says that it cannot; it is durable
// after [Store.Sync]; space comes back a whole volume at a time with [Store.Remove], or, where the
// store can, under each dead frame with [Store.Trim]. Which frames are alive, and where they are,
// the caller's index knows.
//
// [Memory] is the reference. Package volumes keeps volumes on disk. Package blobtest holds the
// suite that both pass, and that any other store has to.
//
// # Volumes
//
// A volume is what comes back as a whole. It is active first and takes frames, of which a store
// decides how many; then it is sealed, for good. Its number is given to no other as long as the
// store is open, though it be removed, nor later if [Store.NumberAfter] tells of it. Frames that
// are put at about the same time should lie in few volumes: who puts them syncs each.
//
// [VolumeInfo] says of a volume what was put into it, and what it takes where it is. By that its
// owner decides whether to trim it, or to copy what lives in it and remove the rest.
//
// # Durability
//
// After a crash a volume may hold any frame that was put, synced or not, and may lack any that was
// not synced, also in the middle. Presence proves nothing; only the caller's Ref, written after
// Sync, does.
//
// # Damage
//
// Every read is checked against the Ref: what is not the frame that was put there is a
// [*CorruptionError]. Damage to one frame costs that frame, or its volume; the others can be read.
package blob
