// Package crypto holds Gabion's keys, seals, addresses and checksums. MD5, the ETag of a part, is in
// package md5lanes below it.
//
//	CRC64, CombineCRC64          CRC-64/XZ of a part, by carry-less multiplication where the CPU has
//	                             it, and of a whole from its pieces
//	ChecksumAlgorithm            S3's additional checksums, of a part and of a whole from its parts
//	Address, AddressOf           BLAKE3-256: the name of a chunk by its content
//	Scope                        addresses chunks that are found within one scope of a store only
//	DataKey, Cipher              one key an upload; addresses and seals the upload's chunks
//	Authenticator                of the same key: makes and verifies the MACs of the upload's records
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
// Each derived key is 32 bytes long. A chunk's address is BLAKE3 in keyed mode under the address key,
// so equal plaintexts of two uploads have unrelated addresses. A chunk is sealed by AES-256-GCM:
//
//	| nonce 12 | ciphertext, as long as the plaintext | tag 16 |
//
// The caller's associated data (the engine passes the frame header and the chunk's address) makes a
// seal valid in its own place only. In the same way the engine seals what else it keeps that has plaintext
// in it, the state of a digest under way, for its upload and the last part that it covers.
//
// A seal says what a chunk is, not where it belongs. That say the MACs of records: HMAC-SHA256 under the MAC
// key, cut to its first 16 bytes. Of what messages is written in the engine's file seals.go, with vectors in its
// testdata.
//
// The Keyring wraps a data key, under the generation itself, as
//
//	| version 1 = 0x01 | nonce 12 | ciphertext 32 | tag 16 |
//
// with the associated data "gabion/v1 data key\x00" followed by the key id. A CustomerKey wraps it in
// the same form, under the key derived from it, with the associated data
// "gabion/v1 customer data key".
//
// # Scopes of deduplication
//
// A chunk without encryption is addressed by BLAKE3, so that whoever stores it again finds it. It is
// without a key where the scope is the whole store. Where it is a bucket, or one body, it is BLAKE3 in
// keyed mode under
//
//	HKDF-SHA256(store id || scope id, no salt, "gabion/v1 dedup scope")
//
// 32 bytes long. Either id has 16 bytes; the scope's is the bucket's generation, random bytes that no
// other bucket has or had, or the id of the manifest, which no other body has. Equal chunks of two
// scopes have unrelated addresses, so none is found from the other; addresses of one scope are not
// given away by anything that a client can ask. No part of this is a secret from who reads the disk.
//
// testdata/vectors.json has examples of all of it for other implementations.
//
// # Key ring
//
// The file of a Keyring is made by CreateKeyring alone: where a file is missing, because a mount is, no
// new ring appears in its place, under which the store would go on without its keys. It has mode 0600,
// is replaced as a whole, and its next version is never readable by others. Whoever can write it, or
// exchange it by a directory or symlink on the way to it, knows the keys of all that is encrypted from
// then on; such a ring is refused, as sshd refuses such a file: the file and each link must belong to
// this process's user or the superuser, and so must each directory, which neither group nor others may
// write unless it has the sticky bit. A ring that others can read is used, and Exposed says so. What has
// no modes, like access lists of Windows, is not looked at.
//
// Several processes may use one file. They rotate it in turns, by a lock beside it; each reads it again
// when it is another file than it has read, or has another time or size, before it wraps a key or says
// that there is none. Temporary files left by a process that was killed are removed by the next one.
//
// # Nonces
//
// Every seal draws a random nonce. A nonce derived from the address would look tempting, since an
// address names one plaintext. But what is sealed is the compressed form, and another version of the
// compressor may compress the same chunk differently: two texts under one key and nonce, which breaks
// GCM altogether. Random nonces are safe up to about 2^32 seals a key. The largest upload (10000
// parts of 5 GiB) has fewer than 2^26 chunks of 1 MiB, and a digest a part; compaction of volumes moves frames as they are
// and seals nothing. A generation of a Keyring seals once an upload and once more a rotation, a
// CustomerKey once an upload.
//
// # Threat model
//
// The disk is in the attacker's hands; the process, and the key file or KMS, are not.
//
// Who reads the disk learns the number of chunks, their compressed sizes, which chunks inside one
// upload are equal, when they were written and, from sizes, how well they compress. Between uploads
// equality shows only in sizes. No byte of the plaintext is among it, nor a state derived from it that gives
// bytes away, such as a digest under way.
//
// Who changes the disk can make encrypted content unreadable. A chunk that is altered, swapped with another, doubled,
// dropped or brought from another upload, a part or an object in the place of another, and attributes, digests or an
// upload's choices that are altered, fail with [ErrAuthentication], which the engine reports as corruption. A wrapped
// key that was altered, or is presented under another key id, fails likewise.
//
// What such a one can do all the same:
//
//   - Turn an object or an open upload plain, by exchanging its records for those of content without encryption, and
//     give out what he likes under its name. What clients upload to such an upload from then on lies there in clear. No data
//     key is left to say that there should be one. The same goes for objects and uploads that are plain anyway: their
//     records have no MACs.
//   - Put an older state back: of the whole directory, or of single records that fit each other, as an object that was
//     overwritten or deleted since, while its chunks are there. The record of one part of an object is not among these.
//   - Delete.
//   - Make another selection of the parts of an upload under a client's key that was completed without that key, as clients
//     of OSS and S3 do: the object then has the MAC of its upload, which covers name and attributes, and its parts have
//     theirs, but nobody who had the key said which of them were chosen, nor what ETag, size and digests follow. The engine
//     takes the key with Complete and closes that.
//
// A CustomerKey is never stored, and neither is a digest of it. What there is to check it by is the
// wrapped data key: another key is refused with ErrAuthentication when that is unwrapped, before any
// chunk is read. Who reads the disk can try guesses on it in the same way, which a random key
// withstands. Losing the key loses the data: nothing else unwraps it. RotateKeys does not touch these
// data keys, because the key to unwrap them is not there.
//
// Who may upload to a bucket sees by the time that it takes whether a chunk without encryption is
// there within the bucket's scope: by default in the whole store, whoever has put it there. A narrower
// scope ends that beyond a bucket, or altogether.
//
// Not protected: metadata (bucket and key names, sizes, ETags and checksums, which are digests of the
// plaintext and let a guess be confirmed, user metadata and tags); chunks of uploads without
// encryption, which lie there as they are; and keys in the memory of the
// process, which Go may copy and which are not wiped. Keys never appear in error texts, nor when a
// value of this package is formatted or encoded. One caution: package fmt cannot call the methods of
// unexported fields, so a struct that keeps a DataKey or CustomerKey in one must not be formatted
// itself.
package crypto
