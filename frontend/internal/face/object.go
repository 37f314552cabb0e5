package face

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// Conditions are those of the headers that begin with prefix. A time that is none is no condition.
func (c *Call) Conditions(prefix string) engine.Conditions {
	h := c.R.Header
	date := func(name string) time.Time {
		t, _ := http.ParseTime(h.Get(prefix + name))
		return t
	}
	return engine.Conditions{
		IfMatch:           h.Get(prefix + "If-Match"),
		IfNoneMatch:       h.Get(prefix + "If-None-Match"),
		IfModifiedSince:   date("If-Modified-Since"),
		IfUnmodifiedSince: date("If-Unmodified-Since"),
	}
}

// Source is the bucket and the key that the header Copy-Source names. The call fails if who sent it
// may not read that object.
func (c *Call) Source() (bucket, key string) {
	text := c.Header("Copy-Source")
	path, query, _ := strings.Cut(text, "?")
	name, err := url.QueryUnescape(path) // a space may be a +
	bucket, key, _ = strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if err != nil || bucket == "" || key == "" {
		c.Fail(Invalid(strings.ToLower(c.Own)+"copy-source", text,
			"Copy Source must mention the source bucket and key: sourcebucket/sourcekey"))
	}
	if query != "" {
		c.CheckNamedVersion(strings.ToLower(c.Own)+"copy-source", strings.TrimPrefix(query, "versionId="))
	}
	if c.Err == nil {
		c.Authorize("GetObject", bucket, key)
	}
	return bucket, key
}

// RefuseOnRead refuses a header that only a write could want.
func (c *Call) RefuseOnRead(name string) {
	if said := c.Header(name); said != "" {
		name = strings.ToLower(c.Own + name)
		c.Fail(Invalid(name, said, name+" header is not supported for this operation."))
	}
}

// reading is what the request says of an object that is read, and of how much of it.
func (c *Call) reading() *engine.GetObjectRequest {
	return &engine.GetObjectRequest{
		Bucket: c.Bucket, Key: c.Key,
		Range:         c.R.Header.Get("Range"),
		RangeBehavior: engine.RangeBehavior(c.Header("Range-Behavior")),
		PartNumber:    c.Number("partNumber"), SSECustomerKey: c.CustomerKey(),
		Conditions: c.Conditions(""),
	}
}

// SendObject answers with the object, of which say sets the headers and returns the status. A client
// gets less than was said if the content turns out to be damaged on the way, and notices.
func (c *Call) SendObject(say func(*engine.ObjectInfo) (status int)) {
	req := c.reading()
	var open *engine.Object
	shut := func() {
		if open != nil {
			open.Close()
		}
		open = nil
	}
	defer shut()
	o := c.ifRange(&req.Range, func() *engine.ObjectInfo {
		shut()
		o := Do(c, c.Engine.GetObject, req)
		if c.Err == nil {
			open = o
		}
		return &o.ObjectInfo
	})
	if c.Err != nil {
		return
	}
	if c.Done(say(o)); c.Err == nil {
		_, _ = open.WriteTo(c.W)
	}
}

// HeadObject describes the object as SendObject would send it.
func (c *Call) HeadObject() *engine.ObjectInfo {
	req := (*engine.HeadObjectRequest)(c.reading())
	return c.ifRange(&req.Range, func() *engine.ObjectInfo {
		return Do(c, c.Engine.HeadObject, req)
	})
}

// ifRange has ask ask for the range of an object that a client wants, and again for all of it if the
// header If-Range says that the range is to be one of another object: who goes on where it was cut off
// would put two of them together. What ask gives is judged, not what is there before, since that may be
// overwritten in between.
func (c *Call) ifRange(wanted *string, ask func() *engine.ObjectInfo) *engine.ObjectInfo {
	said := c.R.Header.Get("If-Range")
	o := ask()
	unmet := c.Err
	switch {
	case said == "" || *wanted == "":
		return o
	case unmet == nil && isOf(o, said):
		return o
	case unmet != nil && !errors.Is(unmet, engine.ErrInvalidRange):
		return o
	}
	c.Err, *wanted = nil, ""
	if o = ask(); isOf(o, said) {
		c.Fail(unmet)
	}
	return o
}

// isOf says whether what If-Range says is an object's. A weak ETag is nobody's, and so is a time that is
// not exactly the one that was answered (RFC 9110, section 13.1.5).
func isOf(o *engine.ObjectInfo, said string) bool {
	if t, err := http.ParseTime(said); err == nil {
		return t.Equal(o.LastModified.Truncate(time.Second))
	}
	return strings.EqualFold(strings.Trim(said, `"`), o.ETag)
}

// SayModified says which object there is.
func (c *Call) SayModified(etag string, t time.Time) {
	c.Say("ETag", Quoted(etag))
	c.Say("Last-Modified", t.UTC().Format(http.TimeFormat))
}

// SayObject sets the headers of an object that is read, and returns the status: all of it, or what
// is selected.
func (c *Call) SayObject(o *engine.ObjectInfo) (status int) {
	c.override()
	c.Say("Accept-Ranges", "bytes")
	c.SayModified(o.ETag, o.LastModified)
	c.sayAttributes(&o.Attributes)
	status, length := http.StatusOK, o.Size
	if s := o.Selected; s != nil {
		length = s.Length
		if length > 0 {
			status = http.StatusPartialContent
			c.Say("Content-Range", fmt.Sprintf("bytes %d-%d/%d", s.Start, s.Start+length-1, o.Size))
		}
	}
	c.Say("Content-Length", strconv.FormatInt(length, 10))
	return status
}

// override says the headers that the query wants, before the object's own are said. Who does not
// sign has no say in them.
func (c *Call) override() {
	for _, name := range [...]string{
		"Content-Type", "Content-Language", "Expires", "Cache-Control", "Content-Disposition",
		"Content-Encoding",
	} {
		value := c.Query.Get("response-" + strings.ToLower(name))
		if value != "" && c.AccessKey == "" {
			c.Fail(engine.ErrInvalidRequest.Derive(
				"Request specific response headers cannot be used for anonymous GET requests.", nil,
			))
		}
		c.Say(name, value)
	}
}
