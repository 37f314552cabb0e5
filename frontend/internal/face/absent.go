package face

import (
	"net/http"
	"strings"
)

// s3Absent has what S3 says of what a bucket could have. Clients ask for it, and go on without it.
var s3Absent = map[string]string{
	"cors":              "NoSuchCORSConfiguration",
	"encryption":        "ServerSideEncryptionConfigurationNotFoundError",
	"lifecycle":         "NoSuchLifecycleConfiguration",
	"object-lock":       "ObjectLockConfigurationNotFoundError",
	"policy":            "NoSuchBucketPolicy",
	"policyStatus":      "NoSuchBucketPolicy",
	"publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
	"replication":       "ReplicationConfigurationNotFoundError",
	"tagging":           "NoSuchTagSet",
	"website":           "NoSuchWebsiteConfiguration",
}

// S3Absent returns what answers a route about something that no bucket has, nil if it is about nothing
// like that: that it is not there, or that it is deleted.
func (c *Call) S3Absent(route string) (answer func()) {
	method, what, _ := strings.Cut(route, " bucket ")
	code, ok := s3Absent[what]
	switch {
	case !ok:
	case method == http.MethodGet:
		return func() {
			c.HeadBucket()
			c.Fail(Refuse(http.StatusNotFound, code, code)) // S3's words are those of InS3
		}
	case method == http.MethodDelete && what != "object-lock" && what != "policyStatus":
		return func() {
			c.HeadBucket()
			c.Done(http.StatusNoContent)
		}
	}
	return nil
}
