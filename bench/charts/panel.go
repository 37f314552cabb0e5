package main

import (
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

const (
	lineHeight = vg.Length(240) // of a panel of lines
	barHeight  = vg.Length(20)
	labelWidth = vg.Length(110) // of the names of contenders beside lines

	maxNames = 12 // cases that are named; more are points in time, or the like
)

// The first colors are those of Okabe and Ito, which people with any color vision can tell apart.
var palette = []color.RGBA{
	{0x00, 0x72, 0xb2, 255}, {0xd5, 0x5e, 0x00, 255}, {0x00, 0x9e, 0x73, 255},
	{0xcc, 0x79, 0xa7, 255}, {0xe6, 0x9f, 0x00, 255}, {0x56, 0xb4, 0xe9, 255},
	{0, 0, 0, 255}, {0x99, 0x99, 0x99, 255}, {0x7b, 0x4a, 0x12, 255},
	{0x6a, 0x51, 0xa3, 255}, {0xb0, 0xb8, 0x20, 255},
}

// A panel is the chart of one group in one unit: lines over its cases, or a bar a contender when
// there is one case.
type panel struct {
	report       *report.Report
	group, unit  string
	cases, names []string  // names of contenders
	numbers      []float64 // the cases, when they are too many to name; else nil
	all          []string  // contenders of the report, which look the same everywhere
	log          bool
}

func newPanel(r *report.Report, group, unit string, log bool) *panel {
	p := &panel{report: r, group: group, unit: unit, cases: r.Cases(group), log: log}
	p.names = slices.DeleteFunc(r.Contenders(group), func(name string) bool {
		return !slices.ContainsFunc(p.cases, func(c string) bool {
			return r.Find(group, c, name, unit) != nil
		})
	})
	if p.all = r.Contenders(""); len(p.all) > len(palette) { // too many to tell apart
		p.all = p.names
	}
	if len(p.cases) <= maxNames {
		return p
	}
	for i, c := range p.cases {
		n, err := strconv.ParseFloat(c, 64)
		if err != nil {
			n = float64(i)
		}
		p.numbers = append(p.numbers, n)
	}
	return p
}

func (p *panel) height() vg.Length {
	if len(p.cases) > 1 {
		return lineHeight
	}
	return 80 + barHeight*vg.Length(len(p.names))
}

func (p *panel) draw(room draw.Canvas) error {
	pl := plot.New()
	pl.BackgroundColor = nil
	pl.Title.Text, pl.Title.TextStyle, pl.Title.Padding = p.group, style(groupSize, true), 8
	pl.Title.TextStyle.XAlign = text.XCenter
	font, gray := style(textSize, false).Font, color.Gray{0x8a}
	for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = font, font
		a.LineStyle.Color, a.Tick.LineStyle.Color = gray, gray
		a.Tick.Marker = plot.TickerFunc(evenTicks)
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{0xe3}, color.Gray{0xe3}
	pl.Add(grid)
	if len(p.cases) == 1 {
		grid.Horizontal.Width = 0
		if err := p.bars(pl); err != nil {
			return err
		}
		pl.Draw(room)
		return nil
	}
	grid.Vertical.Width = 0
	legend, err := p.lines(pl)
	if err != nil {
		return err
	}
	pl.Draw(draw.Crop(room, 0, -labelWidth, 0, 0))
	legend.Draw(draw.Crop(room, columnWidth-labelWidth-15, 0, 0, -50))
	return nil
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

// lines draws the medians over the cases, and returns the names.
func (p *panel) lines(pl *plot.Plot) (plot.Legend, error) {
	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.Padding = true, true, 3
	legend.TextStyle.Font = style(textSize, false).Font
	pl.X.Label.Text, pl.Y.Label.Text = p.report.Axis(p.group), p.unit
	if p.numbers == nil {
		pl.NominalX(p.cases...)
		pl.X.Width, pl.X.Tick.Width, pl.X.Tick.Length = 0.5, 0.5, 8
	}
	var marks []plot.Plotter
	for _, name := range p.names {
		var s spread
		for i, c := range p.cases {
			if of := p.report.Find(p.group, c, name, p.unit); of != nil {
				x := float64(i)
				if p.numbers != nil {
					x = p.numbers[i]
				}
				s.add(x, of.Median(), of)
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
		color := palette[i%len(palette)]
		line.Color, points.Color, whiskers.Color = color, color, color
		line.Width, points.Radius, whiskers.CapWidth = 1.6, 3.4, 5
		points.Shape = plotutil.Shape(i)
		if name == p.report.Baseline {
			line.Dashes = []vg.Length{5, 3}
		}
		if marks = append(marks, line); p.numbers != nil {
			legend.Add(name, line)
			continue
		}
		marks = append(marks, whiskers, points)
		legend.Add(name, line, points)
	}
	slices.Reverse(marks) // the first one on top
	pl.Add(marks...)
	if p.log = p.log && pl.Y.Min > 0; p.log {
		pl.Y.Label.Text += ", logarithmic"
		pl.Y.Scale, pl.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else {
		pl.Y.Min, pl.Y.Max = 0, max(pl.Y.Max, 1e-3)
	}
	return legend, nil
}

// evenTicks are at most 6 steps of 1, 2 or 5 of a decade. Those of the library are fewer, and some
// have digits that say nothing.
func evenTicks(least, most float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10(most-least))-1)
	for _, factor := range []float64{2, 2.5, 2, 2} {
		if (most-least)/step > 6 {
			step *= factor
		}
	}
	for n := math.Ceil(least / step); n*step <= most*(1+1e-9); n++ {
		v := n * step
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
	}
	return ticks
}

// bars draws a bar for each contender, from the bottom, with its median behind it.
func (p *panel) bars(pl *plot.Plot) error {
	pl.X.Label.Text = p.unit
	if axis := p.report.Axis(p.group); axis != "" {
		pl.Title.Text += ", " + p.cases[0] + " " + axis
	}
	names := slices.Clone(p.names)
	slices.Reverse(names)
	var s spread
	var labels plotter.XYLabels
	for i, name := range names {
		of := p.report.Find(p.group, p.cases[0], name, p.unit)
		bar, err := plotter.NewBarChart(plotter.Values{of.Median()}, barHeight*0.65)
		if err != nil {
			return err
		}
		bar.Horizontal, bar.XMin, bar.LineStyle.Width = true, float64(i), 0
		bar.Color = palette[slices.Index(p.all, name)%len(palette)]
		pl.Add(bar)
		s.add(of.Median(), float64(i), of)
		_, most := of.Spread()
		labels.XYs = append(labels.XYs, plotter.XY{X: most, Y: float64(i)})
		labels.Labels = append(labels.Labels, report.Number(of.Median()))
	}
	whiskers, err := plotter.NewXErrorBars(&s)
	if err != nil {
		return err
	}
	values, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range values.TextStyle {
		values.TextStyle[i].Font, values.TextStyle[i].YAlign = style(textSize, false).Font, text.YCenter
	}
	values.Offset.X = 6
	pl.Add(whiskers, values)
	pl.NominalY(names...)
	pl.X.Min, pl.X.Max = 0, pl.X.Max*1.12 // room for the values
	return nil
}
