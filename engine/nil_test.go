package engine_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestNilRequests calls every method that takes a request with none at all: it is the empty
// request, so that the call does the same, and whatever it fails with is an error of a client's.
func TestNilRequests(t *testing.T) {
	e := openTemp(t, nil)
	defer e.Close()
	mustBucket(t, e, "bucket")
	contexts, calls := reflect.TypeFor[context.Context](), 0
	for i := range reflect.TypeOf(e).NumMethod() {
		method, run := reflect.TypeOf(e).Method(i), reflect.ValueOf(e).Method(i)
		if run.Type().NumIn() != 2 || run.Type().In(0) != contexts || run.Type().In(1).Kind() != reflect.Pointer {
			continue
		}
		calls++
		t.Run(method.Name, func(t *testing.T) {
			request := run.Type().In(1)
			ctx := reflect.ValueOf(t.Context())
			none := outcome(run.Call([]reflect.Value{ctx, reflect.Zero(request)}))
			empty := outcome(run.Call([]reflect.Value{ctx, reflect.New(request.Elem())}))
			if none == nil && empty == nil {
				return
			}
			var err *engine.Error
			if !errors.As(none, &err) || err.HTTPStatus >= 500 || !errors.Is(empty, err) {
				t.Errorf("a nil request fails with %v, an empty one with %v", none, empty)
			}
		})
	}
	if calls < 25 {
		t.Errorf("only %d methods take a request", calls)
	}
}

// outcome is the error that a method returned, or its sequence yields.
func outcome(results []reflect.Value) (err error) {
	if len(results) == 2 {
		err, _ = results[1].Interface().(error)
		return err
	}
	for _, v := range results[0].Seq2() {
		err, _ = v.Interface().(error)
	}
	return err
}
