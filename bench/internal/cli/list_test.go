package cli_test

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

// ascending is a list of numbers, each larger than those before.
func ascending(values ...int) cli.List[int] {
	return cli.List[int]{Values: values, Parse: func(word string, before []int) (int, error) {
		n, err := strconv.Atoi(word)
		if err == nil && len(before) > 0 && n <= slices.Max(before) {
			err = fmt.Errorf("%d after %v", n, before)
		}
		return n, err
	}}
}

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
		{"1,4,4", nil, "4 after [1 4]"},
	} {
		l := ascending(9)
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
	l := ascending(1, 2)
	flags := flag.NewFlagSet("prog", flag.ContinueOnError)
	flags.Var(&l, "n", "some `numbers`")
	none := ascending()
	flags.Var(&none, "none", "other `numbers`")
	var help strings.Builder
	if err := cli.Parse(flags, []string{"-h"}, "", &help); err != flag.ErrHelp {
		t.Fatal(err)
	}
	const want = "usage: prog \n\n  -n numbers\n    \tsome numbers (default 1,2)\n  -none numbers\n    \tother numbers\n"
	if help.String() != want {
		t.Errorf("help is %q, want %q", &help, want)
	}
	if err := cli.Parse(flags, []string{"-n", "7,8", "-n", "3,4"}, "", io.Discard); err != nil || l.String() != "3,4" {
		t.Errorf("got %v, %v", l, err)
	}
}
