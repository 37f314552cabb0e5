package chart

import "github.com/gabion-storage/gabion/bench/internal/report"

const (
	barHeight  = 13.0
	barStep    = 21.0 // from bar to bar
	caseHeight = 25.0 // of the line that names a case, when there are several
	barValues  = 44.0 // room for the value behind a bar
)

// named tells whether cases are named: a single one is, too, unless it says nothing.
func (p *panel) named() bool { return len(p.cases) > 1 || p.axis != "" }

func (p *panel) barsHeight() float64 {
	height := groupSize + 8 + 2*(textSize+6)
	for _, c := range p.cases {
		if p.named() {
			height += caseHeight
		}
		for _, contender := range p.contenders {
			if p.report.Find(p.group, c, contender) != nil {
				height += barStep
			}
		}
	}
	return height
}

// drawBars draws a bar for each contender, below each other, case by case.
func (p *panel) drawBars(d *Drawing, room Box) {
	at := Box{room.Left + p.labels + 8, room.Top, room.Right - barValues, room.Top + p.barsHeight() - (groupSize + 8) - 2*(textSize+6)}
	for i, v := range p.scale.ticks {
		x := at.Left + (at.Right-at.Left)*p.scale.at(v)
		c := grid
		if i == 0 {
			c = axis
		}
		d.line(1, c, Point{x, at.Top}, Point{x, at.Bottom})
		d.text(Text{At: Point{x, at.Bottom + textSize + 4}, Text: p.scale.text(v), Size: textSize, Anchor: Middle, Color: faint}, 2*barValues)
	}
	d.text(Text{At: Point{(at.Left + at.Right) / 2, at.Bottom + 2*textSize + 9}, Text: p.unit, Size: textSize, Anchor: Middle, Color: faint}, at.Right-at.Left)
	y := at.Top
	for _, c := range p.cases {
		if p.named() {
			name := Text{At: Point{room.Left, y + 0.75*caseHeight}, Text: c + " " + p.axis, Size: textSize, Bold: true, Color: faint}
			name.Text = d.fonts.clip(name.Text, name.Size, name.Bold, room.Right-room.Left)
			box := d.BoxOf(name)
			d.rect(Box{box.Left, box.Top - 1, box.Right + 3, box.Bottom}, white) // over the grid
			d.add(name)
			y += caseHeight
		}
		for _, contender := range p.contenders {
			if s := p.report.Find(p.group, c, contender); s != nil {
				p.drawBar(d, s, Box{at.Left, y, at.Right, y + barStep})
				y += barStep
			}
		}
	}
}

// drawBar draws the bar of a series, with its name before it and its median behind it.
func (p *panel) drawBar(d *Drawing, s *report.Series, row Box) {
	x := func(v float64) float64 { return row.Left + (row.Right-row.Left)*p.scale.at(v) }
	middle := (row.Top + row.Bottom) / 2
	baseline := middle + 0.35*textSize
	d.text(Text{At: Point{row.Left - 6, baseline}, Text: s.Contender, Size: textSize, Anchor: End, Color: ink}, p.labels)
	d.rect(Box{row.Left, middle - barHeight/2, x(s.Median()), middle + barHeight/2}, p.looks[s.Contender].color)
	least, most := s.Spread()
	if len(s.Values) > 1 {
		d.line(3, white, Point{x(least), middle}, Point{x(most), middle}) // so that it shows on the bar
		d.whisker(Point{x(least), middle}, Point{x(most), middle}, ink)
	}
	value := Text{At: Point{x(most) + 6, baseline}, Text: report.Number(s.Median()), Size: textSize, Color: ink}
	box := d.BoxOf(value)
	d.rect(Box{box.Left - 2, box.Top, box.Right + 2, box.Bottom}, white)
	d.add(value)
}
