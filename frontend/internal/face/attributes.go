package face

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

// Attributes is what the headers say about an object to be made.
func (c *Call) Attributes() engine.Attributes {
	h := c.R.Header
	metadata := map[string]string{}
	for name, values := range h {
		if name, ok := strings.CutPrefix(name, c.Own+"Meta-"); ok {
			metadata[name] = strings.Join(values, ",")
		}
	}
	return engine.Attributes{
		ContentType:        h.Get("Content-Type"),
		CacheControl:       h.Get("Cache-Control"),
		ContentDisposition: h.Get("Content-Disposition"),
		ContentEncoding:    contentEncoding(h),
		ContentLanguage:    h.Get("Content-Language"),
		Expires:            h.Get("Expires"),
		WebsiteRedirect:    c.Header("Website-Redirect-Location"),
		StorageClass:       engine.StorageClass(c.Header("Storage-Class")),
		Metadata:           metadata,
		Tags:               c.tags(),
	}
}

// contentEncoding is that of the object: aws-chunked is that of the request.
func contentEncoding(h http.Header) string {
	codings := strings.Split(h.Get("Content-Encoding"), ",")
	return strings.TrimSpace(strings.Join(slices.DeleteFunc(codings, func(coding string) bool {
		return strings.TrimSpace(coding) == "aws-chunked"
	}), ","))
}

// tags are those in the header of tags, or in the document that a form may have.
func (c *Call) tags() map[string]string {
	if text := c.Form["tagging"]; text != "" {
		var document tagging
		c.parse([]byte(text), &document)
		return c.tagsOf(document)
	}
	text := c.Header("Tagging")
	values, err := url.ParseQuery(text)
	tags, wrong := make(map[string]string, len(values)), values.Has("")
	for key, value := range values {
		tags[key] = value[0]
		wrong = wrong || len(value) > 1
	}
	if err != nil || wrong { // what could not be read is not among the values
		c.Fail(Invalid(c.Own+"Tagging", text, "The header '"+strings.ToLower(c.Own)+
			"tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "+
			"without tag name duplicates."))
	}
	return tags
}

// readTags reads a document of tags.
func (c *Call) readTags() map[string]string {
	var document tagging
	if c.ReadXML(&document); c.NeedTags && len(document.Tags) == 0 {
		c.Fail(engine.ErrMalformedXML)
	}
	return c.tagsOf(document)
}

func (c *Call) tagsOf(document tagging) map[string]string {
	tags := make(map[string]string, len(document.Tags))
	for _, t := range document.Tags {
		if _, ok := tags[t.Key]; ok {
			c.Fail(engine.ErrInvalidTag.Derive("Cannot provide multiple Tags with the same key", nil))
		}
		tags[t.Key] = t.Value
	}
	return tags
}

// tagsXML is the document of these tags.
func tagsXML(tags map[string]string) tagging {
	var document tagging
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		document.Tags = append(document.Tags, tag{key, tags[key]})
	}
	return document
}

// Say sets a header that there is something to say in. What has been said first stays.
func (c *Call) Say(name, value string) {
	if h := c.W.Header(); c.Err == nil && value != "" && h.Get(name) == "" {
		h.Set(name, value)
	}
}

// sayAttributes sets the headers of what the client said about an object.
func (c *Call) sayAttributes(a *engine.Attributes) {
	c.Say("Content-Type", a.ContentType)
	c.Say("Cache-Control", a.CacheControl)
	c.Say("Content-Disposition", a.ContentDisposition)
	c.Say("Content-Encoding", a.ContentEncoding)
	c.Say("Content-Language", a.ContentLanguage)
	c.Say("Expires", a.Expires)
	c.Say(c.Own+"Website-Redirect-Location", a.WebsiteRedirect)
	c.Say(c.Own+"Storage-Class", string(a.StorageClass))
	for name, value := range a.Metadata {
		if c.Err == nil {
			// In lower case, which some clients hand on as it comes.
			c.W.Header()[strings.ToLower(c.Own+"Meta-"+name)] = []string{value}
		}
	}
	if len(a.Tags) > 0 {
		c.W.Header().Set(c.Own+"Tagging-Count", strconv.Itoa(len(a.Tags)))
	}
}
