package s3

import (
	"strings"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// attributes are what the headers say about an object to be made. Locks are refused, so that nobody
// believes to have them.
func (c *call) attributes() engine.Attributes {
	c.CheckPrivate()
	for name, values := range c.R.Header {
		if strings.Contains(name, "-Object-Lock-") && !strings.EqualFold(values[0], "false") {
			c.Fail(face.NotOffered("Object Lock"))
		}
	}
	return c.Attributes()
}

// contentMD5 is the digest that the body must have. An empty one is none that a body could have.
func (c *call) contentMD5() string {
	said, ok := c.R.Header["Content-Md5"]
	if ok && said[0] == "" {
		c.Fail(engine.ErrInvalidDigest)
	}
	return c.R.Header.Get("Content-Md5")
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
	if c.Header("Server-Side-Encryption-Context") != "" {
		c.Fail(face.NotOffered("An encryption context"))
	}
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
