// Package s3blob is a blob.Store on an S3-compatible object store.
//
// # Volumes
//
// A volume is one immutable object. It holds the frames of one or of many parts, and is written
// when somebody syncs it, or when it is full. Until then its frames wait in memory, of which
// Options.Memory is the most; who puts more waits. Syncs that wait at the same time share an object:
// a volume that is to be synced waits for its turn to be sent, and for Options.GroupDelay, and takes
// frames all the while.
//
//	bucket/prefix/volumes/000000010000002a-17   volume 42 of opening 1, of 17 frames
//	bucket/prefix/openings/3fffffff             says that the number 1 is taken: 0x40000000 - 1
//
//	object = "GABIONV1" record...
//	record = ID (32 bytes)  size (4, big endian)  CRC-32C of both and the frame (4)  frame
//
// The name says how many frames there are, so that a listing is enough to say what a volume holds.
//
// # Numbers
//
// The upper bits of a volume's number are those of the opening that wrote it, and no two openings
// have the same, in whatever process on whatever machine: each claims its own by a conditional
// write (If-None-Match: *). A store that ignores the condition is found out and refused, unless
// Options.Claim hands out the numbers.
//
// Volumes lists also what others have written. What they have not written yet nobody sees.
//
// # Failures
//
// Requests are tried again, with a back-off, as often as Options.Attempts says. What has failed then,
// since the object store did not answer or said that it could not just now, is a
// blob.ErrUnavailable. An attempt of which nothing is sent or received for Options.Timeout /
// Options.Attempts is given up, so that the next one can take another connection. What was answered
// with a 404 without S3's word for what is missing, NoSuchKey or NoSuchBucket, is tried again, too: a
// proxy has given it, and the object may be there. A write that was done though the store has said
// that it was not is found by its name, which nobody else can have used. When writing fails for good
// every Sync of the volume fails, and its frames are gone. Reads are verified: what the store returns
// is the frame that was put, or a [blob.CorruptionError].
package s3blob
