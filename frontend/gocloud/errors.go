package gocloud

import (
	"context"
	"errors"
	"net/http"

	"github.com/gabion-storage/gabion/engine"
	"gocloud.dev/gcerrors"
)

// ErrorCode classifies errors by the HTTP status that they have with the service.
func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	var e *engine.Error
	switch {
	case errors.Is(err, context.Canceled):
		return gcerrors.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return gcerrors.DeadlineExceeded
	case !errors.As(err, &e):
		return gcerrors.Unknown
	}
	switch e.HTTPStatus {
	case http.StatusNotFound:
		return gcerrors.NotFound
	case http.StatusBadRequest, http.StatusRequestedRangeNotSatisfiable:
		return gcerrors.InvalidArgument
	case http.StatusForbidden:
		return gcerrors.PermissionDenied
	case http.StatusNotModified, http.StatusConflict, http.StatusPreconditionFailed,
		http.StatusServiceUnavailable: // the engine is closed
		return gcerrors.FailedPrecondition
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
