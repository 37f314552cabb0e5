package cli_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

func TestConclude(t *testing.T) {
	running := context.Background()
	ended, end := context.WithCancel(running)
	end()
	flags := flag.NewFlagSet("prog", flag.ContinueOnError)
	unknown := cli.Parse(flags, []string{"-x"}, "", io.Discard)
	wrong := cli.Usagef("-n is %d", 5)
	broken := errors.New("broken")
	for _, test := range []struct {
		ctx    context.Context
		err    error
		status int
		stderr string
	}{
		{running, nil, 0, ""},
		{ended, nil, 0, ""},
		{running, flag.ErrHelp, 0, ""},
		{running, broken, 1, "prog: run: broken\n"},
		{running, wrong, 2, "prog: run: -n is 5 (prog run -h tells more)\n"},
		{running, fmt.Errorf("file: %w", wrong), 2, "prog: run: file: -n is 5 (prog run -h tells more)\n"},
		{running, unknown, 2, "prog: run: flag provided but not defined: -x (prog run -h tells more)\n"},
		{ended, wrong, 2, "prog: run: -n is 5 (prog run -h tells more)\n"},
		{ended, broken, 130, "prog: run: interrupted: broken\n"},
		{running, context.Canceled, 1, "prog: run: context canceled\n"},
	} {
		var stderr strings.Builder
		status := cli.Conclude(test.ctx, test.err, "prog: run", "prog run -h", &stderr)
		if status != test.status || stderr.String() != test.stderr {
			t.Errorf("%v, context %v: exit status %d, stderr %q; want %d and %q",
				test.err, test.ctx.Err(), status, &stderr, test.status, test.stderr)
		}
	}
}
