package oss

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// DefaultRegion is where buckets are if Options do not say it.
const DefaultRegion = "local"

// own is how the service's own headers begin.
const own = "X-Oss-"

// Options of New. The zero value lets nobody in.
type Options struct {
	Access access.Options // who may come in

	// Region is what the service says of where its buckets are, as "cn-hangzhou"; DefaultRegion if
	// empty. Their location is "oss-" and the region.
	Region string
}

// New makes the face of an engine, which stays the caller's to close. o may be nil.
func New(e *engine.Engine, o *Options) http.Handler {
	if o == nil {
		o = &Options{}
	}
	return &handler{
		engine: e, verifier: access.NewOSS(o.Access), region: cmp.Or(o.Region, DefaultRegion),
	}
}

// A handler is the face of one engine.
type handler struct {
	engine    *engine.Engine
	verifier  *access.Verifier
	region    string
	documents face.Documents
}

// A call is one request to the service. Its operation answers it, unless it fails.
type call struct {
	face.Call
	region string
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	c := &call{region: h.region, Call: face.Call{
		Engine: h.engine, Verifier: h.verifier, Own: own, EscapeSlash: true, NeedTags: true, W: w, R: r,
		RequestID: fmt.Sprintf("%X", id), HostID: r.Host, Documents: &h.documents,
	}}
	c.Say("Server", "AliyunOSS")
	c.Say(own+"Request-Id", c.RequestID)
	c.Serve(c.find, c.sayError)
}

// An operation is what a request asks for. The authorization gets its name, which is that of the
// engine's method.
type operation struct {
	name string
	run  func(*call)
}

// operations are by what Route says of their requests, and " copy" where one names a source.
var operations = map[string]operation{
	"GET service": {"ListBuckets", (*call).listBuckets},

	"PUT bucket":            {"CreateBucket", (*call).putBucket},
	"DELETE bucket":         {"DeleteBucket", (*call).DeleteBucket},
	"HEAD bucket":           {"HeadBucket", (*call).headBucket},
	"GET bucket acl":        {"HeadBucket", (*call).getBucketACL},
	"PUT bucket acl":        {"PutBucketAnnotations", (*call).putBucketACL},
	"GET bucket bucketInfo": {"HeadBucket", (*call).getBucketInfo},
	"GET bucket location":   {"HeadBucket", (*call).getBucketLocation},
	"GET bucket stat":       {"BucketStats", (*call).getBucketStat},
	"GET bucket versioning": {"HeadBucket", nothing("VersioningConfiguration")},
	"GET bucket live":       {"HeadBucket", nothing("ListLiveChannelResult")},

	"GET bucket":           {"ListObjects", (*call).listObjects},
	"GET bucket list-type": {"ListObjects", (*call).listObjectsV2},
	"GET bucket versions":  {"ListObjects", (*call).listObjectVersions},
	"GET bucket uploads":   {"ListMultipartUploads", (*call).listMultipartUploads},
	"POST bucket delete":   {"DeleteObjects", (*call).deleteObjects},
	"POST form":            {"PutObject", (*call).postObject},

	"PUT object":             {"PutObject", (*call).putObject},
	"PUT object copy":        {"CopyObject", (*call).copyObject},
	"GET object":             {"GetObject", (*call).getObject},
	"HEAD object":            {"HeadObject", (*call).headObject},
	"HEAD object objectMeta": {"HeadObject", (*call).getObjectMeta},
	"GET object objectMeta":  {"GetObject", (*call).getObject}, // GetObjectMeta sent as GET, so that errors have a body
	"DELETE object":          {"DeleteObject", (*call).DeleteObject},
	"GET object acl":         {"HeadObject", (*call).getObjectACL},
	"PUT object acl":         {"PutObjectAnnotations", (*call).putObjectACL},
	"GET object tagging":     {"GetObjectTagging", (*call).GetObjectTagging},
	"PUT object tagging":     {"PutObjectTagging", (*call).PutObjectTagging},
	"DELETE object tagging":  {"DeleteObjectTagging", (*call).DeleteObjectTagging},

	"POST object uploads":                 {"InitiateMultipartUpload", (*call).initiate},
	"PUT object partNumber uploadId":      {"UploadPart", (*call).uploadPart},
	"PUT object partNumber uploadId copy": {"UploadPartCopy", (*call).uploadPartCopy},
	"POST object uploadId":                {"CompleteMultipartUpload", (*call).complete},
	"DELETE object uploadId":              {"AbortMultipartUpload", (*call).AbortMultipartUpload},
	"GET object uploadId":                 {"ListParts", (*call).listParts},
}

// subresources are what tells operations apart in a query, those that are not offered, too, if they
// may have a value.
var subresources = []string{
	"acl", "bucketInfo", "callback", "comp", "delete", "list-type", "live", "location", "objectMeta",
	"partNumber", "regions", "stat", "tagging", "uploadId", "uploads", "versioning", "versions",
	"x-oss-async-process", "x-oss-process",
}

// find finds what is asked for.
func (c *call) find() (name string, run func()) {
	c.IgnoreUnnamed(subresources)
	route := c.Route(subresources)
	if c.Header("Copy-Source") != "" {
		route += " copy"
	}
	op, ok := operations[route]
	switch {
	case c.R.Method == http.MethodPut && c.Query.Has("uploadId") && c.Query.Get("partNumber") == "":
		e := face.Invalid("ResourceType", "partNumber", "Unexpected query string parameter")
		e.EC = "0017-00000219"
		c.Fail(e)
	case !ok || c.AsksMore(subresources):
		c.Fail(face.NotOffered("This operation"))
	case c.Header("Callback") != "":
		c.Fail(face.NotOffered("A callback"))
	}
	c.CheckVersion(c.Query.Get("versionId"))
	return op.name, func() { op.run(c) }
}

// nothing is GetX of what no bucket has: versions, and live channels, which clients look for before
// they delete a bucket.
func nothing(root string) func(*call) { return func(c *call) { c.Nothing(root) } }
