package chart

import (
	"math"
	"slices"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

const (
	plotHeight  = 200.0
	labelHeight = 15.0
	labelIndent = 24.0 // from the plot to a name: the line to it and its marker
	unitHeight  = textSize + 13
	inset       = 12.0 // of the first and the last case
	mostTimes   = 8    // that are named on an axis of time
)

func (p *panel) linesHeight() float64 {
	plot := max(plotHeight, labelHeight*float64(len(p.contenders)))
	return groupSize + 8 + unitHeight + plot + 2*(textSize+6)
}

// A plot is where the lines of a panel are.
type plot struct {
	*panel
	Box
}

// drawLines draws the medians over the cases, each contender named beside the end of its line.
func (p *panel) drawLines(d *Drawing, room Box) {
	ticks := 0.0
	for _, v := range p.scale.ticks {
		ticks = max(ticks, d.fonts.width(p.scale.text(v), textSize, false))
	}
	unit := p.unit
	if p.scale.log {
		unit += ", logarithmic"
	}
	d.text(Text{At: Point{room.Left, room.Top + textSize}, Text: unit, Size: textSize, Color: faint}, room.Right-room.Left)
	at := plot{p, Box{room.Left + ticks + 6, room.Top + unitHeight, room.Right - p.labels - labelIndent, room.Bottom - 2*(textSize+6)}}
	for i, v := range p.scale.ticks {
		y := at.y(v)
		c := grid
		if i == 0 {
			c = axis
		}
		d.line(1, c, Point{at.Left, y}, Point{at.Right, y})
		d.text(Text{At: Point{at.Left - 6, y + 0.35*textSize}, Text: p.scale.text(v), Size: textSize, Anchor: End, Color: faint}, ticks+1)
	}
	at.drawCases(d)
	for i := range slices.Backward(p.contenders) { // the first one on top
		at.drawLine(d, i)
	}
	at.drawLabels(d)
}

// x places a case: by its logarithm, because cases tend to double, but for time.
func (p *plot) x(number float64) float64 {
	place := math.Log
	if p.overTime() {
		place = func(seconds float64) float64 { return seconds }
	}
	first, last := place(p.numbers[0]), place(p.numbers[len(p.numbers)-1])
	return p.Left + inset + (p.Right-p.Left-2*inset)*(place(number)-first)/(last-first)
}

// overTime tells whether the cases are times, of which there may be many.
func (p *panel) overTime() bool { return p.axis == report.Seconds }

func (p *plot) y(value float64) float64 {
	return p.Bottom - (p.Bottom-p.Top)*p.scale.at(value)
}

// drawCases draws the axis of the cases. Those that find no room are left unnamed.
func (p *plot) drawCases(d *Drawing) {
	y := p.Bottom + textSize + 6
	end := math.Inf(-1)
	for i, n := range p.numbers {
		if p.overTime() && i%ceilDiv(len(p.numbers), mostTimes) != 0 {
			continue
		}
		t := Text{At: Point{p.x(n), y}, Text: p.cases[i], Size: textSize, Anchor: Middle, Color: faint}
		d.line(1, axis, Point{t.At.X, p.Bottom}, Point{t.At.X, p.Bottom + 4})
		if box := d.BoxOf(t); box.Left > end+4 {
			d.add(t)
			end = box.Right
		}
	}
	d.text(Text{At: Point{(p.Left + p.Right) / 2, y + textSize + 5}, Text: p.axis, Size: textSize, Anchor: Middle, Color: faint}, p.Right-p.Left)
}

// shift is how far the points of a contender are from those of their case, so that whiskers do not
// hide each other.
func (p *plot) shift(contender int) float64 {
	if p.overTime() {
		return 0
	}
	others := float64(len(p.contenders) - 1)
	return (float64(contender) - others/2) * min(3, (2*inset-8)/max(1, others))
}

// drawLine draws the line of a contender.
func (p *plot) drawLine(d *Drawing, i int) {
	l := p.looks[p.contenders[i]]
	var medians []Point
	for j, c := range p.cases {
		s := p.report.Find(p.group, c, p.contenders[i])
		if s == nil {
			continue
		}
		x := p.x(p.numbers[j]) + p.shift(i)
		medians = append(medians, Point{x, p.y(s.Median())})
		if least, most := s.Spread(); len(s.Values) > 1 {
			d.whisker(Point{x, p.y(least)}, Point{x, p.y(most)}, l.color)
		}
	}
	offset := 0.0
	for j := range len(medians) - 1 {
		if !l.dashed {
			d.line(l.width, l.color, medians[j], medians[j+1])
			continue
		}
		var pieces [][2]Point
		pieces, offset = dashes(medians[j], medians[j+1], offset)
		for _, piece := range pieces {
			d.line(l.width, l.color, piece[0], piece[1])
		}
	}
	for j, at := range medians {
		if !p.overTime() || j == len(medians)-1 {
			d.add(l.mark(at))
		}
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// drawLabels names the contenders at the height of their last median, as near as there is room.
func (p *plot) drawLabels(d *Drawing) {
	type label struct {
		name string
		end  Point // of the line
	}
	var labels []label
	for i, name := range p.contenders {
		for j, c := range slices.Backward(p.cases) {
			if s := p.report.Find(p.group, c, name); s != nil {
				labels = append(labels, label{name, Point{p.x(p.numbers[j]) + p.shift(i), p.y(s.Median())}})
				break
			}
		}
	}
	slices.SortStableFunc(labels, func(a, b label) int {
		if a.end.Y < b.end.Y {
			return -1
		}
		return 1
	})
	wanted := make([]float64, len(labels))
	for i, l := range labels {
		wanted[i] = l.end.Y
	}
	for i, y := range spread(wanted, labelHeight, p.Top, p.Bottom) {
		l := labels[i]
		x := p.Right + labelIndent - 9
		d.line(0.75, axis, Point{l.end.X + markerRadius + 1, l.end.Y}, Point{p.Right + 2, y}, Point{x - 5, y})
		d.add(p.looks[l.name].mark(Point{x, y}))
		d.text(Text{At: Point{p.Right + labelIndent, y + 0.35*textSize}, Text: l.name, Size: textSize, Color: ink}, p.labels)
	}
}

// spread moves places, in ascending order, apart by at least distance and into low to high, each as
// little as it is simple to.
func spread(places []float64, distance, low, high float64) []float64 {
	moved := slices.Clone(places)
	for i := range moved { // down
		least := low
		if i > 0 {
			least = moved[i-1] + distance
		}
		moved[i] = max(moved[i], least)
	}
	for i := range slices.Backward(moved) { // and up again what has come out below
		most := high
		if i < len(moved)-1 {
			most = moved[i+1] - distance
		}
		moved[i] = min(moved[i], most)
	}
	return moved
}
