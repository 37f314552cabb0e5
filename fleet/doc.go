// Package fleet opens a store that many processes share, on many machines: what it keeps is in a
// database of PostgreSQL and in a bucket of an S3-compatible object store.
//
// [Open] gives an engine.Engine like any other. Each process is a node of the fleet, with a name of
// its own; what nodes owe each other is in the comment of package engine. All of them need the same
// key ring, or key service, in engine.Options.Keys.
//
// # Where the store is
//
// Two URLs say where, and how the node uses it. Parameters that are not known are errors, and so
// are those that are given twice. Sizes are in bytes, times as of time.ParseDuration.
//
//	postgres://USER@HOST:PORT/DATABASE?PARAMETERS      Config.Index
//
//	schema, views, patience, not-durable   the fields of pgindex.Options
//	others, as sslmode and sslrootcert     PostgreSQL's own; the server refuses what it does not know
//
//	s3://BUCKET/PREFIX?PARAMETERS                      Config.Chunks
//
//	endpoint, region, path-style           of an object store other than AWS's, as
//	                                       endpoint=https://s3.example.com and path-style=true
//	volume-size, memory, group-delay, uploads, reads, attempts, timeout,
//	storage-class, encryption, kms-key-id  the fields of s3blob.Options
//
// The database and the bucket must exist. The credentials of the object store are found as AWS's
// SDKs find them: in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in ~/.aws, in the machine's role.
// Those of PostgreSQL are in the URL, in PGPASSWORD, or in ~/.pgpass.
package fleet
