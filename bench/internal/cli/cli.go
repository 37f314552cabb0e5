// Package cli is what the command lines of benchmarks have in common.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// A usageError says what is wrong with the arguments.
type usageError string

func (e usageError) Error() string { return string(e) }

// Usagef returns an error that says what is wrong with the arguments, for Conclude.
func Usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// Parse parses args. Asked for help, it prints the name of flags, synopsis and the flags, and returns
// flag.ErrHelp.
func Parse(flags *flag.FlagSet, args []string, synopsis string, stdout io.Writer) error {
	flags.SetOutput(io.Discard) // errors are reported once, by Conclude
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "usage: %s %s\n\n", flags.Name(), synopsis)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return err
	case err != nil:
		return usageError(err.Error())
	}
	return nil
}
