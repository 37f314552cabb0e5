package engine

import (
	"context"

	"github.com/gabion-storage/gabion/engine/internal/lease"
)

// A call is one operation under way. It knows what it is about, so that nothing below needs to.
type call struct {
	op, bucket, key, uploadID string
	part                      int

	ctx    context.Context // the caller's: an ErrRequestTimeout is one of this context only
	engine *Engine         // that waits for it at Close; nil if it was not let in
	epoch  lease.Epoch     // that it has begun in
	passed bool            // it has left that
}

// orEmpty is what every exported method makes of its request first: nil is the empty request.
func orEmpty[Request any](req *Request) *Request {
	if req == nil {
		return new(Request)
	}
	return req
}

// begin lets an operation in, unless its context has ended or the engine is closed. Whatever the
// outcome, the caller must end it.
func (e *Engine) begin(ctx context.Context, c call) (*call, error) {
	err := e.gate.Enter(ctx, ErrClosed)
	c.ctx, c.engine = ctx, nil
	if err == nil {
		c.engine, c.epoch, c.passed = e, e.node.Begin(), false
	}
	return &c, err
}

// pass says that a call counts on nothing that could be given back meanwhile, so that no other
// engine waits for it. It is for calls that last long, or wait for others.
func (c *call) pass() {
	if !c.passed {
		c.passed = true
		c.engine.node.End(c.epoch)
	}
}

// end is deferred by every operation. It turns *err into an *Error that says what the call was
// about.
func (c *call) end(err *error) {
	if c.engine != nil {
		*err = c.engine.confirm(c.ctx, *err)
		c.engine.alarmStopped(*err)
		c.pass()
		c.engine.gate.Leave()
	}
	c.wrap(err)
}

// wrap turns *err into an *Error that says what the call was about.
func (c *call) wrap(err *error) {
	if *err == nil {
		return
	}
	e := *asError(c.ctx, *err)
	e.Op, e.Bucket, e.Key, e.UploadID = c.op, c.bucket, c.key, c.uploadID
	if e.PartNumber == 0 {
		e.PartNumber = c.part
	}
	*err = &e
}
