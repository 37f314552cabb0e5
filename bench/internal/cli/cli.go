// Package cli is what the command lines of benchmarks have in common.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Exit statuses.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 130
)

// A usageError says what is wrong with the arguments.
type usageError string

func (e usageError) Error() string { return string(e) }

// Usagef returns an error that says what is wrong with the arguments, for Conclude.
func Usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// Parse parses args: flags, then operands, which are refused if none is named. Asked for help, it
// prints how the command is used and returns flag.ErrHelp.
func Parse(flags *flag.FlagSet, args []string, operands string, stdout io.Writer) error {
	flags.SetOutput(io.Discard) // errors are reported once, by Conclude
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "usage: %s\n\n", strings.TrimRight(flags.Name()+" [FLAGS] "+operands, " "))
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return err
	case err != nil:
		return usageError(err.Error())
	case operands == "" && flags.NArg() > 0:
		return Usagef("%q: there are flags only", flags.Arg(0))
	}
	return nil
}

// Command returns the command line that does the same again: name and all flags, but those that
// leave names and those whose default is that nothing is said.
func Command(name string, flags *flag.FlagSet, leave ...string) string {
	words := []string{name}
	flags.VisitAll(func(f *flag.Flag) {
		value := f.Value.String()
		unsaid := value == f.DefValue && slices.Contains([]string{"", "0", "0s", "false"}, value)
		if !unsaid && !slices.Contains(leave, f.Name) {
			words = append(words, "-"+f.Name, value)
		}
	})
	return strings.Join(words, " ")
}

// Conclude tells the error of a program, if any, behind its name, and returns the exit status. help
// is the command that tells how the program is used.
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
