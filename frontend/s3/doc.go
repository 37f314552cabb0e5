// Package s3 is a face of the engine: an http.Handler that speaks Amazon S3's REST protocol.
//
// It translates and nothing else: what a request means is decided by the engine, whose errors carry
// S3's codes, and who may send it by package access. Buckets that it creates follow engine.S3.
//
// Package access finds out who sends a request; router.go finds the operation, which access
// authorizes; its method of call, in the file of what it is about, makes the engine's request of
// headers and query, and the answer of the result. What is not offered is NotImplemented.
package s3
