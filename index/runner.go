package index

import "runtime/debug"

// A runner runs the functions of updates, one after another, on a goroutine of its own, where
// neither a panic nor runtime.Goexit, which is what the FailNow of a test calls, can take the
// caller's goroutine along. The goroutine stays for the next function, since a new one would have to
// grow its stack every time; one that a function has ended is replaced. It is for one goroutine,
// which closes it.
type runner struct {
	calls   chan run
	results chan result // closed when the goroutine has ended
}

// A run is a function to be run in a transaction.
type run struct {
	fn func(Tx) error
	t  *tx
}

// A result is what came of a run.
type result struct {
	err   error
	ended bool // the goroutine, too
}

func newRunner() *runner {
	r := new(runner)
	r.start()
	return r
}

func (r *runner) start() {
	r.calls, r.results = make(chan run), make(chan result)
	go serveRuns(r.calls, r.results)
}

// call runs fn in t, which is over then.
func (r *runner) call(fn func(Tx) error, t *tx) error {
	r.calls <- run{fn, t}
	res := <-r.results
	if res.ended {
		r.start()
	}
	return res.err
}

// close returns when the goroutine has ended.
func (r *runner) close() {
	close(r.calls)
	<-r.results
}

func serveRuns(calls <-chan run, results chan<- result) {
	defer close(results)
	for c := range calls {
		c.do(results)
	}
}

func (c run) do(results chan<- result) {
	err := c.t.run(c.fn, func() { results <- result{&PanicError{}, true} })
	results <- result{err, false}
}

// run runs fn in the transaction, which is over then. A panic of fn is an error. When fn ends the
// goroutine, run calls exited and does not return.
func (t *tx) run(fn func(Tx) error, exited func()) (err error) {
	returned := false // unless fn returns or panics, it has called Goexit
	defer func() {
		t.over.Store(true)
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		} else if !returned {
			exited()
		}
	}()
	err = fn(t)
	returned = true
	if err == nil {
		err = t.err
	}
	return err
}
