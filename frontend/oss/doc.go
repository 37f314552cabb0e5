// Package oss is the face of Alibaba Cloud OSS: [New] makes an http.Handler of an engine, which the
// service's own SDKs and tools use as they use the service.
//
// It is thin: a request is read into one of the engine's, and the result written as OSS writes it.
// Buckets that it creates have engine.OSS as their rules; others answer by their own.
//
// # Operations
//
//	service   ListBuckets
//	buckets   PutBucket DeleteBucket HeadBucket GetBucketInfo GetBucketLocation GetBucketStat
//	          GetBucketAcl PutBucketAcl
//	objects   PutObject PostObject GetObject HeadObject GetObjectMeta CopyObject DeleteObject
//	          DeleteMultipleObjects ListObjects ListObjectsV2 ListObjectVersions PutObjectTagging
//	          GetObjectTagging DeleteObjectTagging PutObjectACL GetObjectACL
//	uploads   InitiateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload
//	          AbortMultipartUpload ListParts ListMultipartUploads
//
// GetBucketVersioning and ListLiveChannel answer an empty document. All others are NotImplemented,
// and so are callbacks, SM4 and processing. No bucket is versioned: the one version of an object is
// "null". Objects have the storage class of their bucket unless something else is said of them. Of
// that, of access control lists and of redundancy it is kept and answered what clients say, without
// effect: who may do what is said by access.Options.
package oss
