package face

import (
	"errors"

	"github.com/gabion-storage/gabion/engine"
)

// Serve answers the request. find says what it asks for, by what name the authorization knows that,
// and how it is done; sayError says what went wrong on the way, if anything did.
func (c *Call) Serve(find func() (name string, run func()), sayError func(*engine.Error)) {
	c.Begin()
	name, run := find()
	if c.Err == nil {
		c.Authorize(name, c.Bucket, c.Key)
	}
	if c.Err == nil {
		defer c.closeDocument()
		run()
	}
	if c.Err == nil {
		return
	}
	e := AsError(c.Err)
	c.cause, c.Err = c.Err, nil
	if errors.Is(e, engine.ErrNotModified) {
		c.SayModified(e.ETag, e.LastModified)
		c.Done(e.HTTPStatus)
		return
	}
	sayError(e)
}
