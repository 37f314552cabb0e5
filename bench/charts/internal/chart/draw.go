package chart

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

const (
	columnWidth = 456.0
	margin      = 20.0
	gap         = 28.0 // between panels

	titleSize = 18.0
	groupSize = 13.0
	textSize  = 11.0

	maxLabels = 140.0 // of the names of contenders
)

// Options say how to draw. nil options work.
type Options struct {
	// Log makes the scale of lines logarithmic, for contenders that are far apart.
	Log bool
}

// Draw draws all groups of a report, two beside each other. Groups by another axis begin a new row.
func Draw(r *report.Report, o *Options) (*Drawing, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	f, err := loadFonts()
	if err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	if o == nil {
		o = &Options{}
	}
	d := &Drawing{fonts: f}
	panels := newPanels(r, o)
	labels := d.labelWidth(panels)
	columns := min(2, len(panels))
	d.Width = 2*margin + float64(columns)*columnWidth + float64(columns-1)*gap
	y := d.header(r)
	for len(panels) > 0 {
		n := 1
		for n < columns && n < len(panels) && panels[n].axis == panels[0].axis {
			n++
		}
		height := 0.0
		for _, p := range panels[:n] {
			height = max(height, p.height())
		}
		for i, p := range panels[:n] {
			p.labels = labels
			left := margin + float64(i)*(columnWidth+gap)
			p.draw(d, Box{left, y, left + columnWidth, y + height})
		}
		y += height + gap
		panels = panels[n:]
	}
	d.Height = math.Ceil(y - gap + margin)
	return d, nil
}

// header draws what holds for all panels, and returns where they begin.
func (d *Drawing) header(r *report.Report) (y float64) {
	width := d.Width - 2*margin
	y = margin + titleSize
	d.text(Text{At: Point{margin, y}, Text: r.Title, Size: titleSize, Bold: true, Color: ink}, width)
	y += 4
	legend := "One round."
	if least, most := r.Rounds(); most > 1 {
		legend = "Median of " + rounds(least, most) + ", in turns; whiskers: least and greatest."
	}
	for _, text := range []string{r.Machine.String() + "; " + r.Date.Format("2006-01-02"), legend} {
		for _, line := range d.fonts.wrap(text, textSize, width) {
			y += textSize + 5
			d.text(Text{At: Point{margin, y}, Text: line, Size: textSize, Color: faint}, width)
		}
	}
	return y + 20
}

func rounds(least, most int) string {
	if least == most {
		return strconv.Itoa(most) + " rounds"
	}
	return fmt.Sprintf("%d to %d rounds", least, most)
}

// A panel is the chart of one group.
type panel struct {
	report     *report.Report
	group      string
	axis, unit string
	cases      []string
	numbers    []float64 // the cases, when all are numbers; else nil
	contenders []string
	looks      map[string]look

	least, most float64 // of its values
	scale       scale
	labels      float64 // width of the names of contenders
}

func newPanels(r *report.Report, o *Options) (panels []*panel) {
	var all []string
	for _, s := range r.Series {
		if !slices.Contains(all, s.Contender) {
			all = append(all, s.Contender)
		}
	}
	of := looks(all, r.Baseline)
	for _, group := range r.Groups() {
		p := &panel{report: r, group: group, cases: r.Cases(group), contenders: r.Contenders(group), looks: of, least: math.Inf(1)}
		for _, s := range r.Series {
			if s.Group == group {
				least, most := s.Spread()
				p.axis, p.unit, p.least, p.most = s.Axis, s.Unit, min(p.least, least), max(p.most, most)
			}
		}
		p.numbers = increasing(p.cases)
		panels = append(panels, p)
	}
	shareScales(panels, o)
	return panels
}

// labelWidth is the room that the names of contenders need, the same for all panels, so that those
// below each other are in line.
func (d *Drawing) labelWidth(panels []*panel) (width float64) {
	for _, p := range panels {
		for _, name := range p.contenders {
			width = max(width, d.fonts.width(name, textSize, false))
		}
	}
	return min(width+1, maxLabels)
}

// increasing returns cases as numbers, nil unless there are at least two that increase from above 0.
func increasing(cases []string) (numbers []float64) {
	for _, c := range cases {
		n, err := strconv.ParseFloat(c, 64)
		if err != nil || n <= 0 || len(numbers) > 0 && n <= numbers[len(numbers)-1] {
			return nil
		}
		numbers = append(numbers, n)
	}
	if len(numbers) < 2 {
		return nil
	}
	return numbers
}

// shareScales gives panels of one axis and unit the same scale, so that they can be compared at a
// glance, unless that would make one of them flat.
func shareScales(panels []*panel, o *Options) {
	for _, p := range panels {
		log := o.Log && p.numbers != nil // bars begin at 0
		least, most, flattest := p.least, p.most, p.most
		for _, q := range panels {
			if q.axis == p.axis && q.unit == p.unit && (q.numbers == nil) == (p.numbers == nil) {
				least, most, flattest = min(least, q.least), max(most, q.most), min(flattest, q.most)
			}
		}
		if !log && flattest < most/3 {
			most = p.most
		}
		p.scale = newScale(least, most, log)
	}
}

// height is how much room the panel needs.
func (p *panel) height() float64 {
	if p.numbers == nil {
		return p.barsHeight()
	}
	return p.linesHeight()
}

func (p *panel) draw(d *Drawing, room Box) {
	d.text(Text{At: Point{room.Left, room.Top + groupSize}, Text: p.group, Size: groupSize, Bold: true, Color: ink}, room.Right-room.Left)
	room.Top += groupSize + 8
	if p.numbers == nil {
		p.drawBars(d, room)
	} else {
		p.drawLines(d, room)
	}
}

// whisker draws the spread of a series between two points, with caps.
func (d *Drawing) whisker(a, b Point, c Color) {
	const half = 2.5
	d.line(1, c, a, b)
	for _, p := range []Point{a, b} {
		if a.X == b.X {
			d.line(1, c, Point{p.X - half, p.Y}, Point{p.X + half, p.Y})
		} else {
			d.line(1, c, Point{p.X, p.Y - half}, Point{p.X, p.Y + half})
		}
	}
}
