package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

// crowded is a report with all that is hard to draw: many contenders, some with long names and
// nearly equal values, many cases, groups by several axes, one of cases that are no numbers, gaps,
// zeros.
func crowded() *report.Report {
	r := &report.Report{
		Title: strings.Repeat("A very long title ", 10), Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Baseline: "floor",
		Machine: report.Machine{OS: "linux", Arch: "amd64", CPU: strings.Repeat("Some CPU with a long name ", 8), CPUs: 2, Go: "go1.26.0"},
	}
	names := []string{"gabion", "floor", "<&\">", strings.Repeat("long name ", 9)}
	for i := range 8 {
		names = append(names, fmt.Sprintf("rival %d", i))
	}
	add := func(group, axis, unit string, values func(contender, case_ int) float64, cases ...string) {
		for i, name := range names {
			for j, c := range cases {
				if v := values(i, j); v >= 0 {
					r.Series = append(r.Series, report.Series{Group: group, Axis: axis, Case: c, Contender: name, Unit: unit, Values: []float64{v, v * 1.5, v / 2}})
				}
			}
		}
	}
	near := func(i, j int) float64 { return 1000 + float64(i+j) }
	add("hashes", "streams", "MB/s", near, "1", "2", "3", "4", "6", "8", "12", "16", "24", "32", "64")
	add(strings.Repeat("long group ", 20), "streams", "MB/s", func(i, j int) float64 { return math.Pow(10, float64(i)-3) }, "1", "1000", "1024")
	add("one axis more", "parts in flight", "MB/s", func(i, j int) float64 { return float64(i%3) - 1 }, "1", "4", "16")
	add("named", "", "ms", near, "16 MiB parts", "small objects")
	add("one case", "readers", "MB/s", func(i, j int) float64 { return float64(i) }, "16")
	add("nothing", "seconds", "MiB", func(i, j int) float64 { return 0 }, "1", "2")
	return r
}

func TestEverythingIsNamed(t *testing.T) {
	r := crowded()
	for _, log := range []bool{false, true} {
		c, err := drawing(r, log)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := c.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		want := []string{">ms", ">parts in flight<", ">hashes<", ">named<", ">16 MiB parts<", ">one case, 16 readers<", "median of 3 rounds in turns; whiskers", "linux/amd64, 2 CPUs", "2026-01-02"}
		for _, c := range r.Cases("hashes") {
			want = append(want, ">"+c+"<")
		}
		for _, name := range r.Contenders("hashes") {
			want = append(want, strings.NewReplacer("<", "&lt;", "&", "&amp;", `"`, "&#34;", ">", "&gt;").Replace(name)+"<")
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("log %v: %s is not in the SVG", log, text)
			}
		}
		if got := strings.Contains(out.String(), "logarithmic"); got != log {
			t.Errorf("log %v: the axis says that it is: %v", log, got)
		}
	}
}

// A panel has the contenders that have values in its unit, and lines if there are several cases.
func TestPanels(t *testing.T) {
	r := &report.Report{}
	about := report.Series{Group: "g", Axis: "parts", Case: "1", Contender: "ours"}
	r.Add(about, "MB/s", 1)
	r.Add(about, "CPU ns/B", 2)
	about.Contender = "remote"
	r.Add(about, "MB/s", 3)
	for unit, want := range map[string][]string{"MB/s": {"ours", "remote"}, "CPU ns/B": {"ours"}} {
		p := newPanel(r, "g", unit, false)
		if !slices.Equal(p.names, want) || p.height() != 80+barHeight*vg.Length(len(want)) {
			t.Errorf("%s: a panel of %q, %v high; want bars of %q", unit, p.names, p.height(), want)
		}
	}
	for i := range maxNames {
		about.Case = strconv.Itoa(10 * (i + 1))
		r.Add(about, "MB/s", 4)
	}
	p := newPanel(r, "g", "MB/s", false)
	if p.height() != lineHeight || len(p.numbers) != maxNames+1 || p.numbers[2] != 20 {
		t.Errorf("of %d cases: %v high, numbers %v", len(p.cases), p.height(), p.numbers)
	}
}

func TestTicks(t *testing.T) {
	labels := func(ticks []plot.Tick) (all string) {
		for _, tick := range ticks {
			all += tick.Label + " "
		}
		return all
	}
	for most, want := range map[float64]string{0.6: "0 0.1 0.2 0.3 0.4 0.5 0.6 ", 10: "0 2 4 6 8 10 ", 16000: "0 5000 10000 15000 ", 28: "0 5 10 15 20 25 ", 0: ""} {
		if got := labels(evenTicks(0, most)); got != want {
			t.Errorf("up to %v: %s, want %s", most, got, want)
		}
	}
}
