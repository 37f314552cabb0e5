package main

import (
	"image/color"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

// Lengths and sizes are in points.
const (
	columnWidth = vg.Length(480)
	margin      = vg.Length(20)
	headHeight  = vg.Length(80)

	titleSize, groupSize, textSize = 18, 13, 11
)

// style is how a text is written.
func style(size float64, bold bool) text.Style {
	f := font.From(plot.DefaultFont, vg.Points(size))
	f.Variant = "Sans"
	if bold {
		f.Weight = 3
	}
	return text.Style{
		Color: color.Gray{0x33}, Font: f, Handler: plot.DefaultTextHandler, YAlign: text.YTop,
	}
}

// drawing draws all groups of a report, a panel a unit, two beside each other, as SVG.
func drawing(r *report.Report, log bool) (vg.CanvasWriterTo, error) {
	var panels []*panel
	for _, group := range r.Groups() {
		for _, unit := range r.Units(group) {
			panels = append(panels, newPanel(r, group, unit, log))
		}
	}
	rows := slices.Collect(slices.Chunk(panels, 2))
	height := margin + headHeight
	for _, row := range rows {
		height += rowHeight(row)
	}
	c, err := draw.NewFormattedCanvas(2*columnWidth+2*margin, height, "svg")
	if err != nil {
		return nil, err
	}
	dc := draw.New(c)
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	drawHead(dc, r)
	top := dc.Max.Y - margin - headHeight
	for _, row := range rows {
		for i, p := range row {
			left := dc.Min.X + margin + vg.Length(i)*columnWidth
			room := vg.Rectangle{
				Min: vg.Point{X: left, Y: top - p.height() + 20},
				Max: vg.Point{X: left + columnWidth - 20, Y: top},
			}
			if err := p.draw(draw.Canvas{Canvas: dc.Canvas, Rectangle: room}); err != nil {
				return nil, err
			}
		}
		top -= rowHeight(row)
	}
	return c, nil
}

func rowHeight(row []*panel) (height vg.Length) {
	for _, p := range row {
		height = max(height, p.height())
	}
	return height
}

// drawHead writes what was measured where, when and how.
func drawHead(dc draw.Canvas, r *report.Report) {
	method, _, _ := strings.Cut(r.Method(), ";")
	method = strings.Replace(method, " (least-most)", "; whiskers: least and greatest", 1)
	at := vg.Point{X: dc.Min.X + margin, Y: dc.Max.Y - margin}
	where := r.Machine.String() + "; " + r.Date.Format(time.DateOnly)
	for i, line := range []string{r.Title, where, method} {
		s := style(textSize, false)
		if i == 0 {
			s = style(titleSize, true)
		}
		dc.FillText(s, at, line)
		at.Y -= 1.5 * s.Font.Size
	}
}
