package face

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

// A Grant of an access control list, as S3 writes it.
type grant struct {
	Grantee struct {
		XSI  string `xml:"xmlns:xsi,attr"`
		Type string `xml:"xsi:type,attr"`
		Owner
	}
	Permission string
}

// find fails the call unless there is what the request is about.
func (c *Call) find() {
	if c.Key == "" {
		c.HeadBucket()
		return
	}
	if c.Err != nil {
		return
	}
	_, err := c.Engine.HeadObject(c.R.Context(), &engine.HeadObjectRequest{
		Bucket: c.Bucket, Key: c.Key,
	})
	if !errors.Is(err, engine.ErrInvalidRequest) { // an object under a client's key is there
		c.Fail(err)
	}
}

// GetPrivate answers with the one access control list that there is: everything is the account's.
func (c *Call) GetPrivate() {
	c.find()
	g := grant{Permission: "FULL_CONTROL"}
	g.Grantee.XSI = "http://www.w3.org/2001/XMLSchema-instance"
	g.Grantee.Type, g.Grantee.Owner = "CanonicalUser", Account
	c.Answer("AccessControlPolicy", struct {
		Owner  Owner
		Grants []grant `xml:"AccessControlList>Grant"`
	}{Account, []grant{g}})
}

// GetOwnership answers that all objects of a bucket are its owner's, and have no lists.
func (c *Call) GetOwnership() {
	c.HeadBucket()
	c.Answer("OwnershipControls", struct {
		Ownership string `xml:"Rule>ObjectOwnership"`
	}{"BucketOwnerEnforced"})
}

// PutPrivate takes that list for what the request is about: by its name, or written out as GetPrivate
// answers, which is how clients copy it from one object to another.
func (c *Call) PutPrivate() {
	if c.CheckPrivate(); c.Header("Acl") == "" {
		c.readPrivate()
	}
	c.find()
	c.Done(http.StatusOK)
}

// readPrivate fails the call unless its body is that list.
func (c *Call) readPrivate() {
	type grant struct {
		Grantee    Owner
		Permission string
	}
	var list struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Grants  []grant  `xml:"AccessControlList>Grant"`
	}
	c.ReadXML(&list)
	if len(list.Grants) != 1 || list.Grants[0].Grantee.ID != Account.ID ||
		list.Grants[0].Permission != "FULL_CONTROL" {
		c.Fail(ErrNotPrivate)
	}
}

// CheckPrivate fails the call if its headers want another list, so that nobody believes to have one.
func (c *Call) CheckPrivate() {
	acl := c.Header("Acl")
	listed := acl != "" && acl != "private" && acl != "bucket-owner-full-control"
	for name := range c.R.Header {
		listed = listed || strings.HasPrefix(name, c.Own+"Grant-")
	}
	if listed {
		c.Fail(ErrNotPrivate)
	}
}

// ErrNotPrivate refuses every list of access but the one that there is.
var ErrNotPrivate = Refuse(http.StatusBadRequest, "AccessControlListNotSupported",
	"The bucket does not allow ACLs.")
