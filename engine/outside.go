package engine

import (
	"errors"
	"fmt"
)

// errNoReturn stands for what code of the caller's returns that ends its goroutine instead.
var errNoReturn = errors.New("it called runtime.Goexit instead of returning")

// outside runs code of the caller's, such as a key provider's or a hook, on a goroutine of its own.
// There neither a panic nor runtime.Goexit, which is what the FailNow of a test calls, can take a
// goroutine of ours along, or leave behind what ours holds: both become errors.
func outside(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		err := errNoReturn
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("it panicked: %v", p)
			}
			result <- err
		}()
		err = fn()
	}()
	return <-result
}
