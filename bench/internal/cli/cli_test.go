package cli_test

import (
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

func TestParse(t *testing.T) {
	const help = "usage: prog run [FLAGS] [FILE]\n\n  -n int\n    \tnumber of things (default 3)\n"
	for _, test := range []struct {
		args   string
		n      int
		rest   string
		err    string // part of it; "" for none
		stdout string
	}{
		{"", 3, "", "", ""},
		{"-n 5 file -n", 5, "file -n", "", ""},
		{"-n x", 0, "", `invalid value "x" for flag -n`, ""},
		{"-x", 0, "", "not defined: -x", ""},
		{"-h", 0, "", flag.ErrHelp.Error(), help},
		{"--help", 0, "", flag.ErrHelp.Error(), help},
	} {
		var out, errs strings.Builder
		flags := flag.NewFlagSet("prog run", flag.ContinueOnError)
		flags.SetOutput(&errs)
		n := flags.Int("n", 3, "number of things")
		err := cli.Parse(flags, strings.Fields(test.args), "[FILE]", &out)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%q: got error %v, want %q", test.args, err, test.err)
			continue
		}
		if err == nil && (*n != test.n || strings.Join(flags.Args(), " ") != test.rest) {
			t.Errorf("%q: got %d and %q", test.args, *n, flags.Args())
		}
		if out.String() != test.stdout || errs.Len() > 0 {
			t.Errorf("%q: stdout %q, want %q; stderr %q", test.args, &out, test.stdout, &errs)
		}
		if (test.stdout != "") != errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: got error %v", test.args, err)
		}
	}
}
