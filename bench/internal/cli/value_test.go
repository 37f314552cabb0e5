package cli_test

import (
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

func TestList(t *testing.T) {
	for _, test := range []struct {
		text string
		want []int  // nil for an error
		err  string // part of it
	}{
		{"5", []int{5}, ""},
		{"1,20,300", []int{1, 20, 300}, ""},
		{"", nil, `parsing ""`},
		{"1,,4", nil, `parsing ""`},
		{"1,4,", nil, `parsing ""`},
		{"1, 4", nil, `parsing " 4"`},
		{"1,x,0", nil, `parsing "x"`},
		{"1,0", nil, "0 must be 1 to 300"},
		{"301", nil, "301 must be 1 to 300"},
		{"1,4,4", nil, "4 is there twice"},
	} {
		l := cli.Counts(1, 300, 9)
		err := l.Set(test.text)
		if test.want == nil {
			if err == nil || !strings.Contains(err.Error(), test.err) || !slices.Equal(l.Values, []int{9}) {
				t.Errorf("Set(%q): %v and %v, want %q and what was there", test.text, l.Values, err, test.err)
			}
			continue
		}
		if err != nil || !slices.Equal(l.Values, test.want) || l.String() != test.text {
			t.Errorf("Set(%q): %v, %v; as text %q", test.text, l.Values, err, l)
		}
	}
}

// Values of a flag replace its default, and those of the same flag before it.
func TestListAsFlag(t *testing.T) {
	l := cli.Counts(1, 9, 1, 2)
	flags := flag.NewFlagSet("prog", flag.ContinueOnError)
	flags.Var(&l, "n", "some `numbers`")
	none := cli.Counts(1, 9)
	flags.Var(&none, "none", "other `numbers`")
	var help strings.Builder
	if err := cli.Parse(flags, []string{"-h"}, "", &help); err != flag.ErrHelp {
		t.Fatal(err)
	}
	const want = "usage: prog [FLAGS]\n\n  -n numbers\n    \tsome numbers (default 1,2)\n  -none numbers\n    \tother numbers\n"
	if help.String() != want {
		t.Errorf("help is %q, want %q", &help, want)
	}
	if err := cli.Parse(flags, []string{"-n", "7,8", "-n", "3,4"}, "", io.Discard); err != nil || l.String() != "3,4" {
		t.Errorf("got %v, %v", l, err)
	}
}

func TestChoices(t *testing.T) {
	l := cli.Choices("a", "b")
	if l.String() != "a,b" {
		t.Errorf("the default is %v", l)
	}
	for text, right := range map[string]bool{"b": true, "b,a": true, "b,b": false, "c": false, "": false} {
		if err := l.Set(text); (err == nil) != right || right && l.String() != text {
			t.Errorf("%q: %v, %v", text, l, err)
		}
	}
}

// Only what says nothing is left out of a command, and what is asked for.
func TestCommand(t *testing.T) {
	flags := flag.NewFlagSet("prog", flag.ContinueOnError)
	n, zero, dir := 3, 5, ""
	cli.Int(flags, &n, "n", 1, 9, "")
	cli.Int(flags, &zero, "zero", 0, 9, "")
	flags.StringVar(&dir, "dir", "", "")
	flags.String("name", "", "")
	if err := cli.Parse(flags, []string{"-zero", "0", "-dir", "x"}, "", io.Discard); err != nil {
		t.Fatal(err)
	}
	if got, want := cli.Command("prog", flags, "dir"), "prog -n 3 -zero 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, text := range []string{"0", "10", "x"} {
		if err := cli.Parse(flags, []string{"-n", text}, "", io.Discard); err == nil || n != 3 {
			t.Errorf("-n %s: %v, %d", text, err, n)
		}
	}
}
