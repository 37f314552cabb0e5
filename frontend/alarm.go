package main

import (
	"errors"
	"io"
	"log"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// alarms says what the engine has no caller to tell.
type alarms struct {
	log  *log.Logger
	over chan error // takes the first alarm after which the engine has to be opened anew
}

func newAlarms(stderr io.Writer) *alarms {
	return &alarms{log.New(stderr, "frontend: ", 0), make(chan error, 1)}
}

// hear is the Alarm of engine.Events.
func (a *alarms) hear(err error) {
	a.log.Print(err)
	_, stopped := errors.AsType[*index.CommitError](err)
	if stopped || errors.Is(err, engine.ErrLeaseLost) {
		select {
		case a.over <- err:
		default:
		}
	}
}
