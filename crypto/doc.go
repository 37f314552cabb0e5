// Package crypto holds Gabion's keys, seals, addresses and checksums. MD5, the ETag of a part, is
// in package md5lanes below it, and what makes addresses fast in package blake3lanes.
//
//	CRC64, CombineCRC64          CRC-64/XZ of a part, by carry-less multiplication where the CPU has
//	                             it, and of a whole from its pieces
//	ChecksumAlgorithm            S3's additional checksums, of a part and of a whole from its parts
//	Address, AddressOf           BLAKE3-256: the name of a chunk by its content
//	Scope                        addresses chunks that are found within one scope of a store only
//	DataKey, Cipher              one key an upload; addresses and seals the upload's chunks
//	Authenticator                of the same key, or of a store's: makes and verifies the MACs of records
//	KeyProvider, Keyring         what keeps data keys wrapped; the provider that is a local file
//	CustomerKey                  wraps data keys, too: the client gives it with each request (SSE-C)
//
// # Key hierarchy
//
//	wrapping key      32 bytes: a generation of the Keyring (or a key inside a KMS), or
//	  │               HKDF-SHA256(customer key, no salt, "gabion/v1 customer key")
//	  └─ data key     32 random bytes an upload; stored only wrapped
//	       ├─ address key = HKDF-SHA256(data key, no salt, "gabion/v1 chunk address")
//	       ├─ sealing key = HKDF-SHA256(data key, no salt, "gabion/v1 chunk seal")
//	       └─ MAC key     = HKDF-SHA256(data key, no salt, "gabion/v1 record mac")
//
// A store that authenticates its records (Options.AuthenticateRecords of package engine) has a data
// key of its own, wrapped in its header in the same way. Of it comes one key only:
//
//	store MAC key = HKDF-SHA256(data key, no salt, "gabion/v1 store record mac")
//
// Each derived key is 32 bytes long. A chunk's address is BLAKE3 in keyed mode under the address
// key, so equal plaintexts of two uploads have unrelated addresses. A chunk is sealed by
// AES-256-GCM:
//
//	| nonce 12 | ciphertext, as long as the plaintext | tag 16 |
//
// The caller's associated data (the engine passes the frame header and the chunk's address) makes a
// seal valid in its own place only. In the same way the engine seals what else it keeps that has
// plaintext in it, the state of a digest under way, for its upload and the last part that it
// covers.
//
// A seal says what a chunk is, not where it belongs. That say the MACs of records: HMAC-SHA256
// under the MAC key, or that of the store where no data key is for it, cut to its first 16 bytes.
// Of what messages is written in the engine's file seals.go, with vectors in its testdata.
//
// The Keyring wraps a data key, under the generation itself, as
//
//	| version 1 = 0x01 | nonce 12 | ciphertext 32 | tag 16 |
//
// with the associated data "gabion/v1 data key\x00" followed by the key id. A CustomerKey wraps it
// in the same form, under the key derived from it, with the associated data "gabion/v1 customer
// data key".
//
// # Scopes of deduplication
//
// A chunk without encryption is addressed by BLAKE3, so that whoever stores it again finds it. It
// is without a key where the scope is the whole store. Where it is a bucket, or one body, it is
// BLAKE3 in keyed mode under
//
//	HKDF-SHA256(store id || scope id, no salt, "gabion/v1 dedup scope")
//
// 32 bytes long. Either id has 16 bytes; the scope's is the bucket's generation, random bytes that
// no other bucket has or had, or the id of the manifest, which no other body has. Equal chunks of
// two scopes have unrelated addresses, so none is found from the other; addresses of one scope are
// not given away by anything that a client can ask. No part of this is a secret from who reads the
// disk.
//
// testdata/vectors.json has examples of all of it for other implementations.
//
// # Which BLAKE3
//
// Where the CPU has AVX-512, package blake3lanes below this one, for all of 16 KiB or more. All else
// is left to github.com/zeebo/blake3. The other one that is kept up, lukechampine.com/blake3, has
// AVX-512 as well, but loads its lanes by gathering, which many CPUs do slowly. In MB/s, with a key,
// on one core, the best of 60 short runs that took turns:
//
//	                                  1 MiB        64 KiB         4 KiB
//	Intel Xeon with AVX-512     2800   3710   2720   3720   1330   1030
//	the same without AVX-512    2800   2390   2730   2390   1280   1120
//	the same without AVX2        650    360    650    330    650    380
//	AMD EPYC with AVX2          2690   1910
//
// zeebo's is first in each pair: without AVX-512 it is faster. On arm64 both are portable Go; zeebo's
// repository has NEON, but none of its releases up to v0.2.4.
//
// # Key ring
//
// The file of a Keyring is made by CreateKeyring alone: where a file is missing, because a mount
// is, no new ring appears in its place, under which the store would go on without its keys. It has
// mode 0600, is replaced as a whole, and its next version is never readable by others. Whoever can
// write it, or exchange it by a directory or symlink on the way to it, knows the keys of all that
// is encrypted from then on; such a ring is refused, as sshd refuses such a file: the file and each
// link must belong to this process's user or the superuser, and so must each directory, which
// neither group nor others may write unless it has the sticky bit. A ring that others can read is
// used, and Exposed says so. What has no modes, like access lists of Windows, is not looked at.
//
// Several processes may use one file. They rotate it in turns, by a lock beside it; each reads it
// again when it is another file than it has read, or has another time or size, before it wraps a
// key or says that there is none. Temporary files left by a process that was killed are removed by
// the next one.
//
// # Nonces
//
// Every seal draws a random nonce. A nonce derived from the address would look tempting, since an
// address names one plaintext. But what is sealed is the compressed form, and another version of
// the compressor may compress the same chunk differently: two texts under one key and nonce, which
// breaks GCM altogether. Among q random nonces of 96 bits two are equal with a probability of
// q*q/2^97. The largest upload (10000 parts of 5 GiB) in chunks of 1 MiB is 2^26 seals, with one
// more a part for a digest: 2^-45. In chunks of 4 KiB it is 2^33.6 seals: 2^-30. Parts uploaded
// again count, too, and nothing bounds them: each upload of 48 TiB, ten times over, in chunks of 4
// KiB comes to 2^-23. Who finds that too much takes larger chunks. Compaction of volumes moves
// frames as they are and seals nothing. A generation of a Keyring seals once an upload and once
// more a rotation, a CustomerKey once an upload.
//
// # Threat model
//
// Who, and what he learns or can do. Where tests show it, they are in brackets; those without a
// package are in package engine. The process and its memory are not in the attacker's hands unless
// that is said.
//
//	A client of the API, or another tenant
//	  content of others                no; who may read what is the front end's to say, which gives a key
//	                                   of a client's own with each call [TestSecrecy, TestKeyLifetime]
//	  whether plain content is there   yes, by the time that an upload takes, within the bucket's scope of
//	                                   deduplication: by default the whole store, whoever put it there;
//	                                   DedupBucket and DedupNone end that [TestDedupScope, TestDedupCopies]
//	  the same of encrypted content    no: it is found again within its own upload only [TestSecrecy]
//	  MD5, CRC-64 and size of objects  yes, by HeadObject and listings, also of what is encrypted under a
//	  in listings                      client's key: to list is a right that the front end gives
//	  errors, events                   no key and no content [TestSecrecyHunt, crypto.TestKeysAreNotFormatted]
//
//	Who reads the disk
//	  encrypted content                no byte of it, and no state that gives bytes away, such as a digest
//	                                   under way [TestSecrecyOfStates, TestSecrecyHunt]
//	  equality                         of chunks within one upload; between uploads no [crypto.TestAddressesAreKeyed]
//	  length and compressibility       sizes of objects and parts, and of each chunk when packed
//	  digests of encrypted content     ETags, MD5, CRC-64 and checksums of objects and parts are kept in the
//	                                   clear: a guess of a whole one can be confirmed, also under a client's
//	                                   key. Of chunks there are none [TestChunkChecksums]
//	  names, metadata, tags, times     yes
//	  plain content                    all of it
//	  keys                             only wrapped [TestSecrecy]. A ring that others can read is told by
//	                                   Exposed [crypto.TestExposedRing]; a guess of a client's key can be
//	                                   tried on the wrapped data key, which a random key withstands
//
//	Who writes the disk, without a key
//	  changing encrypted content       every change is an error [crypto.TestOpenRefusesEveryFlippedBit, TestForgedFrames]
//	  exchange, order, doubling        of chunks, parts and objects, by the MACs below: an error when it is
//	                                   read, and told by Check [TestExchange, TestExchangedUpload]
//	  an older part put back           in an object: an error [TestOlderPart]. In an open upload: taken for the part
//	  dropping parts of an object      an error; but who completes an upload under a client's key without
//	                                   giving it signs no list: then another selection of the upload's own
//	                                   parts is not noticed. Give SSECustomerKey with Complete, or have
//	                                   records authenticated [TestCustomerComplete]
//	  an encrypted object replaced     nothing says that there should be a key: plain content of the
//	  by a plain one, an upload        attacker's is served, and later parts of such an upload lie there in
//	  turned plain                     the clear [TestExchangeUnmet]. With Options.AuthenticateRecords an error
//	                                   [TestAuthenticatedRecords, TestAuthenticatedUpload]
//	  changing plain content           reads notice accidents, by CRC-32C and CRC-64; who makes a chunk of
//	                                   the same sums is noticed by Check with Data, by the content address, and
//	                                   who changes the index as well is not. With AuthenticateRecords reads
//	                                   verify the address, too: an error, since the address follows from the
//	                                   content and is under a MAC [TestAuthenticatedRecords, TestForgedChunks]
//	  what lists say; buckets          names, sizes, ETags and times in listings, buckets with their rules, and
//	                                   remembered answers of Complete have no MAC: what is changed is told
//	                                   as it stands. GetObject, HeadObject and Check verify what they say of
//	                                   an object, HeadObject not of one that only the provider has the key of
//	  MD5 of a sequential upload       of the whole, while it is open: no MAC covers it. Without encryption
//	                                   what is changed becomes the Content-MD5 of the object, also with
//	                                   AuthenticateRecords; Check with Data tells [TestCheckSequentialMD5]
//	  taking AuthenticateRecords away  an error if the option is set again at Open [TestAuthenticatedStore]
//	  deletion, truncation             an error, or as if it had never been there
//	  rollback                         of a whole object's records, or of the whole directory: not noticed
//	  harm to the process              an error, in bounded memory, whatever lies there [TestHostileDirectory,
//	                                   FuzzOpen, TestBomb]; nothing outside of the directory is written
//
//	Who reads memory or swap
//	  everything under way             keys and content: Go copies both, and neither is wiped. Data keys of
//	                                   a provider leave memory after Options.KeyLifetime [TestKeysAreForgotten]
//
//	The key provider
//	  content                          it could read what it wraps keys for, if it had the disk, too
//	  denial                           a key that it denies is not used after Options.KeyLifetime, but by calls
//	                                   under way and open Objects [TestKeyLifetime, TestOpenObjectKeepsKey]
//	  bad answers                      are refused, and a panic leaves nothing held [TestProviderOutput, TestNewKeyIsUnwrapped]
//	  another data key                 than that which was asked for is found out by the MACs, asked for again,
//	                                   and never wrapped anew [TestWrongKeyOnce, TestWrongRecordsKey,
//	                                   TestRotateKeysCrossedAnswers]
//
// Keys never appear when a value of this package is formatted or encoded. One caution: package fmt
// cannot call the methods of unexported fields, so a struct that keeps a DataKey or CustomerKey in
// one must not be formatted itself. Losing a CustomerKey loses the data: it is never stored, and
// neither is a digest of it, so nothing else unwraps its data keys, and RotateKeys does not touch
// them.
package crypto
