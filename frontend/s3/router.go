package s3

import (
	"net/http"
	"slices"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// An operation is one that S3 has.
type operation struct {
	name string // as an access.Action says it
	run  func(*call)
}

// operations are those that are offered, by method, by what they are about, and by subresource. A
// request that names a source to copy from has "source" at its end.
var operations = map[string]operation{
	"GET service": {"ListBuckets", (*call).listBuckets},

	"PUT bucket":          {"CreateBucket", (*call).createBucket},
	"DELETE bucket":       {"DeleteBucket", (*call).DeleteBucket},
	"HEAD bucket":         {"HeadBucket", (*call).headBucket},
	"GET bucket location": {"HeadBucket", (*call).getBucketLocation},
	"GET bucket acl":      {"HeadBucket", (*call).GetPrivate},
	"PUT bucket acl":      {"HeadBucket", (*call).PutPrivate},
	"GET bucket":          {"ListObjects", (*call).listObjects},
	"GET bucket versions": {"ListObjects", (*call).listObjects},
	"GET bucket uploads":  {"ListMultipartUploads", (*call).listMultipartUploads},
	"POST bucket delete":  {"DeleteObjects", (*call).deleteObjects},
	"POST form":           {"PutObject", (*call).postObject},

	"GET bucket accelerate":   {"HeadBucket", nothing("AccelerateConfiguration")},
	"GET bucket logging":      {"HeadBucket", nothing("BucketLoggingStatus")},
	"GET bucket notification": {"HeadBucket", nothing("NotificationConfiguration")},
	"GET bucket versioning":   {"HeadBucket", nothing("VersioningConfiguration")},

	"GET bucket ownershipControls": {"HeadBucket", (*call).GetOwnership},

	"PUT object":            {"PutObject", (*call).putObject},
	"PUT object source":     {"CopyObject", (*call).copyObject},
	"GET object":            {"GetObject", (*call).getObject},
	"HEAD object":           {"HeadObject", (*call).headObject},
	"DELETE object":         {"DeleteObject", (*call).deleteObject},
	"GET object acl":        {"HeadObject", (*call).GetPrivate},
	"PUT object acl":        {"HeadObject", (*call).PutPrivate},
	"GET object attributes": {"HeadObject", (*call).getObjectAttributes},
	"PUT object tagging":    {"PutObjectTagging", (*call).PutObjectTagging},
	"GET object tagging":    {"GetObjectTagging", (*call).GetObjectTagging},
	"DELETE object tagging": {"DeleteObjectTagging", (*call).DeleteObjectTagging},

	"POST object uploads":        {"InitiateMultipartUpload", (*call).createMultipartUpload},
	"PUT object uploadId":        {"UploadPart", (*call).uploadPart},
	"PUT object uploadId source": {"UploadPartCopy", (*call).uploadPartCopy},
	"POST object uploadId":       {"CompleteMultipartUpload", (*call).completeMultipartUpload},
	"DELETE object uploadId":     {"AbortMultipartUpload", (*call).AbortMultipartUpload},
	"GET object uploadId":        {"ListParts", (*call).listParts},
}

// subresources are the parameters by which a query asks for another operation, those that are not
// offered, too: without them a request to set an ACL would be one to store an object.
var subresources = []string{
	"abac", "accelerate", "acl", "analytics", "annotation", "annotations", "attributes", "cors",
	"delete", "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle",
	"location", "logging", "metadataAnnotationTable", "metadataConfiguration",
	"metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics", "notification",
	"object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock",
	"renameObject", "replication", "requestPayment", "restore", "retention", "select", "session",
	"tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
}

// conditional are the writes that judge conditions on what they write to.
var conditional = []string{"PUT object", "DELETE object", "POST object uploadId"}

var errMethodNotAllowed = face.Refuse(http.StatusMethodNotAllowed, "MethodNotAllowed",
	"The specified method is not allowed against this resource.")

// find finds the operation that the request asks for.
func (c *call) find() (name string, run func()) {
	route := c.Route(subresources)
	c.RefuseChunks(route, "PUT object", "PUT object uploadId")
	c.checkHeaders()
	if c.Query.Has("versionId") {
		c.CheckNamedVersion("versionId", c.Query.Get("versionId"))
	}
	if route == "PUT object" && c.Query.Has("partNumber") { // a part would replace the object
		c.Fail(face.Invalid("partNumber", "partNumber",
			"This operation does not accept partNumber without uploadId"))
	}
	if route == "PUT object uploadId" && !c.Query.Has("partNumber") {
		c.Fail(errMethodNotAllowed)
	}
	if c.R.Method == http.MethodPut && c.Header("Copy-Source") != "" {
		route += " source"
	}
	reads := c.R.Method == http.MethodGet || c.R.Method == http.MethodHead
	if !reads && !slices.Contains(conditional, route) &&
		c.preconditions() != (engine.Preconditions{}) {
		c.Fail(face.NotOffered("This operation on a condition"))
	}
	// What nobody knows yet would be another operation. Browsers say much to get by a cache.
	if op, ok := operations[route]; ok && (reads || !c.AsksMore(subresources)) {
		return op.name, func() { op.run(c) }
	}
	if answer := c.S3Absent(route); answer != nil {
		return "HeadBucket", answer
	}
	known := []string{"GET", "HEAD", "PUT", "POST", "DELETE"}
	if c.Bucket == "" || !slices.Contains(known, c.R.Method) {
		c.Fail(errMethodNotAllowed)
	}
	return "HeadBucket", func() {
		c.HeadBucket() // which S3 looks for first
		c.Fail(engine.ErrNotImplemented)
	}
}

// nothing is GetX of an X that no bucket has, which is a document of its own.
func nothing(root string) func(*call) { return func(c *call) { c.Nothing(root) } }
