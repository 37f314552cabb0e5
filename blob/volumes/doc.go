// Package volumes is the [blob.Store] in a directory: each volume is a file.
//
// # Volumes on disk
//
//	<dir>/LOCK                    held while the store is open, and so is the directory's own handle
//	<dir>/0000000000000001.log    a volume: records of frames, and a footer once it is sealed
//
// A log is only appended to, a batch of records at a time, each batch from the next block of 4 KiB
// on: no block is written twice, so that nothing which happens to a write can hurt what was written
// before. Several batches are written at once. A volume is sealed at Options.VolumeSize; when it is
// half full, the next one is made beside it. Sealed volumes are opened on demand, at most
// Options.OpenVolumes at a time.
//
// On Linux frames go past the page cache (O_DIRECT) where the file system can do that in blocks of
// 4 KiB, by asynchronous I/O where the kernel has it. Nobody reads a part that is being uploaded,
// and a page made for it costs more than writing it; the first reader of a frame fetches it from
// the disk.
//
// Why not Badger, which keeps the index: a volume was one Badger database until the chunks were
// measured beside it. Its value log is written through a memory map. Every page is made, zeroed,
// overwritten and then found again by a sync, which was half of the time of an upload on two
// processors; every byte is copied twice on its way; and a full disk is a fatal signal. The map
// from address to place, for which a database is good, is the index's anyway.
//
// # Holes
//
// Trim punches holes into a sealed log where no live record lies, in whole blocks of 4 KiB: that
// needs no space and copies nothing, so it works on a full disk, too. A frame of 1 MiB comes back
// but for the two blocks that it shares with its neighbours; frames much smaller than a block come
// back only where neighbours are dead together. The footer goes on saying what was put. A log
// without a footer gets one before its first hole, because only whole logs can be surveyed.
//
// # Durability
//
// Sync flushes the log; its entry in the directory was flushed when it was made. A volume whose
// flush failed fails every later Sync and takes no more writes, because the kernel reports a lost
// page only once.
//
// After a crash a volume may hold any frame that was put, synced or not, and may lack any that was
// not synced, also in the middle. Presence proves nothing; only the caller's Ref, written after
// Sync, does. Open counts what an unsealed volume holds, by the headers of its records, and gives
// it a footer.
//
// # Damage
//
// Every read checks the CRC-32C of the frame, its ID and its size: what fails is a
// [*blob.CorruptionError]. It reads nothing but the frame and its sum, so damage elsewhere in the
// log, be it to the header of the frame's own record, costs at most the accounts of a volume that
// had not been sealed.
//
// A volume that is not a regular file (a symlink, a FIFO, a directory) or longer than one can be is
// a damaged one, and is not opened. To one that has another name elsewhere, a hard link, nothing is
// written: it is not trimmed, and what lives in it can be copied; one that was not sealed is read
// without a footer.
//
// # Full disks
//
// The blocks of a log are set aside before they are written, and Put refuses with [blob.ErrNoSpace]
// when that fails, or when the file system's free space falls to Options.ReserveSpace. A volume
// that could not get its footer is read without it.
//
// # Platforms
//
// All of this holds on Linux. Elsewhere, and on file systems without fallocate, blocks cannot be
// set aside: a full disk is met by the write, which is an error, too. On Windows directories cannot
// be flushed; NTFS journals their entries.
package volumes
