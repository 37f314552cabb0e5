package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gabion-storage/gabion/blob"
)

// failed says what has failed. It is a blob.ErrNoSpace where the object store has no room, and a
// blob.ErrUnavailable where it has not answered, or said that it cannot.
func failed(what string, err error) error {
	switch {
	case isFull(err):
		return fmt.Errorf("%w: s3blob: %s: %w", blob.ErrNoSpace, what, err)
	case isUnavailable(err):
		return unavailable(what, err)
	}
	return fmt.Errorf("s3blob: %s: %w", what, err)
}

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: s3blob: %s: %w", blob.ErrUnavailable, what, err)
}

// ended returns the error of a call, which is its context's where that has ended: nobody waits for
// another try then.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, blob.ErrUnavailable) {
		return ctx.Err()
	}
	return err
}

// status is the status of the answer that err is, or 0.
func status(err error) int {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// isMissing reports whether the object store has said that an object is not there. It has a word for
// that; the same status without it is of somebody else who has the address, as of an ingress without
// a server behind it, and says nothing of the object.
func isMissing(err error) bool {
	return status(err) == http.StatusNotFound && code(err) == "NoSuchKey"
}

// isForeign reports whether a request was answered with the status of what is missing, but not by an
// object store that knows what.
func isForeign(err error) bool {
	if status(err) != http.StatusNotFound {
		return false
	}
	switch code(err) {
	case "NoSuchKey", "NoSuchBucket":
		return false
	}
	return true
}

func isRange(err error) bool { return status(err) == http.StatusRequestedRangeNotSatisfiable }

// isThere reports whether a condition has kept an object from being written.
func isThere(err error) bool { return status(err) == http.StatusPreconditionFailed }

// isFull knows the words of AWS's quotas, of MinIO's and of HTTP.
func isFull(err error) bool {
	if status(err) == http.StatusInsufficientStorage {
		return true
	}
	switch code(err) {
	case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity":
		return true
	}
	return false
}

// isUnavailable knows the failures after which the same request may succeed: those that are tried
// again, and the end of the time that a request has.
func isUnavailable(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || retryables().IsErrorRetryable(err) == aws.TrueTernary
}

// retryables says what is tried again. That is what the SDK tries again; an answer that was cut, or
// that the object store has not given; and that two conditional writes of an object are in each other's
// way, which says nothing of the object.
func retryables() retry.IsErrorRetryables {
	return append(slices.Clone(retry.DefaultRetryables),
		retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if isCut(err) || isForeign(err) {
				return aws.TrueTernary
			}
			return aws.UnknownTernary
		}),
		retry.RetryableErrorCode{Codes: map[string]struct{}{"ConditionalRequestConflict": {}}},
	)
}

// isCut reports whether an answer ended before it was complete, or cannot be read though it says that
// the request was done.
func isCut(err error) bool {
	_, unread := errors.AsType[*smithy.DeserializationError](err)
	return errors.Is(err, io.ErrUnexpectedEOF) || unread && status(err) < http.StatusMultipleChoices
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
