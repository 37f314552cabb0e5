// Package gocloud opens buckets of an engine as [gocloud.dev/blob] buckets: [OpenBucket].
//
// It is a module of its own, since gocloud.dev brings gRPC and OpenTelemetry along, which nobody
// needs for the other front ends.
//
// # Keys and metadata
//
// Keys are the engine's as they are. So a bucket under OSS's rules refuses those that begin with /
// or \, with InvalidArgument; under S3's any key of up to 1024 bytes is one.
//
// Names of metadata that are not letters, digits and - only, and values with % or control
// characters are escaped, and come back as they were; other front ends show them escaped. Either
// service's limits hold: names and values have together, escaped, at most 8 KiB, or 2 under S3's
// rules.
//
// # Writing
//
// A blob of less than 64 KiB is stored by one PutObject when the writer is closed, and has an MD5.
// A larger one is taken in by parts while it is written, in the engine's memory budget, and named
// when the writer is closed; it has no MD5. BufferSize and MaxConcurrency have no effect. When the
// context ends first, or ContentMD5 is another, nothing stays.
//
// # Errors
//
// A blob whose key the provider does not know, or has disabled, is PermissionDenied, not NotFound.
// A store that cannot be reached, or a node that has lost its lease, is Unknown, which may be tried
// again.
//
// # As
//
//   - Bucket: *[engine.Engine]
//   - Error: *[engine.Error], *[engine.CorruptionError]
//   - Attributes and ListObject: [engine.ObjectInfo]; directories have none
//   - Reader: *[engine.Object], which is also an io.ReaderAt
//   - ReaderOptions.BeforeRead: *[engine.GetObjectRequest]
//   - WriterOptions.BeforeWrite: *[engine.UploadRequest], of which Attributes, EncryptionRequest,
//     Preconditions and Checksum.Algorithm matter
//   - CopyOptions.BeforeCopy: *[engine.CopyObjectRequest]; of a copy onto itself it is called again
//     when the blob has changed meanwhile
//   - DeleteOptions.BeforeDelete: *[engine.DeleteObjectRequest]
//   - ListOptions.BeforeList: *[engine.ListObjectsRequest]
//
// There are no signed URLs: they are the business of a front end that serves HTTP. SignedURL fails
// with Unimplemented.
package gocloud
