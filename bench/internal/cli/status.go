package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// Exit statuses.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 130
)

// Conclude tells the error of a program, if any, behind its name, and returns the exit status. help is
// the command that tells how the program is used.
func Conclude(ctx context.Context, err error, name, help string, stderr io.Writer) int {
	var wrong usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return ExitOK
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "%s: %v (%s tells more)\n", name, err, help)
		return ExitUsage
	case ctx.Err() != nil:
		fmt.Fprintf(stderr, "%s: interrupted: %v\n", name, err)
		return ExitInterrupted
	default:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return ExitFailed
	}
}
