package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

func TestMedianAndSpread(t *testing.T) {
	for _, test := range []struct {
		values              []float64
		median, least, most float64
	}{
		{[]float64{3}, 3, 3, 3},
		{[]float64{4, 2}, 3, 2, 4},
		{[]float64{9, 1, 2}, 2, 1, 9},
		{[]float64{4, 1, 100, 2}, 3, 1, 100},
	} {
		s := report.Series{Values: slices.Clone(test.values)}
		least, most := s.Spread()
		if s.Median() != test.median || least != test.least || most != test.most {
			t.Errorf("%v: median %v, spread %v to %v; want %v, %v, %v", test.values, s.Median(), least, most, test.median, test.least, test.most)
		}
		if !slices.Equal(s.Values, test.values) {
			t.Errorf("the values were put in order: the rounds are lost")
		}
	}
}

// sample has two groups: one with all cases measured, and one where "rival" lacks a case.
func sample() *report.Report {
	r := &report.Report{
		Title: "Uploads", Command: "go run ./bench engine", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine:  report.Machine{OS: "linux", Arch: "amd64", CPU: "Some CPU @ 2.00GHz", CPUs: 2, Kernel: "6.1", FileSystem: "ext4", Go: "go1.26.0"},
		Baseline: "floor", Notes: []string{"MB is 10^6 bytes.", "a | b"},
	}
	add := func(group, case_, contender string, values ...float64) {
		r.Series = append(r.Series, report.Series{Group: group, Axis: "parts in flight", Case: case_, Contender: contender, Unit: "MB/s", Values: values})
	}
	add("plain", "1", "gabion", 90, 110, 100)
	add("plain", "1", "floor", 200, 190, 201)
	add("plain", "16", "gabion", 1.234, 2, 0.5)
	add("plain", "16", "floor", 4, 5, 3)
	add("sealed", "1", "gabion", 7, 8, 9)
	add("sealed", "16", "gabion", 70, 80, 90)
	add("sealed", "1", "rival", 1000, 2000, 3000)
	return r
}

func TestOrder(t *testing.T) {
	r := sample()
	for _, test := range []struct{ got, want []string }{
		{r.Groups(), []string{"plain", "sealed"}},
		{r.Cases("sealed"), []string{"1", "16"}},
		{r.Contenders("plain"), []string{"gabion", "floor"}},
		{r.Contenders("sealed"), []string{"gabion", "rival"}},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := sample().Table(&out); err != nil {
		t.Fatal(err)
	}
	const want = "**Uploads.** `go run ./bench engine` on linux/amd64, 2 CPUs, Some CPU @ 2.00GHz, kernel 6.1, ext4, go1.26.0; " + `2026-01-02, median of 3 rounds in turns (least-most); x: ratio to floor.

plain, MB/s:

 | parts in flight|                 gabion|            floor|
 |             --:|                    --:|              --:|
 |               1|   100 (90.0-110) 0.50x|    200 (190-201)|
 |              16| 1.23 (0.50-2.00) 0.31x| 4.00 (3.00-5.00)|

sealed, MB/s:

 | parts in flight|           gabion|            rival|
 |             --:|              --:|              --:|
 |               1| 8.00 (7.00-9.00)| 2000 (1000-3000)|
 |              16| 80.0 (70.0-90.0)|                -|

- MB is 10^6 bytes.
- a | b
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

// What is in several units has a row for each contender of a case; who has no value has none.
func TestTableOfSeveralUnits(t *testing.T) {
	r := sample()
	r.Series = r.Series[:2]
	about := r.Series[0]
	r.Add(about, "CPU ns/B", 2, 1, 3)
	about.Contender = "floor"
	r.Add(about, "CPU ns/B", 1, 1, 1)
	about.Contender = "remote"
	r.Add(about, "MB/s", 50)
	r.Add(about, "CPU ns/B")
	var out bytes.Buffer
	if err := r.Table(&out); err != nil {
		t.Fatal(err)
	}
	const want = `
plain:

 | parts in flight|       |                MB/s|               CPU ns/B|
 |             --:|    --:|                 --:|                    --:|
 |               1| gabion| 100 (90.0-110) 0.50x| 2.00 (1.00-3.00) 2.00x|
 |               1|  floor|       200 (190-201)|       1.00 (1.00-1.00)|
 |               1| remote|          50.0 0.25x|                      -|
`
	if !strings.Contains(strings.ReplaceAll(out.String(), " ", ""), strings.ReplaceAll(want, " ", "")) {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	if err := sample().Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := sample(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestInvalid(t *testing.T) {
	for _, test := range []struct {
		name   string
		break_ func(r *report.Report)
		want   string
	}{
		{"no series", func(r *report.Report) { r.Series = nil }, "no series"},
		{"twice", func(r *report.Report) { r.Series = append(r.Series, r.Series[0]) }, "twice"},
		{"no values", func(r *report.Report) { r.Series[1].Values = nil }, "no values"},
		{"negative", func(r *report.Report) { r.Series[1].Values[0] = -1 }, "negative"},
		{"not a number", func(r *report.Report) { r.Series[1].Values[0] = math.NaN() }, "no number"},
		{"infinite", func(r *report.Report) { r.Series[1].Values[0] = math.Inf(1) }, "no number"},
		{"axes", func(r *report.Report) { r.Series[1].Axis = "s" }, "is by s, others of its group"},
		{"no contender", func(r *report.Report) { r.Series[1].Contender = "" }, "no name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := sample()
			test.break_(r)
			path := filepath.Join(t.TempDir(), "report.json")
			for _, write := range []func() error{
				func() error { return r.Table(io.Discard) },
				func() error { return r.Save(path) },
			} {
				if err := write(); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
			}
			text, err := json.Marshal(r)
			if err != nil { // JSON has no such numbers
				return
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := report.Load(path); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("reading: got %v, want %q", err, test.want)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "half")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := report.Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("half a report was read: %v", err)
	}
}

func TestInterleave(t *testing.T) {
	var log []string
	say := func(what string) { log = append(log, what) }
	value := 0.0
	run := func(name string) report.Run {
		return report.Run{
			Series:  report.Series{Group: "group", Axis: "axis", Case: "case", Contender: name},
			Prepare: func(context.Context) error { say("prepare " + name); return nil },
			Measure: func(context.Context) ([]float64, error) { say(name); value++; return []float64{value, -value}, nil },
			Finish:  func() error { say("finish " + name); return nil },
		}
	}
	runs := []report.Run{run("a"), run("b"), run("c")}
	runs[1].Prepare, runs[1].Finish = nil, nil
	runs[1].Measure = func(context.Context) ([]float64, error) { say("b"); return []float64{10}, nil }
	r := &report.Report{}
	if err := r.Interleave(t.Context(), 2, []string{"u", "v"}, runs, func() { say("settle") }); err != nil {
		t.Fatal(err)
	}
	a, b, c := "prepare a, settle, a, finish a", "settle, b", "prepare c, settle, c, finish c"
	if got, want := strings.Join(log, ", "), strings.Join([]string{a, b, c, a, c, b}, ", "); got != want {
		t.Errorf("order\n%s, want\n%s", got, want)
	}
	want := []report.Series{
		{"group", "axis", "case", "a", "u", []float64{1, 3}},
		{"group", "axis", "case", "a", "v", []float64{-1, -3}},
		{"group", "axis", "case", "b", "u", []float64{10, 10}},
		{"group", "axis", "case", "c", "u", []float64{2, 4}},
		{"group", "axis", "case", "c", "v", []float64{-2, -4}},
	}
	if !reflect.DeepEqual(r.Series, want) {
		t.Errorf("series %v, want %v", r.Series, want)
	}
}

func TestInterleaveFails(t *testing.T) {
	broken, untidy := errors.New("broken"), errors.New("untidy")
	finished := 0
	fail := func(context.Context) error { return broken }
	measure := func(context.Context) ([]float64, error) { return []float64{1}, nil }
	finish := func() error { finished++; return untidy }
	for _, test := range []struct {
		name string
		run  report.Run
		want []error
	}{
		{"prepare", report.Run{Prepare: fail, Measure: measure, Finish: finish}, []error{broken, untidy}},
		{"measure", report.Run{Measure: func(context.Context) ([]float64, error) { return nil, broken }, Finish: finish}, []error{broken, untidy}},
		{"finish", report.Run{Measure: measure, Finish: finish}, []error{untidy}},
	} {
		finished = 0
		test.run.Series = report.Series{Group: "group", Axis: "axis", Case: "case", Contender: "contender"}
		r := &report.Report{}
		err := r.Interleave(t.Context(), 3, []string{"u"}, []report.Run{test.run}, nil)
		if r.Series != nil || err == nil || finished != 1 ||
			!strings.HasPrefix(err.Error(), "group, case axis: contender, round 1: ") {
			t.Errorf("%s: %v, %v, finished %d times", test.name, r.Series, err, finished)
		}
		for _, want := range test.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v in it", test.name, err, want)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&report.Report{}).Interleave(ctx, 1, []string{"u"}, []report.Run{{Measure: measure}}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: got %v", err)
	}
}

// TestWriteAfter writes what was measured before an error, and that there was one.
func TestWriteAfter(t *testing.T) {
	interrupted := errors.New("interrupted")
	for _, measured := range []bool{false, true} {
		r := &report.Report{}
		if measured {
			r.Add(report.Series{Group: "upload", Axis: "parts", Case: "1", Contender: "ours"}, "MB/s", 123)
		}
		var out strings.Builder
		path := filepath.Join(t.TempDir(), "report")
		if err := r.WriteAfter(interrupted, &out, path); !errors.Is(err, interrupted) {
			t.Errorf("error %v, want that of the measurements", err)
		}
		said := strings.Contains(out.String(), "123") && strings.Contains(out.String(), "interrupted")
		if _, err := report.Load(path); said != measured || (err == nil) != measured {
			t.Errorf("measured: %t; printed: %q, saved: %v", measured, out.String(), err)
		}
	}
}

// TestPercentile takes those of 1 ms, 2 ms, and so on.
func TestPercentile(t *testing.T) {
	for n, want := range map[int][2]time.Duration{
		1: {1, 1}, 2: {1, 2}, 3: {2, 3}, 10: {5, 10}, 99: {50, 99}, 100: {50, 99}, 101: {51, 100}, 1000: {500, 990},
	} {
		took := make([]time.Duration, n)
		for i := range took {
			took[i] = time.Duration(i+1) * time.Millisecond
		}
		for i, percent := range []int{50, 99} {
			if got := report.Percentile(took, percent); got != want[i]*time.Millisecond {
				t.Errorf("p%d of %d times is %v, want %d ms", percent, n, got, want[i])
			}
		}
	}
}
