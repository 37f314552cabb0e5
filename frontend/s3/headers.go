package s3

import (
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// refused are the headers that are not offered. Those for which nothing is done are not among them, if
// nothing would be done otherwise either: confirmations, and what saves calls to AWS KMS.
var refused = []face.Refused{
	{Header: "Bucket-Namespace", But: "global", What: "A namespace of an account"},
	{Header: "Bucket-Object-Lock-Enabled", But: "false", What: "Object Lock"},
	{Header: "If-Match-Initiated-Time", What: "An abortion on such a condition"},
	{Header: "If-Match-Last-Modified-Time", What: "A deletion on such conditions"},
	{Header: "If-Match-Size", What: "A deletion on such conditions"},
	{Header: "Object-Lock-", But: "false", What: "Object Lock"},
	{
		Header: "Object-Ownership", But: "BucketOwnerEnforced", What: "Another owner than the bucket's",
		Values: []string{"BucketOwnerPreferred", "ObjectWriter"},
	},
	{Header: "Server-Side-Encryption-Context", What: "An encryption context"},
	{Header: "Write-Offset-Bytes", What: "Appending"},
}

// checkHeaders fails the call for headers by which its client wants less than would be done, and for a
// digest that no body could have, with which nothing would be compared.
func (c *call) checkHeaders() {
	if said, ok := c.R.Header["Content-Md5"]; ok && said[0] == "" {
		c.Fail(engine.ErrInvalidDigest)
	}
	c.CheckHeaders(refused)
	c.CheckOwner("Expected-Bucket-Owner")
	c.CheckOwner("Source-Expected-Bucket-Owner")
}

// attributes are what the headers say about an object to be made.
func (c *call) attributes() engine.Attributes {
	c.CheckPrivate()
	return c.Attributes()
}

// preconditions are those of a write. S3 has no others, and not both.
func (c *call) preconditions() engine.Preconditions {
	h := c.R.Header
	p := engine.Preconditions{IfMatch: h.Get("If-Match"), IfNoneMatch: h.Get("If-None-Match")}
	if h.Get("If-Modified-Since") != "" || h.Get("If-Unmodified-Since") != "" ||
		p.IfMatch != "" && p.IfNoneMatch != "" {
		c.Fail(face.NotOffered("A write on such conditions"))
	}
	return p
}

// encryption is how an object to be made shall be encrypted.
func (c *call) encryption() engine.EncryptionRequest {
	return engine.EncryptionRequest{
		ServerSideEncryption:      engine.EncryptionAlgorithm(c.Header("Server-Side-Encryption")),
		ServerSideEncryptionKeyID: c.Header("Server-Side-Encryption-Aws-Kms-Key-Id"),
		SSECustomerKey:            c.CustomerKey(),
	}
}

// sayEncryption says how something is encrypted. The digest of a client's key is the client's.
func (c *call) sayEncryption(e engine.Encryption) {
	c.Say("X-Amz-Server-Side-Encryption", string(e.ServerSideEncryption))
	c.Say("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", e.ServerSideEncryptionKeyID)
	if e.SSECustomerAlgorithm != "" {
		c.Say("X-Amz-"+customer+"Algorithm", string(e.SSECustomerAlgorithm))
		c.Say("X-Amz-"+customer+"Key-Md5", c.Header(customer+"Key-Md5"))
	}
}
