// Package engine is an embedded storage engine for multipart uploads with the semantics of Alibaba
// Cloud OSS: one process, one directory, no server.
//
// [Open] opens a directory, [OpenStores] an index and a chunk store of any kind. Every operation is
// a method of [Engine] named as OSS names it, with a request of its own, and a result named like
// it; what describes one thing is its description instead: HeadBucket's a [Bucket], HeadObject's an
// [ObjectInfo], GetObject's an open [Object].
//
// # Operations
//
//	buckets       CreateBucket DeleteBucket HeadBucket ListBuckets BucketStats
//	uploads       InitiateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload
//	              AbortMultipartUpload ListParts ListMultipartUploads
//	objects       PutObject CopyObject GetObject HeadObject DeleteObject DeleteObjects ListObjects
//	              ListObjectParts PutObjectTagging GetObjectTagging DeleteObjectTagging
//	annotations   PutBucketAnnotations PutObjectAnnotations: what a front end keeps with them
//	all in one    Upload: an object by parts, in parallel, resumable
//	as files      FS: a bucket as a read-only file system of package io/fs
//	maintenance   Expire Reclaim Check Stats RotateKeys
//	moving        OpenClone OpenCloneStores Clone.Pull: a copy in another place; Compare
//
// Requests and results are plain structs; a field that is zero is absent or has its default, and a
// request that is nil is the empty one. What several of them say is a type that they embed:
// [Attributes], [EncryptionRequest], [Preconditions], [Conditions], [Encryption]. Sizes are in
// bytes, numbers of parts begin at 1, digests are of the plaintext. ETags come out without quotes,
// and quotes and case are forgiven on the way in. Times are as fine as the clock; in the answers of
// both services they are whole seconds, so a front end cuts them off, and conditions compare whole
// seconds. A listing is a page, or all pages as a sequence:
// [Engine.Parts], [Engine.Uploads], [Engine.Objects].
//
// All methods may be called from many goroutines. ctx ends what a call waits for; a mutation that
// is being committed by then is waited for, so its outcome is definite.
//
// A bucket follows the [Rules] that it was created with: [OSS] or [S3], whose comments say where
// the two differ. What OSS does not have and S3 has, as checksums, conditions of writing and keys
// of clients, is there under both.
//
// # Errors
//
// Every method that fails returns an [*Error], which says what the call was about and carries OSS's
// code, HTTP status and, where it is known, fine-grained code: a front end of any protocol is a
// thin translation. Codes are told apart by errors.Is and the Err values; errors.As reaches the
// causes. What else an answer says of a failure, as the condition that does not hold or the least
// size of a part, is in fields of the Error. A front end that refuses something itself derives its
// error from one of the Err values: [Error.Derive].
//
//	the request          ErrInvalidArgument, ErrInvalidBucketName and others of 400: another try fails, too
//	what is not there    ErrNoSuchBucket, ErrNoSuchKey, ErrNoSuchUpload
//	what is in the way   ErrPreconditionFailed, ErrFileAlreadyExists, ErrBucketNotEmpty; nothing was done
//	the body             ErrIncompleteBody, ErrInvalidDigest, ErrBadDigest: nothing of it is kept
//	keys                 ErrKmsServiceNotEnabled, ErrKeyNotFound, ErrAccessDenied: what the provider said
//	time                 ErrRequestTimeout, only if the call's own context ended, which is the cause
//	the disk             ErrNoSpace: reads, deletions and Reclaim go on, and writes when there is space
//	damage               ErrInternal with a [*CorruptionError] that says what is hit, and where
//	a newer version      ErrInternal with a [*FormatError]
//	the end              ErrClosed; ErrLeaseLost of one of several engines on one store
//
// Any call may fail with ErrRequestTimeout, ErrUnavailable, ErrInternal, ErrClosed and ErrLeaseLost,
// and any that names a bucket or an object with ErrInvalidBucketName and ErrInvalidObjectName, under
// S3's rules with ErrKeyTooLong: what is said of the methods does not name them again.
//
// A failed mutation has left nothing, but for two cases. After a failed commit of the index nobody
// knows whether it was stored: it may be there after the next Open, all writes fail until then, and
// nothing is reclaimed. And what is done in steps says so: Expire, DeleteObjects, RotateKeys,
// Reclaim.
//
// # What it promises
//
//   - What was acknowledged is durable: when UploadPart, CompleteMultipartUpload or any other call
//     returns without error, its effect survives kill -9 and power loss. What was not acknowledged
//     is absent or whole, never partial.
//   - UploadPart, Complete and Abort are linearizable. An object is one complete list of parts or it
//     is not there. Of parts uploaded under one number at once, the one that finishes last wins. A
//     part that finishes after Complete or Abort gets ErrNoSuchUpload.
//   - Every byte read is verified, by two sums that were made from different bytes at different
//     times, the chunk store's of the frame and the CRC-64 of the chunk in the index, or by its
//     seal. Damage on disk is a [*CorruptionError], never a wrong byte.
//   - Memory is bounded by Options, whatever the size and the number of parts. Only [Engine.Check]
//     takes more where more is stored: about 200 bytes a chunk, 100 a part, and 100 an object.
//   - A directory that was restored badly, or is somebody's trap, is an error, or a sound store: in it
//     no symlink is followed and no FIFO waited for, and no file makes Open take memory or time for what
//     it claims to hold.
//   - Bad input is an error that names the field and the limit. It never panics and stores nothing.
//
// # The life of a part
//
// The body is read into chunk buffers of one engine-wide budget. Per stream, in order: MD5, which
// becomes the ETag. Per chunk, side by side: CRC-64/XZ, the content address (BLAKE3), and, if the
// index does not know that address, compression (S2, kept when smaller; see [Compression]), sealing (AES-256-GCM, when
// the upload was initiated with encryption) and an append to a volume of the chunk store. Then the
// digests are compared with what the caller gave. Then the volumes are synced; calls that wait at
// the same time share one sync. Then one transaction of the index names the part.
//
// The list of a part's chunks, its manifest, is written in pages of 1024. A page that is full takes
// the last two steps at once, while the next one fills: its volumes are synced, and a transaction
// stores it under a manifest that is provisional until the part is named. So memory does not depend
// on how many chunks a part has. If the body fails or is refused, what was written of its manifest
// is garbage.
//
// That order is a law: chunks durable, then the index that names them, then the acknowledgement.
// Deletion goes the other way round. A crash between any two steps leaves garbage that is
// accounted for and reclaimed, never a hole.
//
// A buffer is for bytes that are there, not for clients that are waited for. A body that does not
// lie in memory is read into a block of 4 to 64 KiB of its own, and from there into a buffer. Where
// buffers are short, one whose body waits for its client is cut off as it is, as a chunk of 64 KiB
// or more, and goes to who needs it. So a slow client costs one block and one goroutine, until its
// Read returns.
//
// # Small bodies and copies
//
// What PutObject takes in is a content of one part. When that is one chunk whose frame is at most 32
// KiB long, the index keeps the frame itself instead of a list of chunks: one transaction, one sync.
// Once what lives in the index is more than 32 MiB and an eighth of what is free on its disk, it
// does not.
//
// CopyObject makes the copy another owner of the source's content, if the same keys guard both; the
// index counts the owners where there are several. UploadPartCopy refers to the chunks of a part
// once more, if the copied range is that part and neither side is encrypted. Either needs the scope
// of the source's chunks to lie within that of the target's bucket. Other copies read and verify
// the source and take the usual way, in buffers that end where the source's chunks end, so that
// those are found to be stored already, if they are in the scope.
//
// # Deletion
//
// DeleteObject, AbortMultipartUpload, an overwritten object and a replaced part cost one small
// transaction: the content goes to a queue. In the background it is swept: the references that it
// held are dropped, in bounded transactions, but what an open Object still reads waits. A chunk
// without references is dead. A volume in which nothing lives is removed; where enough of another
// is dead, holes are punched under dead chunks, which needs no space and copies nothing. What holes
// cannot give back is copied: the live chunks of a volume are copied, the copies synced, the index
// pointed at them, and the volume removed, in that order. [Engine.Reclaim] does both at once,
// [Engine.Check] proves that the accounts are right.
//
// # Several engines on one store
//
// Engines with [Options].Node may have the same two stores open, in one process or on many
// machines: every call is linearizable with those of all. What an engine knows of its calls under
// way the others do not, so each of them has a lease in the index, which says by an epoch how old
// its oldest call, or open Object, is. What is given up, and what is to be moved elsewhere, is
// given up in an epoch, and destroyed only when all who could count on it are over. The rules, and
// a model that checks them, are in engine/internal/lease.
//
// One of them at a time sweeps, compacts or checks; a call of [Engine.Reclaim] or [Engine.Check]
// waits for another. Space comes back later than with one engine: a lease or two after what gave it
// up, and after every call, and open Object, that had begun before that, on any node. Reclaim waits
// two leases for them, and leaves the rest for the background. Volumes are not trimmed, but emptied
// and removed. Nobody is slowed down while there is much garbage.
//
// An engine that the others have not heard of for [Options].Lease, by their own clocks, is given
// up. From then on it commits nothing, whatever it believes, and says [ErrLeaseLost]: also where it
// finds missing what was taken away from it, and never that this is damaged. It must be closed, and
// another opened. One that has crashed is given up in the same way, and what it has left comes
// back, within some twenty leases where nothing else is to be given back. No clock of two machines is
// compared, and none decides whether a commit is good.
//
// All of them need the same Options.Keys: one that cannot have unwrapped what the others have is
// refused. Options.ChunkSize should be the same, too, since only chunks of equal size can be found
// to be duplicates.
//
// # Damage
//
// Before a part leans on a chunk that this process has neither read nor written nor proved, one
// read of less than 50 bytes proves that its record is there; on a disk that has not cached it that
// is one access. What turned out to be damaged is remembered, also across openings, and never counts
// as found: the same bytes, uploaded within the same scope, are stored anew, and every object that
// shares them is healed by that. CopyObject of what is known to be damaged is refused.
//
// Objects are read by pages of their metadata: the directory of the parts, and the list of a part's
// chunks, of which an Object keeps a page or two. Each of them is verified once when it is read:
// that of encrypted content by its MAC, and all by theirs with [Options].AuthenticateRecords.
// Without them two chunks exchanged in such a list are not noticed by a read. [Engine.Check]
// notices them: the list has the CRC-64 of each chunk without encryption beside its address, and
// these must come to that of the part. With Data it compares each chunk with it, and CRC-64 and MD5
// of every part.
//
// # Deduplication and encryption
//
// Chunks are found again by content address. Those of an encrypted upload are addressed with a key
// of that upload's own, so equal plaintexts of two uploads never show as equal on disk, and are
// found again only within one upload and its copies under the same keys. The records of encrypted
// content carry MACs under its data key, which bind chunks to their part, parts to their content,
// and an object to its name, its parts and what is said of it: see seals.go. With
// [Options].AuthenticateRecords all others carry them, too, under a key of the store. Package
// crypto documents construction and threat model.
//
// Chunks that are found cost less time than new ones: a part of 64 KiB takes 0.80 ms if it is
// stored already and 1.78 if not, one of 1 MiB 2.75 and 7.25. So who may upload can ask whether a
// chunk without encryption is there. Within what it is found, and so who can ask, is the
// [DedupScope] of a bucket: the store, which is the default, the bucket, or one body, which means
// that nothing is ever found. Addresses are made under a key of the scope, and the record of each
// part says which it is: no look-up can hit a chunk of another. Buckets of tenants that do not
// trust each other need DedupBucket at least, and DedupNone where the users of one bucket do not;
// the price is what they have in common, which is stored once for each. The scope of the chunks
// that a copy shares lies within that of its bucket, so nobody finds by it what the bucket's scope
// keeps from them.
//
// The data key of a content is wrapped by [Options].Keys, and [Engine.RotateKeys] wraps it anew
// without touching data; or it is wrapped by a key that the client gives with every call and that
// is not stored: SSECustomerKey. Either way a wrong key is found out before any data is read; one
// that the provider gave is asked for once more.
//
// A data key that the provider gave stays in memory for [Options].KeyLifetime, and longer only for
// calls under way and open Objects. Within that time it serves every caller. So the provider
// decides what the engine may read; which caller may have it read is decided by the front end,
// before it calls.
//
// # Locks
//
// None of the engine's locks is held during I/O, but for the turn, of which there is one for
// whoever sweeps, compacts or checks. Transactions of the index run one at a time; that is what
// makes the operations linearizable. Within a transaction's function the mutexes of damage and of
// the trash may be taken, never the other way round. That of damage is the last of all: the pins
// of the intake, whose comment says which it has, ask damage with theirs held.
package engine
