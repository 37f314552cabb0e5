package gocloud

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gabion-storage/gabion/engine"
	"gocloud.dev/gcerrors"
)

// keyErrors say that a blob cannot be read or written by the keys that there are. Their statuses
// would be taken for others: a key that is not found is no blob that is not found, which callers
// replace by a new one, and one that is disabled is no blob that exists.
var keyErrors = []error{
	engine.ErrKeyNotFound, engine.ErrKeyDisabled, engine.ErrKeyPendingDeletion,
	engine.ErrKeyPendingImport,
}

// ErrorCode classifies errors, by the HTTP status that they have with the service where nothing
// else is said.
func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	var e *engine.Error
	switch {
	case errors.Is(err, context.Canceled):
		return gcerrors.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return gcerrors.DeadlineExceeded
	case !errors.As(err, &e):
		return gcerrors.Unknown
	case slices.ContainsFunc(keyErrors, e.Is):
		return gcerrors.PermissionDenied
	case e.Is(engine.ErrClosed): // as gocloud says it of a bucket that is closed
		return gcerrors.FailedPrecondition
	}
	switch e.HTTPStatus {
	case http.StatusNotFound:
		return gcerrors.NotFound
	case http.StatusBadRequest, http.StatusRequestedRangeNotSatisfiable:
		return gcerrors.InvalidArgument
	case http.StatusForbidden:
		return gcerrors.PermissionDenied
	case http.StatusNotModified, http.StatusConflict, http.StatusPreconditionFailed:
		return gcerrors.FailedPrecondition
	case http.StatusServiceUnavailable:
		// As gocloud's own drivers say it of a service that is away. A failed precondition would
		// say to who writes what must not exist that it does.
		return gcerrors.Unknown
	case http.StatusNotImplemented:
		return gcerrors.Unimplemented
	case http.StatusInsufficientStorage:
		return gcerrors.ResourceExhausted
	}
	return gcerrors.Internal
}

func (b *bucket) ErrorAs(err error, target any) bool {
	switch target.(type) {
	case **engine.Error, **engine.CorruptionError:
		return errors.As(err, target)
	}
	return false
}
