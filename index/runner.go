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
	res := result{&PanicError{}, true} // unless fn returns or panics, it has called Goexit
	defer func() {
		if p := recover(); p != nil {
			res = result{&PanicError{Value: p, Stack: debug.Stack()}, false}
		}
		c.t.over.Store(true)
		results <- res
	}()
	err := c.fn(c.t)
	if err == nil {
		err = c.t.err
	}
	res = result{err, false}
}
