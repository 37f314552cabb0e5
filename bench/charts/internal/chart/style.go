package chart

import "math"

// A Color is 0xRRGGBB.
type Color uint32

// RGBA implements color.Color.
func (c Color) RGBA() (r, g, b, a uint32) {
	return uint32(c>>16&0xff) * 0x101, uint32(c>>8&0xff) * 0x101, uint32(c&0xff) * 0x101, 0xffff
}

const (
	white Color = 0xffffff
	ink   Color = 0x222222
	faint Color = 0x5f5f5f
	axis  Color = 0x8a8a8a
	grid  Color = 0xe3e3e3
)

// A look tells contenders apart: by color and, for who does not see that, by marker.
type look struct {
	color  Color
	marker int // see mark
	dashed bool
	width  float64
}

// looks gives each contender its look, the same in all charts of a drawing. The first colors are those
// of Okabe and Ito, which people with any color vision can tell apart; the baseline is dashed.
func looks(contenders []string, baseline string) map[string]look {
	palette := []Color{0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0x000000, 0x999999, 0x7b4a12, 0x6a51a3}
	of := make(map[string]look, len(contenders))
	for i, name := range contenders {
		l := look{color: palette[i%len(palette)], marker: i, width: 1.6, dashed: name == baseline}
		if i == 0 {
			l.width = 2.6
		}
		of[name] = l
	}
	return of
}

const markerRadius = 3.6

// mark returns the shape that marks a point.
func (l look) mark(at Point) Polygon {
	shapes := []struct {
		corners int
		turn    float64 // of a full one
		radius  float64
	}{
		{24, 0, 1}, {4, 0.125, 1.15}, {3, 0.75, 1.3}, {4, 0, 1.3}, {3, 0.25, 1.3}, {5, 0.75, 1.2}, {6, 0, 1.1},
	}
	s := shapes[l.marker%len(shapes)]
	p := Polygon{Fill: l.color}
	for i := range s.corners {
		angle := 2 * math.Pi * (float64(i)/float64(s.corners) + s.turn)
		r := markerRadius * s.radius
		p.Points = append(p.Points, Point{at.X + r*math.Cos(angle), at.Y + r*math.Sin(angle)})
	}
	return p
}

// dashes cuts a line from a to b into dashes. offset is the length of line before a; it returns
// that before b.
func dashes(a, b Point, offset float64) (lines [][2]Point, after float64) {
	const on, period = 5.0, 8.0
	length := math.Hypot(b.X-a.X, b.Y-a.Y)
	at := func(s float64) Point { return Point{a.X + (b.X-a.X)*s/length, a.Y + (b.Y-a.Y)*s/length} }
	for s := -math.Mod(offset, period); s < length; s += period {
		if from, to := max(0, s), min(length, s+on); to > from {
			lines = append(lines, [2]Point{at(from), at(to)})
		}
	}
	return lines, offset + length
}
