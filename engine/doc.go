// Package engine is an embedded storage engine for multipart uploads with the semantics of Alibaba
// Cloud OSS: one process, one directory, no server.
//
// [Open] opens a directory, [OpenStores] an index and a chunk store of any kind. Every operation is
// a method of [Engine], named as OSS names it, that takes a request and returns a result of the same
// name. Those that describe one thing return it instead: HeadBucket a [Bucket], HeadObject an
// [ObjectInfo], GetObject an open [Object].
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
// Requests and results are plain structs. A field that is zero is absent or has its default, and a
// nil request is the empty one. Fields that several of them share are types that they embed:
// [Attributes], [EncryptionRequest], [Preconditions], [Conditions], [Encryption]. Sizes are in
// bytes, part numbers begin at 1, digests are of the plaintext. ETags are returned without quotes;
// in requests quotes and case do not matter. Times are as fine as the clock. OSS and S3 answer in
// whole seconds, so a front end has to truncate them; conditions compare whole seconds. A listing
// is one page, or all pages as a sequence: [Engine.Buckets], [Engine.Objects], [Engine.Uploads],
// [Engine.Parts], [Engine.ObjectParts].
//
// All methods may be called from many goroutines. When ctx ends, a call stops waiting; but a commit
// that has begun is waited for, so the outcome is definite.
//
// A bucket follows the [Rules] that it was created with: [OSS] or [S3], whose comments say where
// the two differ. What only S3 has, such as checksums, preconditions and keys of clients, works
// under both.
//
// # Errors
//
// Every method of [Engine] and [Clone] that fails returns an [*Error], which says what the call was
// about and carries OSS's code, HTTP status and, where it is known, fine-grained code: a front end
// of any protocol is a thin translation. [Object] and [FS] say what their own methods return. Codes
// are told apart by errors.Is and the Err values; errors.As reaches the causes. What else OSS or S3
// answer of a failure, such as the condition that does not hold or the least size of a part, is in
// fields of the Error. A front end that refuses something itself derives its error from one of the
// Err values: [Error.Derive].
//
//	the request          ErrInvalidArgument, ErrInvalidBucketName and others of 400: a retry fails, too
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
// S3's rules with ErrKeyTooLong. The methods' own comments do not repeat these.
//
// A failed mutation has changed nothing, with two exceptions. After a failed commit of the index
// nobody knows whether it was stored: it may be there after the next Open; until then all writes
// fail and nothing is reclaimed. And Expire, DeleteObjects, RotateKeys and Reclaim work in steps, of
// which those that are done stay done.
//
// # What it promises
//
//   - What was acknowledged is durable: when UploadPart, CompleteMultipartUpload or any other call
//     returns without error, its effect survives kill -9 and power loss. What was not acknowledged
//     is absent or whole, never partial.
//   - UploadPart, Complete and Abort are linearizable. An object is one complete list of parts or it
//     is not there. Of parts uploaded under one number at once, the one that finishes last wins. A
//     part that finishes after Complete or Abort gets ErrNoSuchUpload.
//   - Every byte read is verified by its seal, or by two sums that were made from different bytes at
//     different times: the chunk store's, of the frame, and the index's CRC-64, of the chunk. Damage
//     on disk is a [*CorruptionError], never a wrong byte.
//   - Memory is bounded by Options, whatever the size and the number of parts. Only [Engine.Check]
//     takes more where more is stored: about 200 bytes a chunk, 100 a part, and 100 an object.
//   - A directory that was restored badly or made as a trap either fails to open or is a sound store.
//     No symlink in it is followed and no FIFO waited for, and no file makes Open take memory or time
//     for what it only claims to hold.
//   - Bad input is an error that names the field and the limit. It never panics and stores nothing.
//
// # The life of a part
//
// The body is read into chunk buffers of one engine-wide budget. Per stream, in order: MD5, which
// becomes the ETag. Per chunk, side by side: CRC-64/XZ, the content address (BLAKE3), and, if the
// index does not know that address, compression (S2, kept when smaller; see [Compression]), sealing
// (AES-256-GCM, when the upload was initiated with encryption) and an append to a volume of the chunk
// store. Then the digests are compared with what the caller gave. Then the volumes are synced; calls
// that wait at the same time share one sync. Then one transaction of the index names the part.
//
// The list of a part's chunks, its manifest, is written in pages of 1024. A full page is stored at
// once, while the next one fills: its volumes are synced, and a transaction stores it under a
// manifest that is provisional until the part is named. So memory does not depend on how many chunks
// a part has. If the body fails or is refused, what was written of its manifest is garbage.
//
// That order is a law: chunks durable, then the index that names them, then the acknowledgement.
// Deletion goes the other way round. A crash between any two steps leaves garbage that is
// accounted for and reclaimed, never a hole.
//
// Buffers hold bytes that have arrived; slow clients do not occupy them. A body that does not lie in
// memory is read into a block of its own, of 4 to 64 KiB, and from there into a buffer. When buffers
// are short, one whose body waits for its client is stored as it is, as a chunk of 64 KiB or more,
// and given to another call. So a slow client costs one block and one goroutine, until its Read
// returns.
//
// # Small bodies and copies
//
// The body of PutObject is a content of one part. When that is one chunk whose frame is at most 32
// KiB long, the index keeps the frame itself instead of a list of chunks: one transaction, one sync.
// It stops doing so while its live data are more than 32 MiB and more than an eighth of the free
// space of its disk.
//
// CopyObject makes the copy another owner of the source's content, if the same keys guard both; the
// index counts the owners where there are several. UploadPartCopy refers to the chunks of a part
// once more, if the copied range is that part and neither side is encrypted. Either needs the scope
// of the source's chunks to lie within that of the target's bucket. Other copies read and verify
// the source and are stored as a body is, in buffers that end where the source's chunks end: so
// chunks that are in the target's scope are found, and not stored again.
//
// # Deletion
//
// DeleteObject, AbortMultipartUpload, an overwritten object and a replaced part cost one small
// transaction: the content goes to a queue. In the background it is swept: its references to chunks
// are dropped, in bounded transactions. What an open Object still reads waits. A chunk without
// references is dead. A volume in which nothing lives is removed. Where enough of a volume is dead,
// holes are punched under dead chunks, which needs no space and copies nothing. Where holes cannot
// give the space back, the live chunks of the volume are copied, the copies synced, the index pointed
// at them, and the volume removed, in that order. [Engine.Reclaim] sweeps and frees at once,
// [Engine.Check] proves that the accounts are right.
//
// # Several engines on one store
//
// Engines with [Options].Node may have the same two stores open, in one process or on many
// machines: the calls of all of them together are linearizable. No engine sees the calls of the
// others, so each has a lease in the index, which says by an epoch how old its oldest call or open
// Object is. What is given up, or is to be moved elsewhere, is stamped with an epoch, and destroyed
// only after every call and open Object that might still use it has ended, on all nodes. The rules,
// and a model that checks them, are in engine/internal/lease.
//
// One engine at a time sweeps, compacts or checks; a call of [Engine.Reclaim] or [Engine.Check]
// waits for its turn. Space comes back later than with one engine: a lease or two after it was given
// up, and after every call and open Object that began before that has ended, on any node. Reclaim
// waits two leases for them, and leaves the rest for the background. Volumes are not trimmed, but
// emptied and removed. Writers are not slowed down while there is much garbage.
//
// An engine that the others have not heard of for [Options].Lease, by their own clocks, is given
// up. From then on it commits nothing, and its calls fail with [ErrLeaseLost], also where data that
// was reclaimed meanwhile is missing: that is never called damage. It must be closed, and another
// opened. One that has crashed is given up in the same way, and the space that it has left unused
// comes back, within some twenty leases where nothing else is to be reclaimed. Clocks of two machines
// are never compared, and no clock decides whether a commit is good.
//
// All engines need the same Options.Keys: one whose Keys cannot unwrap the data keys of the others
// is refused. Options.ChunkSize should be the same, too, since only chunks of equal size can be
// found to be duplicates.
//
// # Damage
//
// Before a part refers to a stored chunk that this process has neither read nor written nor proved,
// one read of less than 50 bytes proves that its record is there; on a disk that has not cached it
// that is one access. Damage that was found is remembered, also after the next Open, and a damaged
// chunk never counts as found: the same bytes, uploaded within the same scope, are stored anew,
// which heals every object that shares them. CopyObject of what is known to be damaged is refused.
//
// Objects are read by pages of their metadata: the directory of the parts, and the list of a part's
// chunks, of which an Object keeps a page or two. Each page is verified once, when it is read: that
// of encrypted content by its MAC, and with [Options].AuthenticateRecords every other, too. A page
// without a MAC does not tell a read that two chunks in it were exchanged. [Engine.Check] does
// notice: the list has the CRC-64 of each chunk without encryption beside its address, and combined
// they must give the part's CRC-64. With Data, Check reads every chunk and compares its CRC-64, then
// each part's CRC-64 and MD5.
//
// # Deduplication and encryption
//
// Chunks are found again by content address. Those of an encrypted upload are addressed with a key
// of that upload's own, so equal plaintexts of two uploads never show as equal on disk, and are
// found again only within one upload and its copies under the same keys. The records of encrypted
// content carry MACs under its data key, which bind chunks to their part, parts to their content,
// and an object to its name, its parts and its attributes: see seals.go. With
// [Options].AuthenticateRecords all other records carry MACs, too, under a key of the store. Package
// crypto documents construction and threat model.
//
// Chunks that are found take less time than new ones. So whoever may upload can tell, by the time
// that it takes, whether a chunk without encryption is there. How far a chunk is found, and so who
// can tell, is set by the bucket's [DedupScope]: the store, which is the default, the bucket, or one
// body, in which case nothing of another upload is ever found. Addresses are made under a key of the
// scope, and the record of each part names the scope: no look-up can hit a chunk of another. Buckets
// of tenants that do not trust each other need DedupBucket at least, and DedupNone where the users of
// one bucket do not trust each other. The price is that what they have in common is stored once for
// each. A copy shares only chunks whose scope lies within that of its bucket, so nobody finds through
// a copy what the bucket's scope hides.
//
// The data key of a content is wrapped by [Options].Keys, and [Engine.RotateKeys] wraps it anew
// without touching data; or it is wrapped by a key that the client gives with every call and that
// is not stored: SSECustomerKey. Either way a wrong key is noticed before any data is read; a wrong
// data key from the provider is asked for once more.
//
// A data key that the provider gave stays in memory for [Options].KeyLifetime, and longer only for
// calls under way and open Objects. Within that time it serves every caller. So the provider
// decides what the engine may read; the front end decides, before it calls, which caller may read it.
//
// # Locks
//
// None of the engine's locks is held during I/O, except the turn, which whoever sweeps, compacts or
// checks holds. Transactions of the index run one at a time; that is what makes the operations
// linearizable. A transaction's function may take the mutexes of damage and of the trash; nobody who
// holds one of these may begin a transaction. The mutex of damage is the innermost: the pins of the
// intake ask damage while they hold theirs.
package engine
