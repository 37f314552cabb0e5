package access

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// isSubresource says whether version 1 signs a parameter. The SDKs do not agree about that; these
// are all that one of them signs.
func isSubresource(name string) bool {
	switch name {
	case "acl", "append", "asyncFetch", "bucketInfo", "callback", "callback-var", "cloudboxes",
		"cname", "comp", "continuation-token", "cors", "delete", "encryption", "endTime", "group",
		"img", "inventory", "inventoryId", "lifecycle", "link", "live", "location", "logging",
		"metaQuery", "objectInfo", "objectMeta", "partNumber", "policy", "position", "qos",
		"qosInfo", "referer", "regionList", "replication", "replicationLocation",
		"replicationProgress", "requestPayment", "resourceGroup", "response-cache-control",
		"response-content-disposition", "response-content-encoding", "response-content-language",
		"response-content-type", "response-expires", "restore", "security-token", "sequential",
		"startTime", "stat", "status", "style", "styleName", "symlink", "tagging",
		"transferAcceleration", "udf", "udfApplication", "udfApplicationLog", "udfId", "udfImage",
		"udfImageDesc", "udfName", "uploadId", "uploads", "versionId", "versioning", "versions",
		"vod", "website", "withHashContext", "worm", "wormExtend", "wormId":
		return true
	}
	return strings.HasPrefix(name, "x-oss-")
}

func claimInHeaderV1(r *request, authorization string) (*claim, error) {
	accessKey, signature, ok := strings.Cut(authorization, ":")
	if !ok {
		return nil, badRequest("InvalidArgument", "Authorization must be OSS ACCESSKEY:SIGNATURE.")
	}
	date := cmp.Or(r.Header.Get("X-Oss-Date"), r.Header.Get("Date"))
	signed, err := http.ParseTime(date)
	if err != nil {
		return nil, accessDenied("OSS authentication requires a valid Date.")
	}
	c := &claim{accessKey: accessKey, signature: signature, signed: signed, date: date}
	c.signV1(r)
	return c, nil
}

func claimInURLV1(r *request) (*claim, error) {
	expires := r.query.Get("Expires")
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || !r.query.Has("OSSAccessKeyId") || !r.query.Has("Signature") {
		return nil, accessDenied("OSSAccessKeyId, Expires and Signature must all be there.")
	}
	c := &claim{
		accessKey: r.query.Get("OSSAccessKeyId"),
		signature: r.query.Get("Signature"),
		until:     time.Unix(seconds, 0),
		date:      expires,
	}
	c.signV1(r)
	return c, nil
}

// signV1 completes a claim by what its signature must be made of.
func (c *claim) signV1(r *request) {
	c.stringToSign = strings.Join([]string{
		r.Method,
		r.Header.Get("Content-Md5"),
		r.Header.Get("Content-Type"),
		c.date,
		r.canonicalHeaders(r.headersWith("x-oss-"), strings.TrimSpace) + r.resource() + r.subresources(),
	}, "\n")
	c.signer = signerV1
}

// signerV1 signs as versions 1 and 2 do.
func signerV1(secret string) signer {
	return func(text string) string {
		h := hmac.New(sha1.New, []byte(secret))
		h.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
}

// resource is what a request is about, as OSS signs it: the bucket is in it, wherever it came from.
func (r *request) resource() string {
	if r.bucket == "" {
		return "/"
	}
	return "/" + r.bucket + "/" + r.key
}

// subresources are the signed parameters, sorted and not escaped.
func (r *request) subresources() string {
	var signed []string
	for name := range r.query {
		if isSubresource(name) {
			signed = append(signed, name)
		}
	}
	slices.Sort(signed)
	separator := "?"
	var b strings.Builder
	for _, name := range signed {
		b.WriteString(separator + name)
		if value := r.query.Get(name); value != "" {
			b.WriteString("=" + value)
		}
		separator = "&"
	}
	return b.String()
}
