// Package volumes is the [blob.Store] in a directory: a volume is a Badger database or a file.
//
// # Volumes on disk
//
//	<dir>/LOCK                       held while the store is open, with the directory itself
//	<dir>/0000000000000001.badger/   a Badger volume, a database of its own:
//	    000001.vlog                  the log: records of frames
//	    000001.sst, MANIFEST, KEYREGISTRY   the table of the keys, once it is sealed, and what Badger has beside it
//	    KEYS                         until then: blocks for that table
//	    00001.mem, DISCARD           until then, if Badger writes it: what it makes and nobody reads
//	    VOLUME                       the footer, once the volume is sealed
//	<dir>/0000000000000002.log       a log volume: records of frames, and a footer once it is sealed
//	<dir>/0000000000000003.dead/     a Badger volume that is being removed
//
// Options.Kind says of which kind new volumes are, and whether Badger writes those that are Badger's.
// The others are read, trimmed and removed alike; [blob.VolumeInfo] calls them outdated, and who owns
// the store may copy what lives in them.
//
// Either kind has a log, in which frames lie in records with a CRC-32C: see record.go. A Ref says
// where in it, and reads go to the file itself. A volume is sealed at Options.VolumeSize; when it
// is half full, the next one is made beside it. Sealed volumes are opened on demand, at most
// Options.OpenVolumes at a time.
//
// # Badger volumes
//
// Whoever has a chunk's address, 32 bytes, gets its frame by Badger alone, opened read-only, from a
// volume that is sealed. (Of several frames under one address it is the last one; opened for
// writing, Badger would cut a log at its first hole.) Frames are the values, all in one value log, none
// among the keys. With the Kind Badger it makes all that is in a volume, and writes the frames, in the
// one regime where none of its hazards can occur: a volume is only appended to, by one goroutine,
// never compacted or collected, and closed before its log of the keys is full.
//
// Badger takes a memory map of the value log for the file. On Linux that map has been taken off the
// file (see disk.DetachMapping): Badger makes its records in memory, and they are written to their
// places in the file before Put returns. A page of a file that is written through a map is made,
// cleared, mapped, protected again by the sync and found by it; and when the disk has no block for
// it, the process is killed. The memory itself moves ahead of Badger (see disk.ReuseMemory), which
// saves the system from clearing as much as is written. What Badger writes to its log of the keys
// stays in memory: nobody reads that log.
//
// Nor does Badger write the table of the keys when it is closed, which it does through a map, too. It is
// given frames in a form that leaves its memtable empty; their keys are kept here, and when the volume
// is sealed, or found without a footer, Badger's own builder makes the table of them in memory. It is
// written to a file that has had its blocks since the frames were put.
//
// And Badger only writes. It is given records in an order that makes known where it will put each,
// and the version of a frame is that place; Put looks up whether the record is there. So reads need
// no database, which would take some 20 MiB of memory a volume, go through no memory map, which
// kills the process when the disk fails, and never meet Badger's "no value and no error". And no
// database that was found in the directory is ever opened: what lies in it can do no harm.
//
// With the Kind BadgerFormat no database is open while a volume is written. Each byte of a record is
// known here before Badger has written it, so records are put together here, and go to the value log
// from where their frames lie: there are no maps, no copies, and none of Badger's memory. The rest is
// the same: blocks that are set aside, one goroutine, Badger's builder for the table of the keys.
// TestTable compares volumes of both kinds, byte by byte, with what Badger has made of the same frames
// when it ran as it likes.
//
// # Log volumes
//
// A log is only appended to, a batch of records at a time, each batch from the next block of 4 KiB
// on: no block is written twice, so that nothing which happens to a write can hurt what was written
// before. Several batches are written at once. On Linux frames go past the page cache (O_DIRECT)
// where the file system can do that in blocks of 4 KiB, by asynchronous I/O where the kernel has
// it. Nobody reads a part that is being uploaded, and a page made for it costs more than writing
// it; the first reader of a frame fetches it from the disk. Written through the page cache and early
// on its way to the disk, 16 parts of random bytes at once took 1.46 nanoseconds of a processor a
// byte, past it 1.06, and reached 1030 and 1190 MB/s (ext4, medians of two runs of 5 rounds).
// Where the page cache cannot be passed, frames are written from where they lie, and only what is
// small is collected first.
//
// Why there are three: Badger copies every byte twice before it is written, into a buffer of its own
// and into its map. Without that, Badger's format costs what the page cache costs, and what was written
// is still there for who reads it soon, which may be worth more than to pass it. With batches past the page cache, which
// was tried, uploads of 1 GiB through the faces of package frontend reached 674 and 549 MB/s instead of 531
// and 441, and downloads right after them 1061 and 988 instead of 1887 and 1850 (2 processors, medians
// of 3 rounds). bench/results has tables of all kinds.
//
// # Holes
//
// Trim punches holes into a sealed log where no live record lies, in whole blocks of 4 KiB: that
// needs no space and copies nothing, so it works on a full disk, too. A frame of 1 MiB comes back
// but for the two blocks that it shares with its neighbours; frames much smaller than a block come
// back only where neighbours are dead together. The footer goes on saying what was put. A volume
// without a footer gets one before its first hole, because only whole logs can be surveyed.
//
// # Durability
//
// What goes through the page cache is started on its way to the disk after each MiB, so that Sync
// has little left to wait for: with one part of 16 MiB at a time, 596 MB/s were reached, and 555 when
// it was started after 4 MiB and nothing else was different (Badger volumes on ext4, medians of 8
// rounds on 2 processors of an Intel Xeon, Sapphire Rapids).
//
// Sync flushes the log. Its entry in the directory was flushed when it was made. What a Badger
// volume has beside it is flushed when the volume is sealed, after the log: it can be made again from
// that. A volume whose flush failed fails every later Sync and takes no more writes, because
// the kernel reports a lost page only once.
//
// After a crash a volume may hold any frame that was put, synced or not, and may lack any that was
// not synced, also in the middle. Presence proves nothing; only the caller's Ref, written after
// Sync, does. Open counts what an unsealed volume holds, by the heads of its records, and gives it
// a footer. The value log of a Badger volume is cut behind what is in it, not at a record that is
// damaged, as Badger would; and the table of its keys is made of the heads.
//
// # Damage
//
// Every read checks the CRC-32C of the frame, its ID and its size, and in a Badger volume its
// place: what fails is a [*blob.CorruptionError]. It reads nothing but the frame and its sum, so
// damage elsewhere in the log, be it to the head of the frame's own record, costs at most the
// accounts of a volume that had not been sealed. Damage to what Badger has beside its value log
// costs nothing here.
//
// A log that is not a regular file (a symlink, a FIFO, a directory) or longer than one can be is
// that of a damaged volume, and is not opened. To one that has another name elsewhere, a hard link,
// nothing is written: it is not trimmed, and what lives in it can be copied; one that was not
// sealed is read without a footer.
//
// # Full disks
//
// The blocks of a log are set aside before they are written, and those of the table of the keys with
// them, in its own file: so nobody can take them before that is written. Put refuses with
// [blob.ErrNoSpace] when that fails, or when the file system's free space falls to
// Options.ReserveSpace. Some are set aside ahead, the fewer the less is free. A volume that could not
// get its footer is read without it.
//
// When Badger makes a volume, it writes two pages through maps. That there is space for them is
// tried before, by taking it; should others take it in between, that is an error all the same, see
// disk.CatchFaults, but what Badger has begun stays in memory.
//
// # Platforms
//
// All of this holds on Linux. Elsewhere, and on file systems without fallocate, blocks cannot be
// set aside. A log volume meets a full disk by the write, which is an error, too. So does a Badger volume
// that Badger does not write, or whose memory map was taken off its file. Another one meets it in that map, which ends the process:
// only the reserve stands before that. So it is elsewhere, and on Linux where /proc does not tell which
// map is that of the file, or the system promises no memory for it.
//
// Elsewhere Badger, if it writes, pushes what it wrote from its memory map to the file after each batch, before
// Put returns: only then may it be read and synced there. On Windows directories cannot be flushed;
// NTFS journals their entries; and files that Badger maps take their whole size at once, twice the
// size of a volume.
package volumes
