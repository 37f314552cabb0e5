package main

import (
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

// Lengths and sizes are in points.
const (
	columnWidth = vg.Length(480)
	lineHeight  = vg.Length(240) // of a panel of lines
	barHeight   = vg.Length(20)
	labelWidth  = vg.Length(110) // of the names of contenders beside lines
	margin      = vg.Length(20)

	titleSize, groupSize, textSize = 18, 13, 11
)

// style is how a text is written.
func style(size float64, bold bool) text.Style {
	f := font.From(plot.DefaultFont, vg.Points(size))
	f.Variant = "Sans"
	if bold {
		f.Weight = 3
	}
	return text.Style{Color: color.Gray{0x33}, Font: f, Handler: plot.DefaultTextHandler, YAlign: text.YTop}
}

// drawing draws all groups of a report, two beside each other, as "svg" or "png".
func drawing(r *report.Report, log bool, format string) (vg.CanvasWriterTo, error) {
	var panels []*panel
	for _, group := range r.Groups() {
		panels = append(panels, newPanel(r, group, log))
	}
	shareScales(panels)
	rows := slices.Collect(slices.Chunk(panels, 2))
	height := margin + 80
	for _, row := range rows {
		height += rowHeight(row)
	}
	c, err := draw.NewFormattedCanvas(2*columnWidth+2*margin, height, format)
	if err != nil {
		return nil, err
	}
	dc := draw.New(c)
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	y := dc.Max.Y - margin
	method, _, _ := strings.Cut(r.Method(), ";")
	method = strings.Replace(method, " (least-most)", "; whiskers: least and greatest", 1)
	for i, line := range []string{r.Title, r.Machine.String() + "; " + r.Date.Format("2006-01-02"), method} {
		s := style(textSize, false)
		if i == 0 {
			s = style(titleSize, true)
		}
		dc.FillText(s, vg.Point{X: dc.Min.X + margin, Y: y}, line)
		y -= 1.5 * s.Font.Size
	}
	y = dc.Max.Y - margin - 80
	for _, row := range rows {
		for i, p := range row {
			left := dc.Min.X + margin + vg.Length(i)*columnWidth
			room := draw.Canvas{Canvas: dc.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: left, Y: y - p.height() + 20}, Max: vg.Point{X: left + columnWidth - 20, Y: y},
			}}
			if err := p.draw(room); err != nil {
				return nil, err
			}
		}
		y -= rowHeight(row)
	}
	return c, nil
}

func rowHeight(row []*panel) (height vg.Length) {
	for _, p := range row {
		height = max(height, p.height())
	}
	return height
}

// A panel is the chart of one group: lines over cases that are numbers, else bars.
type panel struct {
	report            *report.Report
	group, axis, unit string
	cases, names      []string  // names of contenders
	numbers           []float64 // the cases; nil if they are none or not ascending
	all               []string  // contenders of the report, which look the same everywhere
	log               bool
	least, most       float64
}

func newPanel(r *report.Report, group string, log bool) *panel {
	p := &panel{report: r, group: group, cases: r.Cases(group), names: r.Contenders(group), least: math.Inf(1)}
	p.axis, p.unit = r.About(group)
	for _, c := range p.cases {
		if n, err := strconv.ParseFloat(c, 64); err == nil && n > 0 {
			p.numbers = append(p.numbers, n)
		}
	}
	if len(p.cases) < 2 || len(p.numbers) < len(p.cases) || !slices.IsSorted(p.numbers) {
		p.numbers = nil
	}
	for i := range r.Series {
		s := &r.Series[i]
		if !slices.Contains(p.all, s.Contender) {
			p.all = append(p.all, s.Contender)
		}
		if s.Group == group {
			least, most := s.Spread()
			p.least, p.most = min(p.least, least), max(p.most, most)
		}
	}
	if len(p.all) > len(palette) { // too many to tell apart
		p.all = p.names
	}
	p.log = log && p.numbers != nil && p.least > 0
	return p
}

// shareScales gives panels of one axis and unit the same scale, so that they can be compared at a
// glance, unless that would make one of them flat.
func shareScales(panels []*panel) {
	shared := make([]*panel, len(panels))
	for i, p := range panels {
		of := *p
		flattest := p.most
		for _, q := range panels {
			if q.axis == p.axis && q.unit == p.unit && q.log == p.log {
				of.least, of.most, flattest = min(of.least, q.least), max(of.most, q.most), min(flattest, q.most)
			}
		}
		if shared[i] = &of; !p.log && flattest < of.most/3 {
			of.most = p.most
		}
	}
	copy(panels, shared)
}

func (p *panel) height() vg.Length {
	if p.numbers != nil {
		return lineHeight
	}
	return 80 + barHeight*vg.Length(len(p.cases)*len(p.names))
}

func (p *panel) draw(room draw.Canvas) error {
	pl := plot.New()
	pl.BackgroundColor = nil
	pl.Title.Text = p.group
	pl.Title.TextStyle = style(groupSize, true)
	pl.Title.TextStyle.XAlign, pl.Title.Padding = text.XCenter, 8
	for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = style(textSize, false).Font, style(textSize, false).Font
		a.LineStyle.Color, a.Tick.LineStyle.Color = color.Gray{0x8a}, color.Gray{0x8a}
		a.Tick.Marker = plot.TickerFunc(evenTicks)
	}
	lines := plotter.NewGrid()
	lines.Horizontal.Color, lines.Vertical.Color = color.Gray{0xe3}, color.Gray{0xe3}
	if p.numbers == nil {
		lines.Horizontal.Width = 0
		pl.Add(lines)
		if err := p.bars(pl); err != nil {
			return err
		}
		pl.Draw(room)
		return nil
	}
	lines.Vertical.Width = 0
	pl.Add(lines)
	legend, err := p.lines(pl)
	if err != nil {
		return err
	}
	pl.Draw(draw.Crop(room, 0, -labelWidth, 0, 0))
	legend.Draw(draw.Crop(room, columnWidth-labelWidth-15, 0, 0, -50))
	return nil
}
