/*
Package chart draws the groups of a report as small charts in one picture: lines over cases that are
numbers, bars otherwise. A picture is a Drawing, a list of shapes, which is written as SVG or PNG; so
both show the same, and tests can ask what is where.
*/
package chart

// A Drawing is a picture on white. Units are pixels of the SVG; y grows downwards.
type Drawing struct {
	Width, Height float64
	Shapes        []Shape // later ones lie on earlier ones

	fonts *fonts
}

// A Shape is a Polygon, a Line or a Text.
type Shape interface{ isShape() }

// A Point is a place in a drawing.
type Point struct{ X, Y float64 }

// A Polygon is a filled area.
type Polygon struct {
	Points []Point
	Fill   Color
}

// A Line joins points.
type Line struct {
	Points []Point
	Width  float64
	Color  Color
}

// An Anchor says which end of a text is at its place.
type Anchor int

const (
	Start Anchor = iota
	Middle
	End
)

// A Text is one line of text. Its baseline is at At.
type Text struct {
	At     Point
	Text   string
	Size   float64
	Bold   bool
	Anchor Anchor
	Color  Color
}

func (Polygon) isShape() {}
func (Line) isShape()    {}
func (Text) isShape()    {}

// A Box is the room that something takes.
type Box struct{ Left, Top, Right, Bottom float64 }

// Overlaps tells whether two boxes share some room.
func (b Box) Overlaps(o Box) bool {
	return b.Left < o.Right && o.Left < b.Right && b.Top < o.Bottom && o.Top < b.Bottom
}

// Of a font's size, how far letters reach above and below the baseline.
const (
	ascent  = 0.76
	descent = 0.21
)

// BoxOf returns the room that a text takes.
func (d *Drawing) BoxOf(t Text) Box {
	width := d.fonts.width(t.Text, t.Size, t.Bold)
	left := t.At.X - width*map[Anchor]float64{Start: 0, Middle: 0.5, End: 1}[t.Anchor]
	return Box{left, t.At.Y - ascent*t.Size, left + width, t.At.Y + descent*t.Size}
}

func (d *Drawing) add(s Shape) { d.Shapes = append(d.Shapes, s) }

func (d *Drawing) line(width float64, c Color, points ...Point) {
	d.add(Line{points, width, c})
}

func (d *Drawing) rect(b Box, c Color) {
	d.add(Polygon{[]Point{{b.Left, b.Top}, {b.Right, b.Top}, {b.Right, b.Bottom}, {b.Left, b.Bottom}}, c})
}

// text adds a text of at most width, cut off with an ellipsis if it is longer.
func (d *Drawing) text(t Text, width float64) {
	t.Text = d.fonts.clip(t.Text, t.Size, t.Bold, width)
	d.add(t)
}
