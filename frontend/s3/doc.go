// Package s3 is a face of the engine: an http.Handler that speaks Amazon S3's REST protocol.
//
// It translates and nothing else. What a request means is decided by the engine, whose errors carry
// S3's codes, and who may send it by package access. Buckets that it creates follow engine.S3.
//
// A request takes these steps: access verifies who sent it; router.go finds the operation, by the
// method, by whether it is about a bucket or an object, and by the parameter of the query that says
// more; access authorizes it; the operation's method of call, which is in the file named for what it
// is about, makes the engine's request of the headers, and the answer of the result. What is not
// offered is NotImplemented, and what a bucket could have and never does here is said to be absent.
package s3
