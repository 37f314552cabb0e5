package face

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

// Location is the URL of the object that the request is about, as the client names the server.
func (c *Call) Location() string {
	scheme, path := "http://", c.R.URL.EscapedPath()
	if c.R.TLS != nil {
		scheme = "https://"
	}
	if c.Form != nil {
		path = strings.TrimSuffix(path, "/") + (&url.URL{Path: "/" + c.Key}).EscapedPath()
	}
	return scheme + c.R.Host + path
}

// SayPosted answers a form whose object has been stored, as the form wants it.
func (c *Call) SayPosted(etag string) {
	if target, ok := c.redirect(etag); ok {
		c.Say("Location", target)
		c.Done(http.StatusSeeOther)
		return
	}
	location := c.Location()
	c.Say("Location", location)
	switch c.Form["success_action_status"] {
	case "200":
		c.Done(http.StatusOK)
	case "201":
		if c.Err == nil {
			c.WriteXML(http.StatusCreated, xml.Name{Local: "PostResponse"}, struct {
				Location, Bucket, Key, ETag string
			}{location, c.Bucket, c.Key, Quoted(etag)})
		}
	default:
		c.Done(http.StatusNoContent)
	}
}

// redirect is where a form wants the browser to go on, with what has been stored. What is no URL of
// the web is none.
func (c *Call) redirect(etag string) (target string, ok bool) {
	said := cmp.Or(c.Form["success_action_redirect"], c.Form["redirect"])
	u, err := url.Parse(said)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	stored := "bucket=" + url.QueryEscape(c.Bucket) + "&key=" + url.QueryEscape(c.Key) +
		"&etag=" + url.QueryEscape(Quoted(etag))
	if u.RawQuery != "" {
		stored = u.RawQuery + "&" + stored
	}
	u.RawQuery = stored
	return u.String(), true
}
