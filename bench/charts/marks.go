package main

import (
	"cmp"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

// The first colors are those of Okabe and Ito, which people with any color vision can tell apart.
var palette = []color.RGBA{
	{0x00, 0x72, 0xb2, 255}, {0xd5, 0x5e, 0x00, 255}, {0x00, 0x9e, 0x73, 255}, {0xcc, 0x79, 0xa7, 255}, {0xe6, 0x9f, 0x00, 255},
	{0x56, 0xb4, 0xe9, 255}, {0, 0, 0, 255}, {0x99, 0x99, 0x99, 255}, {0x7b, 0x4a, 0x12, 255}, {0x6a, 0x51, 0xa3, 255}, {0xb0, 0xb8, 0x20, 255},
}

var shapes = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{},
}

// A spread is a series of points with whiskers from the least to the greatest value.
type spread struct {
	plotter.XYs
	low, high []float64 // distances
}

func (s *spread) YError(i int) (low, high float64) { return s.low[i], s.high[i] }
func (s *spread) XError(i int) (low, high float64) { return s.low[i], s.high[i] }

func (s *spread) add(x, y float64, of *report.Series) {
	least, most := of.Spread()
	s.XYs = append(s.XYs, plotter.XY{X: x, Y: y})
	s.low, s.high = append(s.low, of.Median()-least), append(s.high, most-of.Median())
}

// lines draws the medians over the cases, and returns the names, in the order of the ends of the
// lines.
func (p *panel) lines(pl *plot.Plot) (plot.Legend, error) {
	overTime := p.axis == report.Seconds
	pl.X.Label.Text, pl.Y.Label.Text = p.axis, p.unit
	pl.Y.Min, pl.Y.Max = 0, p.most
	if p.log {
		pl.Y.Label.Text += ", logarithmic"
		pl.Y.Scale, pl.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(roundTicks)
		pl.Y.Min, pl.Y.Max = p.least, p.most
	}
	pl.X.Min, pl.X.Max = p.numbers[0], p.numbers[len(p.numbers)-1]
	if !overTime { // cases tend to double
		var ticks plot.ConstantTicks
		last := 0.0
		for i, n := range p.numbers {
			tick := plot.Tick{Value: n}
			if n > last*math.Pow(pl.X.Max/pl.X.Min, 0.04*float64(len(p.cases[i]))/2) { // else there is no room
				tick.Label, last = p.cases[i], n
			}
			ticks = append(ticks, tick)
		}
		pl.X.Scale, pl.X.Tick.Marker = plot.LogScale{}, ticks
	}
	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.TextStyle.Font, legend.Padding = true, true, style(textSize, false).Font, 3
	names := slices.Clone(p.names)
	ends := map[string]float64{}
	var last []plot.Plotter // the first one on top
	marks := map[string][]plot.Thumbnailer{}
	for _, name := range slices.Backward(names) {
		var s spread
		for i, c := range p.cases {
			if of := p.report.Find(p.group, c, name); of != nil {
				s.add(p.numbers[i], of.Median(), of)
				ends[name] = of.Median()
			}
		}
		line, points, err := plotter.NewLinePoints(s.XYs)
		if err != nil {
			return legend, err
		}
		whiskers, err := plotter.NewYErrorBars(&s)
		if err != nil {
			return legend, err
		}
		i := slices.Index(p.all, name)
		line.Color, points.Color, whiskers.Color = palette[i%len(palette)], palette[i%len(palette)], palette[i%len(palette)]
		points.Shape, points.Radius, line.Width, whiskers.CapWidth = shapes[i%len(shapes)], 3.4, 1.6, 5
		if name == p.report.Baseline {
			line.Dashes = []vg.Length{5, 3}
		}
		last, marks[name] = append(last, line), []plot.Thumbnailer{line, points}
		if !overTime {
			last = append(last, whiskers, points)
		}
	}
	pl.Add(last...)
	slices.SortStableFunc(names, func(a, b string) int { return -cmp.Compare(ends[a], ends[b]) })
	for _, name := range names {
		legend.Add(name, marks[name]...)
	}
	return legend, nil
}

// roundTicks are at 1, 2 and 5 of each decade.
func roundTicks(least, most float64) (ticks []plot.Tick) {
	for decade := math.Floor(math.Log10(least)); decade <= math.Log10(most); decade++ {
		for _, step := range []float64{1, 2, 5} {
			v := step * math.Pow(10, decade)
			ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
		}
	}
	return ticks
}

// evenTicks are at most 6 steps of 1, 2 or 5 of a decade.
func evenTicks(least, most float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10(most-least))-1)
	for _, factor := range []float64{2, 2.5, 2, 2} {
		if (most-least)/step > 6 {
			step *= factor
		}
	}
	for n := math.Ceil(least / step); n*step <= most*(1+1e-9); n++ {
		ticks = append(ticks, plot.Tick{Value: n * step, Label: strconv.FormatFloat(n*step, 'g', 6, 64)})
	}
	return ticks
}

// bars draws a bar for each contender, case by case, with its median behind it.
func (p *panel) bars(pl *plot.Plot) error {
	pl.X.Label.Text, pl.X.Min, pl.X.Max = p.unit, 0, p.most*1.12 // room for the values
	if len(p.cases) == 1 && p.axis != "" {
		pl.Title.Text += ", " + p.cases[0] + " " + p.axis
	}
	var rows []string
	var s spread
	var values []string
	for _, c := range slices.Backward(p.cases) { // from the bottom
		for _, name := range slices.Backward(p.names) {
			of := p.report.Find(p.group, c, name)
			if of == nil {
				continue
			}
			y := float64(len(rows))
			bar, err := plotter.NewBarChart(plotter.Values{of.Median()}, barHeight*0.65)
			if err != nil {
				return err
			}
			bar.Horizontal, bar.XMin, bar.Color, bar.LineStyle.Width = true, y, palette[slices.Index(p.all, name)%len(palette)], 0
			pl.Add(bar)
			if len(p.cases) > 1 {
				name = c + " " + p.axis + ": " + name
			}
			_, most := of.Spread()
			s.add(of.Median(), y, of)
			rows, values = append(rows, name), append(values, report.Number(of.Median()))
			labels, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: most, Y: y}}, Labels: values[len(values)-1:]})
			if err != nil {
				return err
			}
			labels.TextStyle[0].Font, labels.TextStyle[0].YAlign, labels.Offset.X = style(textSize, false).Font, text.YCenter, 6
			pl.Add(labels)
		}
	}
	whiskers, err := plotter.NewXErrorBars(&s)
	if err != nil {
		return err
	}
	pl.Add(whiskers)
	pl.NominalY(rows...)
	pl.X.Min, pl.X.Max = 0, p.most*1.12
	return nil
}
