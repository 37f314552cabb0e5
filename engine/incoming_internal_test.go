package engine

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/engine/internal/intake"
)

// TestBodyErrors turns each error that the intake has for a body into what a caller is told.
func TestBodyErrors(t *testing.T) {
	const any = intake.AnySize
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{&intake.ReadError{Err: errors.New("cut off")},
			"engine: IncompleteBody: The body failed.: cut off"},
		{&intake.SizeError{Got: 1, Size: 0, Limit: 9},
			"engine: InvalidArgument: The body is not empty, Size is EmptyBody."},
		{&intake.SizeError{Got: 3, Size: 2, Limit: 9},
			"engine: InvalidArgument: The body is longer than Size, which is 2."},
		{&intake.SizeError{Got: 10, Size: any, Limit: 9},
			"engine: EntityTooLarge: The body is longer than 9 bytes, the most that is allowed."},
		{&intake.SizeError{Got: 1, Size: 2, Limit: 9},
			"engine: IncompleteBody: The body has 1 bytes, Size is 2."},
		{&intake.MemoryError{Err: syscall.ENOMEM},
			"engine: InternalError: engine: no memory for a chunk buffer, within " +
				"Options.MemoryBudget: cannot allocate memory"},
		{ErrNoSpace, ErrNoSpace.Error()},
	} {
		got := ""
		if err := bodyError(test.err, ErrEntityTooLarge); err != nil {
			got = asError(context.Background(), err).Error()
		}
		if got != test.want {
			t.Errorf("of %v the caller is told %q, want %q", test.err, got, test.want)
		}
	}
	for size, want := range map[int64]int64{0: any, EmptyBody: 0, 7: 7} {
		if got := declared(size); got != want {
			t.Errorf("a Size of %d is %d to the intake, want %d", size, got, want)
		}
	}
}
