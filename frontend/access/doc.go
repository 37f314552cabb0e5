// Package access says who may come in: it verifies who sent a request to one of the two services,
// and that nobody changed it on the way.
//
// A Verifier computes the signature that the holder of the secret would have made of the request
// that came, and compares it in constant time:
//
//	S3    AWS4-HMAC-SHA256 in a header or in the URL; the body by its SHA-256, by signed chunks
//	      with or without a trailer, by unsigned chunks with a trailer, or not at all
//	OSS   versions 1 (OSS), 2 (OSS2) and 4 (OSS4-HMAC-SHA256), each in a header or in the URL; no
//	      bodies
//
// A form that posts an object carries a policy in place of a signed request: conditions on its
// fields and on the size of its file, and a time when it ends. The signature is that of the policy,
// by versions 2 and 4 of S3, and 1 and 4 of OSS. A policy of S3's must name each field; one of OSS's
// need not. A form may be sent as often as anybody likes until its policy ends.
//
// Signing again with the services' own SDKs would not do, so they are the oracles of the tests
// only: OSS's cannot make a URL of version 4 for a time that is past, and S3's cannot sign chunks
// and trailers as S3 does, nor a Content-Length of 0, as the SDKs of other languages do.
//
// A signature in a header holds for Options.Skew before and after its time, so a request that was
// recorded can be replayed that long. One in a URL holds as long as the URL says, at most a week in
// version 4. What a signature does not cover, anybody on the way can change. That are headers that
// the client does not sign, but none of the service's own (x-amz-, x-oss-), and in version 1 of OSS
// also parameters that are no sub-resources, as prefix and max-keys. To read more into a signature
// than was signed is ruled out: no parameter may be there twice, and a header that is there twice
// is one with its values joined. A parameter of a signed URL of S3 that is named as one of the service's
// own headers is that header, unless that is there as well, and then it is signed, too.
//
// A region is whatever the client says. There are no temporary keys: a security token of S3's is refused,
// and one of OSS's is a header as any other.
//
// An Error is what the service says, in its words. Clients of S3 get back what their signature should
// have been made of, as S3 does it; but no more than 8 KiB of what they have said, and no canonical
// request in which a key of theirs is, a token or a cookie.
package access
