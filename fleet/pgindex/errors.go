package pgindex

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gabion-storage/gabion/index"
)

// Codes of PostgreSQL's errors, and classes of them.
const (
	codeDiskFull    = "53100"
	codeReadOnly    = "25006" // a standby, while another server takes over
	codeIdle        = "25P03" // idle_in_transaction_session_timeout
	codeLockTimeout = "55P03"
	codeCorrupt     = "XX001"
	codeBadIndex    = "XX002"

	classConnection   = "08"
	classRollback     = "40" // serialization, deadlocks
	classResources    = "53" // memory, connections
	classIntervention = "57" // shutdown, crash, start-up, statement_timeout, cancellation
)

// transient says that the same may succeed a little later: the connection was lost, or the server
// says so. What the server does not say is of the connection.
func transient(err error) bool {
	if final(err) {
		return false
	}
	told, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return true
	}
	switch told.Code {
	case codeDiskFull:
		return false
	case codeReadOnly, codeIdle, codeLockTimeout:
		return true
	}
	switch told.Code[:min(2, len(told.Code))] {
	case classConnection, classRollback, classResources, classIntervention:
		return true
	}
	return false
}

// final says that the error is one of this package's own, whatever is behind it.
func final(err error) bool {
	_, commit := errors.AsType[*index.CommitError](err)
	_, version := errors.AsType[*index.VersionError](err)
	return commit || version || errors.Is(err, ErrNotDurable)
}

// refused says that the server has rolled back what it was to do, and told so.
func refused(err error) bool {
	told, ok := errors.AsType[*pgconn.PgError](err)
	return ok && told.SeverityUnlocalized == "ERROR"
}

// typed turns an error of PostgreSQL's into one of package index. nil stays nil.
func typed(err error) error {
	told, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil || final(err):
		return err
	case ok && told.Code == codeDiskFull:
		return fmt.Errorf("%w: %w", index.ErrNoSpace, err)
	case ok && (told.Code == codeCorrupt || told.Code == codeBadIndex):
		return &index.CorruptionError{Where: "table " + told.TableName, Reason: told.Message, Err: err}
	case transient(err):
		return fmt.Errorf("%w: %w", index.ErrUnavailable, err)
	}
	return fmt.Errorf("pgindex: %w", err)
}

// The pauses between attempts.
const (
	firstPause = 5 * time.Millisecond
	mostPause  = time.Second
)

// retry tries something until it succeeds, fails for good, ctx ends, or the patience does. Then it
// returns a typed error.
func (d *database) retry(ctx context.Context, try func() error) error {
	end := time.Now().Add(d.opts.Patience)
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := try()
		if ended := ctx.Err(); err != nil && ended != nil {
			return ended
		}
		if err == nil || !transient(err) || time.Now().Add(pause).After(end) {
			return typed(err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}
