package chart_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/bench/charts/internal/chart"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

// crowded is a report with all that is hard to draw: many contenders with long names and nearly
// equal values, many cases, groups by several axes, one of cases that are no numbers, gaps, zeros.
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
	add("bars", "", "ms", near, "16 MiB parts", "small objects", strings.Repeat("long case ", 20))
	add("one case", "readers", "MB/s", func(i, j int) float64 { return float64(i) }, "16")
	return r
}

func draw(t *testing.T, r *report.Report, o *chart.Options) *chart.Drawing {
	t.Helper()
	d, err := chart.Draw(r, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// texts returns all texts of a drawing.
func texts(d *chart.Drawing) (all []chart.Text) {
	for _, s := range d.Shapes {
		if text, ok := s.(chart.Text); ok {
			all = append(all, text)
		}
	}
	return all
}

// points returns all corners of a drawing.
func points(d *chart.Drawing) (all []chart.Point) {
	for _, s := range d.Shapes {
		switch s := s.(type) {
		case chart.Polygon:
			all = append(all, s.Points...)
		case chart.Line:
			all = append(all, s.Points...)
		case chart.Text:
			b := d.BoxOf(s)
			all = append(all, chart.Point{X: b.Left, Y: b.Top}, chart.Point{X: b.Right, Y: b.Bottom})
		}
	}
	return all
}

func TestEverythingHasItsPlace(t *testing.T) {
	for _, o := range []*chart.Options{nil, {Log: true}} {
		d := draw(t, crowded(), o)
		for _, p := range points(d) {
			if !(p.X >= 0 && p.X <= d.Width && p.Y >= 0 && p.Y <= d.Height) {
				t.Fatalf("something reaches %v, outside of %v x %v", p, d.Width, d.Height)
			}
		}
		all := texts(d)
		for i, a := range all {
			for _, b := range all[:i] {
				if d.BoxOf(a).Overlaps(d.BoxOf(b)) {
					t.Errorf("%q at %v overlaps %q at %v", a.Text, a.At, b.Text, b.At)
				}
			}
		}
	}
}

func TestEverythingIsNamed(t *testing.T) {
	r := crowded()
	var out bytes.Buffer
	if err := draw(t, r, nil).SVG(&out); err != nil {
		t.Fatal(err)
	}
	want := []string{">MB/s<", ">ms<", ">parts in flight<", ">hashes<", ">bars<", ">16 MiB parts ", ">16 readers<", "Median of 3 rounds", "linux/amd64, 2 CPUs", "2026-01-02", "…<"}
	for _, c := range r.Cases("hashes") {
		want = append(want, ">"+c+"<")
	}
	for _, name := range r.Contenders("hashes") {
		if len(name) < 20 {
			want = append(want, ">"+strings.NewReplacer("<", "&lt;", "&", "&amp;", `"`, "&#34;", ">", "&gt;").Replace(name)+"<")
		}
	}
	for _, text := range want {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%s is not in the SVG", text)
		}
	}
}

// two is a report of two contenders whose values are on ticks.
func two(cases ...string) *report.Report {
	r := &report.Report{Title: "Two", Date: time.Now(), Machine: report.ThisMachine("")}
	for i, c := range cases {
		r.Series = append(r.Series,
			report.Series{Group: "g", Axis: "parts", Case: c, Contender: "ours", Unit: "MB/s", Values: []float64{100 * float64(i), 200 * float64(i), 500}},
			report.Series{Group: "g", Axis: "parts", Case: c, Contender: "theirs", Unit: "MB/s", Values: []float64{300, 300, 300}})
	}
	return r
}

// centers returns the middles of all filled areas of a color.
func centers(d *chart.Drawing, c chart.Color) (all []chart.Point) {
	for _, s := range d.Shapes {
		if p, ok := s.(chart.Polygon); ok && p.Fill == c {
			var sum chart.Point
			for _, at := range p.Points {
				sum.X, sum.Y = sum.X+at.X, sum.Y+at.Y
			}
			n := float64(len(p.Points))
			all = append(all, chart.Point{X: sum.X / n, Y: sum.Y / n})
		}
	}
	return all
}

// textAt returns where a text is.
func textAt(t *testing.T, d *chart.Drawing, text string) chart.Point {
	t.Helper()
	for _, found := range texts(d) {
		if found.Text == text {
			return found.At
		}
	}
	t.Fatalf("there is no text %q", text)
	return chart.Point{}
}

func TestMediansAreAtTheirTicks(t *testing.T) {
	d := draw(t, two("1", "2", "4"), nil)
	// The marks of the three cases, and that of the label.
	ours, theirs := centers(d, 0x0072b2), centers(d, 0xd55e00)
	if len(ours) != 4 || len(theirs) != 4 {
		t.Fatalf("%d and %d marks, want 4 each", len(ours), len(theirs))
	}
	y := func(tick string) float64 { return textAt(t, d, tick).Y }
	zero, unit := y("0"), (y("0")-y("100"))/100
	rise := zero - ours[0].Y // of marks above the baselines of texts
	for i, want := range []float64{0, 200, 400} {
		if got := (zero - rise - ours[i].Y) / unit; math.Abs(got-want) > 0.5 {
			t.Errorf("case %d: the mark is at %v, want %v", i, got, want)
		}
		if got := (zero - rise - theirs[i].Y) / unit; math.Abs(got-300) > 0.5 {
			t.Errorf("case %d: the mark of theirs is at %v, want 300", i, got)
		}
	}
	if d1, d2 := ours[1].X-ours[0].X, ours[2].X-ours[1].X; math.Abs(d1-d2) > 0.5 {
		t.Errorf("cases that double are %v and %v apart", d1, d2)
	}
	if at := textAt(t, d, "2").X; math.Abs((ours[1].X+theirs[1].X)/2-at) > 0.5 {
		t.Errorf("the marks of case 2 are around %v, it is named at %v", (ours[1].X+theirs[1].X)/2, at)
	}
	if label := textAt(t, d, "theirs"); math.Abs(label.Y-theirs[3].Y) > 5 || label.X < theirs[3].X {
		t.Errorf("the label is at %v, its mark at %v", label, theirs[3])
	}
}

func TestWhiskersReachTheSpread(t *testing.T) {
	d := draw(t, two("1", "2", "4"), nil)
	unit := (textAt(t, d, "0").Y - textAt(t, d, "100").Y) / 100
	var heights []float64
	for _, s := range d.Shapes {
		if l, ok := s.(chart.Line); ok && l.Color == 0x0072b2 && len(l.Points) == 2 && l.Points[0].X == l.Points[1].X {
			heights = append(heights, math.Round((l.Points[0].Y-l.Points[1].Y)/unit))
		}
	}
	if want := []float64{500, 400, 300}; !slices.Equal(heights, want) {
		t.Errorf("whiskers are %v high, want %v", heights, want)
	}
}

func TestBars(t *testing.T) {
	d := draw(t, two("small"), nil)
	bars := centers(d, 0xd55e00)
	if len(bars) != 1 {
		t.Fatalf("%d bars of theirs, want 1", len(bars))
	}
	zero, tick := textAt(t, d, "0").X, textAt(t, d, "100").X
	if got := 2 * (bars[0].X - zero) / (tick - zero) * 100; math.Abs(got-300) > 0.5 {
		t.Errorf("the bar is %v long, want 300", got)
	}
	textAt(t, d, "300") // its value
}

func TestPNG(t *testing.T) {
	d := draw(t, two("1", "2", "4"), nil)
	var out bytes.Buffer
	if err := d.PNG(&out); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := img.Bounds().Size(), image.Pt(int(d.Width*chart.Scale), int(d.Height*chart.Scale)); got != want {
		t.Errorf("size %v, want %v", got, want)
	}
	is := func(x, y float64, c color.Color) bool {
		r, g, b, _ := img.At(int(x*chart.Scale), int(y*chart.Scale)).RGBA()
		wr, wg, wb, _ := c.RGBA()
		return r>>8 == wr>>8 && g>>8 == wg>>8 && b>>8 == wb>>8
	}
	for _, c := range []chart.Color{0x0072b2, 0xd55e00} {
		for _, at := range centers(d, c) {
			if !is(at.X, at.Y, c) {
				t.Errorf("the mark at %v has another color than %06x", at, uint32(c))
			}
		}
	}
	if !is(1, 1, color.White) || !is(d.Width-1, d.Height-1, color.White) {
		t.Error("the corners are not white")
	}
	for _, text := range texts(d) {
		box, dark := d.BoxOf(text), false
		for y := box.Top; y < box.Bottom; y += 0.5 {
			for x := box.Left; x < box.Right; x += 0.5 {
				dark = dark || is(x, y, text.Color)
			}
		}
		if !dark {
			t.Errorf("%q is not to be seen at %v", text.Text, text.At)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		least, most float64
		log         bool
		want        string
	}{
		{0, 0, false, "0 0.2 0.4 0.6 0.8 1"},
		{0, 0.6, false, "0 0.1 0.2 0.3 0.4 0.5 0.6"},
		{0, 1, false, "0 0.2 0.4 0.6 0.8 1"},
		{0, 1.1, false, "0 0.2 0.4 0.6 0.8 1 1.2"},
		{0, 1.5, false, "0 0.25 0.5 0.75 1 1.25 1.5"},
		{0, 99, false, "0 20 40 60 80 100"},
		{0, 4600, false, "0 1000 2000 3000 4000 5000"},
		{0, 1e9, false, "0 200000000 400000000 600000000 800000000 1000000000"},
		{0, 100, true, "0 20 40 60 80 100"}, // no logarithm of 0
		{5, 90, true, "5 10 20 50 100"},
		{100, 100, true, "100 200"},
		{0.03, 0.06, true, "0.02 0.05 0.1"},
		{1, 1000, true, "1 10 100 1000"},
		{3, 50000, true, "1 10 100 1000 10000 100000"},
	} {
		values, texts := chart.Ticks(test.least, test.most, test.log)
		if got := strings.Join(texts, " "); got != test.want {
			t.Errorf("%v to %v, logarithmic %t: ticks %s, want %s", test.least, test.most, test.log, got, test.want)
		}
		if last := values[len(values)-1]; last < test.most || test.log && test.least > 0 && values[0] > test.least {
			t.Errorf("%v to %v do not fit on %v", test.least, test.most, values)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, test := range []struct{ places, want []float64 }{
		{[]float64{20, 50}, []float64{20, 50}},
		{[]float64{20, 21, 22}, []float64{20, 30, 40}},
		{[]float64{-5, 96, 98}, []float64{0, 90, 100}},
		{[]float64{85, 96, 98}, []float64{80, 90, 100}},
	} {
		if got := chart.Spread(test.places, 10, 0, 100); !slices.Equal(got, test.want) {
			t.Errorf("%v: got %v, want %v", test.places, got, test.want)
		}
	}
}

func TestInvalidReport(t *testing.T) {
	if _, err := chart.Draw(&report.Report{}, nil); err == nil {
		t.Error("a report without series was drawn")
	}
}
