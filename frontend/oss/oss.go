package oss

import (
	"bufio"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"time"

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

// A handler is the face of one engine.
type handler struct {
	engine   *engine.Engine
	verifier *access.Verifier
	region   string
}

// New makes the face of an engine. o may be nil.
func New(e *engine.Engine, o *Options) http.Handler {
	if o == nil {
		o = &Options{}
	}
	h := &handler{engine: e, verifier: access.NewOSS(o.Access), region: o.Region}
	if h.region == "" {
		h.region = DefaultRegion
	}
	return h
}

// A call is one request to the service. Its operation answers it, unless it fails.
type call struct {
	*face.Call
	region    string
	requestID string
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	c := &call{
		Call:   &face.Call{Engine: h.engine, Verifier: h.verifier, Own: own, W: w, R: r},
		region: h.region, requestID: fmt.Sprintf("%X", id),
	}
	started := time.Now()
	w.Header().Set("Server", "AliyunOSS")
	w.Header().Set(own+"Request-Id", c.requestID)
	c.Begin()
	op := c.operation()
	c.Authorize(op.name, c.Bucket, c.Key)
	c.Say(own+"Server-Time", fmt.Sprint(time.Since(started).Milliseconds()))
	if c.Err == nil {
		op.run(c)
	}
	if c.Err != nil {
		c.writeError()
	}
}

// An operation is what a request asks for. Its name is what the authorization gets.
type operation struct {
	name string
	run  func(*call)
}

// operations are by what Route says of their requests; " copy" is added where the request names a
// source.
var operations = map[string]operation{
	"GET service": {"ListBuckets", (*call).listBuckets},

	"PUT bucket":            {"PutBucket", (*call).putBucket},
	"DELETE bucket":         {"DeleteBucket", (*call).deleteBucket},
	"GET bucket acl":        {"GetBucketAcl", (*call).getBucketACL},
	"PUT bucket acl":        {"PutBucketAcl", (*call).putBucketACL},
	"GET bucket bucketInfo": {"GetBucketInfo", (*call).getBucketInfo},
	"GET bucket location":   {"GetBucketLocation", (*call).getBucketLocation},
	"GET bucket stat":       {"GetBucketStat", (*call).getBucketStat},
	"GET bucket versioning": {"GetBucketVersioning", (*call).getBucketVersioning},
	"GET bucket live":       {"ListLiveChannel", (*call).listLiveChannel},

	"GET bucket":           {"ListObjects", (*call).listObjects},
	"GET bucket list-type": {"ListObjectsV2", (*call).listObjectsV2},
	"GET bucket versions":  {"ListObjectVersions", (*call).listObjectVersions},
	"GET bucket uploads":   {"ListMultipartUploads", (*call).listMultipartUploads},
	"POST bucket delete":   {"DeleteObjects", (*call).deleteObjects},

	"PUT object":             {"PutObject", (*call).putObject},
	"PUT object copy":        {"CopyObject", (*call).copyObject},
	"GET object":             {"GetObject", (*call).getObject},
	"HEAD object":            {"HeadObject", (*call).headObject},
	"HEAD object objectMeta": {"GetObjectMeta", (*call).getObjectMeta},
	"DELETE object":          {"DeleteObject", (*call).deleteObject},
	"GET object acl":         {"GetObjectAcl", (*call).getObjectACL},
	"PUT object acl":         {"PutObjectAcl", (*call).putObjectACL},
	"GET object tagging":     {"GetObjectTagging", (*call).getObjectTagging},
	"PUT object tagging":     {"PutObjectTagging", (*call).putObjectTagging},
	"DELETE object tagging":  {"DeleteObjectTagging", (*call).deleteObjectTagging},

	"POST object uploads":                 {"InitiateMultipartUpload", (*call).initiate},
	"PUT object partNumber uploadId":      {"UploadPart", (*call).uploadPart},
	"PUT object partNumber uploadId copy": {"UploadPartCopy", (*call).uploadPartCopy},
	"POST object uploadId":                {"CompleteMultipartUpload", (*call).complete},
	"DELETE object uploadId":              {"AbortMultipartUpload", (*call).abort},
	"GET object uploadId":                 {"ListParts", (*call).listParts},
}

// subresources are what tells operations apart in a query, those that are not offered, too.
var subresources = []string{
	"acl", "append", "asyncFetch", "bucketInfo", "callback", "cname", "comp", "cors", "delete",
	"encryption", "inventory", "lifecycle", "list-type", "live", "location", "logging", "metaQuery",
	"objectMeta", "partNumber", "policy", "qosInfo", "referer", "replication", "requestPayment",
	"resourceGroup", "responseHeader", "restore", "rtc", "stat", "style", "symlink", "tagging",
	"transferAcceleration", "uploadId", "uploads", "versioning", "versions", "website", "worm",
	"x-oss-async-process", "x-oss-process",
}

// operation finds what is asked for.
func (c *call) operation() (op operation) {
	if c.Err != nil {
		return op
	}
	route := c.Route(subresources)
	if c.Header("Copy-Source") != "" {
		route += " copy"
	}
	op, ok := operations[route]
	switch {
	case c.Bucket == "" && c.Key != "":
		c.Fail(engine.ErrInvalidBucketName)
	case !ok:
		c.Fail(notOffered("This operation"))
	case c.Header("Callback") != "":
		c.Fail(notOffered("A callback"))
	}
	c.CheckVersion(c.Query.Get("versionId"))
	return op
}

// notOffered is the error for what the face does not do.
func notOffered(what string) *engine.Error {
	return engine.ErrNotImplemented.Derive(what+" is not implemented.", nil)
}

// answer ends a call that has gone well with a document.
func (c *call) answer(root string, document any) {
	if c.Err == nil {
		c.WriteXML(http.StatusOK, xml.Name{Local: root}, document)
	}
}

// hasBody says whether there is anything in the body, where a client may leave it out.
func (c *call) hasBody() bool {
	body := bufio.NewReader(c.Body)
	_, err := body.Peek(1)
	c.Body = struct {
		io.Reader
		io.Closer
	}{body, c.Body}
	return err != io.EOF
}
