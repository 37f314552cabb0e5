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
// A volume is removed as a whole. At first it is active and takes frames, as many as the store
// decides; then it is sealed, for good. Its number is given to no other volume while the store is
// open, even after it was removed, nor later if [Store.NumberAfter] tells of it. Frames that are
// put at about the same time should lie in few volumes, because the caller has to sync each.
//
// [VolumeInfo] says what was put into a volume, and how much space it takes. From that its owner
// decides whether to trim it, or to copy what lives in it and remove it.
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
