// Command gabion-fleet moves stores into a fleet, and back.
//
//	gabion-fleet copy [-keyring FILE] [-quick] FROM TO
//	gabion-fleet compare [-keyring FILE] FIRST SECOND
//
// A store is a directory, or the two URLs of a fleet with a comma between them:
//
//	postgres://gabion@db/gabion,s3://bucket/prefix?region=eu-west-1
//
// What the URLs may say is in package fleet.
//
// copy makes TO, which must be empty, a copy of FROM: objects, open uploads with their parts,
// buckets, and what is encrypted as it is, without any key. When it was stopped, killed or has
// failed, the same command goes on, and until it is done nobody can open TO. Then it compares what
// both list, with all CRC-64s, and reads everything in TO once, which -quick leaves out. A
// directory is locked meanwhile. The nodes of a fleet go on, but what they write after the last
// pass has begun is not in TO: stop them before, or have the program that writes call
// engine.Clone's Pull.
//
// The key ring is for reading what is encrypted in TO. It is needed if records are authenticated, and
// for a fleet whose nodes have one.
//
// It ends with 1 if anything is damaged or differs, or has failed, and with 2 if it was called in a
// wrong way.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/gabion-storage/gabion/crypto"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage is for a command that makes no sense.
var errUsage = errors.New(
	"usage: gabion-fleet copy [-keyring FILE] [-quick] FROM TO\n" +
		"       gabion-fleet compare [-keyring FILE] FIRST SECOND\n" +
		"a store is a directory, or postgres://HOST/DATABASE,s3://BUCKET",
)

// errDiffers is for stores that are not the same, or not sound, of which all is told.
var errDiffers = errors.New("the two stores are not the same, or not sound")

// run runs the command, and returns what the process ends with.
func run(ctx context.Context, args []string, out, told io.Writer) int {
	c, err := parse(args, out, told)
	if err == nil {
		err = c.run(ctx)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(told, err)
		return 2
	default:
		fmt.Fprintln(told, "gabion-fleet:", err)
		return 1
	}
}

// A command is what is to be done with two stores.
type command struct {
	copies, quick bool
	keys          crypto.KeyProvider // nil without a key ring
	first, second location
	out           io.Writer // of results
	told          io.Writer // of progress
}

func parse(args []string, out, told io.Writer) (*command, error) {
	if len(args) == 0 || args[0] != "copy" && args[0] != "compare" {
		return nil, errUsage
	}
	c := &command{copies: args[0] == "copy", out: out, told: told}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	ring := flags.String("keyring", "", "")
	if c.copies {
		flags.BoolVar(&c.quick, "quick", false, "")
	}
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() != 2 {
		return nil, errors.Join(err, errUsage)
	}
	for i, to := range []*location{&c.first, &c.second} {
		var err error
		if *to, err = locationOf(flags.Arg(i)); err != nil {
			return nil, err
		}
	}
	if *ring == "" {
		return c, nil
	}
	keys, err := crypto.OpenKeyring(*ring)
	if err != nil {
		return nil, err
	}
	c.keys = keys
	return c, nil
}
