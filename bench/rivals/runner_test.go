package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/data"
)

// fakeRunner measures two rounds of three fakes.
func fakeRunner(t *testing.T, d *diary, change func(*fake)) (*runner, []*fake) {
	fakes := []*fake{{name: "a", diary: d}, {name: "b", diary: d}, {name: "c", diary: d}}
	change(fakes[1])
	o := &options{
		parallel: once(parseCount, 2), part: 1 << 10, parts: 3, data: once(parseKind, data.Random), sse: once(parseMode, plain), readers: 2, rounds: 2,
	}
	for _, f := range fakes {
		o.contenders = append(o.contenders, f.contender())
	}
	dir := t.TempDir()
	return &runner{options: o, dir: dir, report: newReport(o, dir), log: io.Discard}, fakes
}

// All rivals are measured once a round, and who comes first differs from round to round.
func TestOrderRotates(t *testing.T) {
	d := &diary{}
	r, fakes := fakeRunner(t, d, func(*fake) {})
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := strings.Split("a up,a down,b up,b down,c up,c down,"+ // to verify
		"a up,b up,c up,b up,c up,a up,"+
		"a up,a down,b up,b down,c up,c down", ",")
	for _, name := range strings.Split("a,b,c,b,c,a", ",") { // one to warm up and two that are measured
		want = append(want, slices.Repeat([]string{name + " down"}, 3)...)
	}
	if !slices.Equal(d.lines, want) {
		t.Errorf("the order was\n%q, want\n%q", d.lines, want)
	}
	for _, group := range []string{"upload, random, plain", "download, random, plain"} {
		for _, f := range fakes {
			s := r.report.Find(group, "2", f.name)
			if s == nil || len(s.Values) != 2 || slices.Min(s.Values) <= 0 {
				t.Errorf("%s, %s: got %v, want two values", group, f.name, s)
			}
		}
	}
	for _, f := range fakes {
		if f.objects != 0 {
			t.Errorf("%s is left with %d objects", f.name, f.objects)
		}
	}
}

// Whoever reads the report compares uploads with uploads.
func TestDownloadsComeBehindUploads(t *testing.T) {
	r, _ := fakeRunner(t, &diary{}, func(*fake) {})
	r.options.data.Values = []data.Kind{data.Random, data.JSON}
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"upload, random, plain", "upload, json, plain", "download, random, plain", "download, json, plain"}
	if got := r.report.Groups(); !slices.Equal(got, want) {
		t.Errorf("the groups are %q, want %q", got, want)
	}
}

func TestLiesAreErrors(t *testing.T) {
	for _, test := range []struct {
		change func(*fake)
		want   string
	}{
		{func(f *fake) { f.wrongETag = true }, "upload, random, plain, 2 parts in flight: b: the ETag is x"},
		{func(f *fake) { f.wrongByte = true }, "upload, random, plain, 2 parts in flight: b: what came back has MD5"},
	} {
		r, _ := fakeRunner(t, &diary{}, test.change)
		if err := r.all(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
