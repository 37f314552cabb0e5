package face

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// CustomerKey is the client's own key, nil if there is none.
func (c *Call) CustomerKey() crypto.CustomerKey { return c.customerKey(c.Customer) }

// SourceCustomerKey is that of what is copied.
func (c *Call) SourceCustomerKey() crypto.CustomerKey {
	return c.customerKey("Copy-Source-" + c.Customer)
}

// customerKey is the key in the headers that begin with prefix behind the service's own beginning.
func (c *Call) customerKey(prefix string) crypto.CustomerKey {
	if c.Customer == "" {
		return nil
	}
	algorithm, text := c.Header(prefix+"Algorithm"), c.Header(prefix+"Key")
	said := c.Header(prefix + "Key-Md5")
	if algorithm == "" && text == "" && said == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	sum := md5.Sum(key)
	name := strings.ToLower(c.Own + prefix)
	switch {
	case algorithm != string(engine.EncryptionAES256):
		c.Fail(Refuse(http.StatusBadRequest, "InvalidEncryptionAlgorithmError",
			"The encryption request you specified is not valid. The valid value is AES256."))
	case err != nil || !crypto.CustomerKey(key).Valid():
		c.Fail(Invalid(name+"key", "", "The secret key was invalid for the specified algorithm."))
	case said != base64.StdEncoding.EncodeToString(sum[:]):
		c.Fail(Invalid(name+"key-md5", said, "The calculated MD5 hash of the key did not "+
			"match the hash that was provided."))
	}
	return key
}
