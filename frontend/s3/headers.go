package s3

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/internal/face"
)

// attributes are what the headers say about an object to be made. Access control lists other than
// the one that everything has, and locks, are refused, so that nobody believes to have them.
func (c *call) attributes() engine.Attributes {
	acl := c.Header("Acl")
	listed := acl != "" && acl != "private" && acl != "bucket-owner-full-control"
	for name := range c.R.Header {
		listed = listed || strings.HasPrefix(name, "X-Amz-Grant-")
		if strings.Contains(name, "-Object-Lock-") {
			c.Fail(face.NotOffered("Object Lock"))
		}
	}
	if listed {
		c.Fail(face.Refuse(http.StatusBadRequest, "AccessControlListNotSupported",
			"The bucket does not allow ACLs."))
	}
	a := c.Attributes()
	if tags := c.Form["tagging"]; tags != "" {
		a.Tags = c.ParseTags([]byte(tags))
	}
	return a
}

// preconditions are those of a write.
func (c *call) preconditions() engine.Preconditions {
	h := c.R.Header
	return engine.Preconditions{IfMatch: h.Get("If-Match"), IfNoneMatch: h.Get("If-None-Match")}
}

// encryption is how an object to be made shall be encrypted.
func (c *call) encryption() engine.EncryptionRequest {
	if c.Header("Server-Side-Encryption-Context") != "" {
		c.Fail(face.NotOffered("An encryption context"))
	}
	return engine.EncryptionRequest{
		ServerSideEncryption:      engine.EncryptionAlgorithm(c.Header("Server-Side-Encryption")),
		ServerSideEncryptionKeyID: c.Header("Server-Side-Encryption-Aws-Kms-Key-Id"),
		SSECustomerKey:            c.customerKey(),
	}
}

// The headers of a client's own key, and of the key of what is copied.
const (
	customer       = "Server-Side-Encryption-Customer-"
	sourceCustomer = "Copy-Source-Server-Side-Encryption-Customer-"
)

// customerKey is the client's own key, nil if there is none.
func (c *call) customerKey() crypto.CustomerKey { return c.keyIn(customer) }

// keyIn is the key in the headers that begin with prefix.
func (c *call) keyIn(prefix string) crypto.CustomerKey {
	algorithm, text := c.Header(prefix+"Algorithm"), c.Header(prefix+"Key")
	said := c.Header(prefix + "Key-Md5")
	if algorithm == "" && text == "" && said == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	sum := md5.Sum(key)
	name := "x-amz-" + strings.ToLower(prefix)
	switch {
	case algorithm != string(engine.EncryptionAES256):
		c.Fail(face.Refuse(http.StatusBadRequest, "InvalidEncryptionAlgorithmError",
			"The encryption request you specified is not valid. The valid value is AES256."))
	case err != nil || !crypto.CustomerKey(key).Valid():
		c.Fail(face.Invalid(name+"key", "", "The secret key was invalid for the specified algorithm."))
	case said != base64.StdEncoding.EncodeToString(sum[:]):
		c.Fail(face.Invalid(name+"key-md5", said, "The calculated MD5 hash of the key did not "+
			"match the hash that was provided."))
	}
	return key
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
