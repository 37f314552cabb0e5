// Package badger is the [index.Store] in a directory: a Badger database with all values in its
// tables, synced writes and a compaction of its own.
//
// # The directory
//
//	LOCK         held by the one process to which the directory belongs
//	CURRENT      names the database in charge, and the commit it was built from
//	00000007/    that database; others are unfinished, or on their way out
//	    MANIFEST KEYREGISTRY *.sst    Badger's tables
//	    *.mem                         its write-ahead logs, which Update syncs
//	    *.vlog DISCARD                its value log, which stays empty: all values are in tables and logs
//	    COPIED                        how many records were copied to it behind its first tables
//	    SUMS                          checksums of the tables and of what lists them; there only after a proper Close
//
// Open verifies SUMS before anything else and removes it when the database is open and before the
// first commit. Nothing that it lists changes before: tables and MANIFEST change when a memtable is
// flushed, and after a proper Close there is none. So an opening that fails, or dies, leaves SUMS
// as it was, and right, unless it merges small tables (see below); files that it does not list hold
// nothing then, and go.
//
// # Compaction
//
// Badger's own compaction never runs. It keeps tables of nothing but deletions for ever, and a
// table that it fails to write it takes for one that is not needed: its records are gone without a
// word. Instead the database is replaced as a whole:
//
//	1  what a snapshot shows is written as sorted tables of a new database, with plain writes that can fail, and synced
//	2  the new database is opened and read beside the snapshot: every key and every value is compared
//	3  what was committed meanwhile is copied, by versions, in a few rounds, each shorter than the one before;
//	   every commit must turn up; behind each round the sums in the old tables that were read until then are
//	   verified, once each, so that damage to them does not get sums that are right
//	4  between two commits: the last round; COPIED says how many records were copied in 3 and 4, since all
//	   of a round have one number of a commit, which does not prove that they are there; CURRENT names
//	   the new database, durably; new snapshots show it
//	5  when its last snapshot is released, the old database is closed, between two commits, and removed
//
// A crash before 4 leaves a database that the next opening removes, a crash after it the old one
// likewise. An error before 4 leaves the old one in charge.
//
// [Store.Compact] does so now. A Store does it in the background when, since the last time, more
// was written than the geometric mean of 64 MiB and of what the tables held then, or more records
// were deleted than a quarter of those that lived then (and than 16,384). So a scan steps over at
// most that many deletions, and those that come while a compaction runs; a record that was
// overwritten often costs it a few steps, however often that was. With n times 64 MiB in the
// tables, a read looks into 8 sqrt(n) small tables at most, and what lives is written anew sqrt(n)
// times while as much again comes in. It costs free space for a second database while that is
// built; without it, compacting is refused with [index.ErrNoSpace], and tried again when half as
// much more has come.
//
// A session that ends, or dies, leaves what is in its memtable in a table, however small. An opening
// that finds more than 64 tables of less than half a memtable makes some of half and more, with all versions,
// before Badger has them open: each would hold a handle and a map, and take a look of every read. It
// takes no more space than these hold, and removes SUMS before, after having verified it. What sessions
// are too short for is a compaction, which ends with them: when one is due four times over, an opening
// compacts before it is done, if there is space for it. Of the time until the deadline of its context that
// takes half at most; then the compaction begins anew in the background.
//
// # What a small call costs
//
// A look into Badger takes longer than all else of a small read. So values that are read again and
// again are kept, a megabyte of them: see recent.go. And a commit of a few KiB takes half as long
// again when the file system has to note that blocks are written now, so zeros are written ahead of
// it: see ahead.go.
//
// # Full disks
//
// A full disk is met before it is full: Badger writes through memory maps, where the system has no
// way to refuse but to kill the process. So updates are refused below a reserve of bytes, inodes
// and file handles, which is left to Badger's background work. What a file system counts as free may not
// be to be had, or not yet counted (a quota, Btrfs, XFS). So what Badger needs to open and to close is
// tried, by taking it and giving it back, while Badger writes nothing. What it needs to go on to the next
// log is held, in a file without a name, from when any commit may do so, once a log, and given back when
// one does: see spare.go. A database that is removed gives back its blocks before it is closed, since
// Badger writes a table then; where that is refused, it stays open until there is space. What the reserve
// cannot guard against is somebody else using it up in between, while Badger writes a table: of a memtable
// that is full, or when it is closed. As it is opened Badger writes none, since what a crash has left
// in logs is put into tables before, with plain writes; and when it begins its logs, a full disk is an
// error, too: see disk.CatchFaults.
//
// The write-ahead log is preallocated, and on Linux not written through its map: see window.go. So
// updates go on while others have taken the last block, those above all that free some, until the log
// is full. Btrfs would write what is written again to another place; it is told not to. Where blocks
// are shared with a snapshot, writing takes others all the same; when there are none, what is held is given
// back, the owner gives up what it has set aside, and it is written again.
//
// # Failures of the disk
//
// What Badger reports beside the errors of calls, such as a memtable that could not be flushed,
// ends all updates with an [index.CommitError], and Close returns it, too, and writes no SUMS.
// Badger itself would try the flush again each second, under another name, and leave its MANIFEST
// with a table that is not there, and files, handles and maps behind. It is kept from that until the
// index is closed, and then has three attempts. The logs of the memtables are kept from then on, so
// that nothing depends on what was written after the failure: the next Open takes tables that are
// missing out of the list and replays the logs. It then proves that nothing is missing: each commit
// has its number and has written at least one record, nothing is dropped between two compactions, so
// every number must turn up. A gap is an [index.CorruptionError] that names it.
//
// A table that is damaged while the index is open, or cannot be read, is a fault or a panic of Badger's,
// who reads it through a memory map: for Get, Scan and Compact that is a [index.CorruptionError]. But some
// damage it takes for the end of a block or of a table, and says so to nobody: records look missing to Get
// and Scan. And some it does not notice: a value is another, which is for the checksums of the records to
// find. A compaction, which then fails, and the next Open find both by the sums of the tables.
//
// # What is weaker after an unclean stop
//
// After a crash or a power loss there is no SUMS. Every acknowledged update is there, and an
// unacknowledged one is there as a whole or not at all. But damage that the disk itself did
// meanwhile is found less surely. Tables are verified as after a proper Close, by the sums in them.
// A log ends at the first record that is not whole, which is how a crash leaves the last commit;
// since each commit is synced before the next is written, records of another one behind it prove
// damage, and so does a later log or table, by the gap. So what may be dropped silently is the last
// commit, or all behind a record of which the lengths themselves were hit.
//
// # Files that cannot be what they are called
//
// The directory may have been restored, or be somebody's trap. In it no symlink is followed, no
// FIFO waited for, no device opened, no file with other names (hard links) written to, and no small
// file read beyond its limit: such an entry is an [index.CorruptionError] that names it. Badger goes
// by paths, believes what its files say of their own sizes, and panics on goroutines of its own, or
// ends the process, when they lie. So everything that it would open is looked at before, and its
// tables and logs are verified; files that never hold anything (the value log, DISCARD, the key
// registry, after a crash) are removed. Who can write the directory while it is in use, or forge
// checksums, can still destroy it, but reaches nothing outside.
//
// # Other platforms
//
// Linux is where all of this holds. Elsewhere the write-ahead log cannot be preallocated, which
// leaves the reserve alone against a full disk. On macOS Badger's sync reaches the drive but does
// not make it empty its cache, so a power loss can take the last updates. On Windows directories
// are not synced. Badger syncs the directory of new files only at times: where a file system needs
// that to keep a synced new file, which ext4, XFS, Btrfs, APFS and NTFS do not, a power loss just
// after a new table was written could lose it; new write-ahead logs are covered, because this
// package syncs the directory itself.
package badger
