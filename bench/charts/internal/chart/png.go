package chart

import (
	"image"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Scale is how many pixels of the PNG one of the drawing is, so that it is sharp on screens of
// today.
const Scale = 2

// PNG writes the drawing as pixels.
func (d *Drawing) PNG(w io.Writer) error {
	img := image.NewRGBA(image.Rect(0, 0, int(math.Ceil(d.Width*Scale)), int(math.Ceil(d.Height*Scale))))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for _, s := range d.Shapes {
		switch s := s.(type) {
		case Polygon:
			fill(img, s.Points, s.Fill)
		case Line:
			for i := range len(s.Points) - 1 {
				fill(img, stroke(s.Points[i], s.Points[i+1], s.Width), s.Color)
			}
		case Text:
			d.letters(img, s)
		}
	}
	return png.Encode(w, img)
}

// fill paints a polygon. Only the pixels around it are worked on.
func fill(img *image.RGBA, points []Point, c Color) {
	low, high := points[0], points[0]
	for _, p := range points {
		low = Point{min(low.X, p.X), min(low.Y, p.Y)}
		high = Point{max(high.X, p.X), max(high.Y, p.Y)}
	}
	left, top := int(math.Floor(low.X*Scale)), int(math.Floor(low.Y*Scale))
	area := image.Rect(left, top, int(math.Ceil(high.X*Scale))+1, int(math.Ceil(high.Y*Scale))+1)
	var r vector.Rasterizer
	r.Reset(area.Dx(), area.Dy())
	for i, p := range points {
		x, y := float32(p.X*Scale-float64(left)), float32(p.Y*Scale-float64(top))
		if i == 0 {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.ClosePath()
	r.Draw(img, area, image.NewUniform(c), image.Point{})
}

// stroke returns the rectangle that a line covers.
func stroke(a, b Point, width float64) []Point {
	length := math.Hypot(b.X-a.X, b.Y-a.Y)
	if length == 0 {
		return []Point{a, a, a}
	}
	x, y := (b.Y-a.Y)/length*width/2, (a.X-b.X)/length*width/2
	return []Point{{a.X + x, a.Y + y}, {b.X + x, b.Y + y}, {b.X - x, b.Y - y}, {a.X - x, a.Y - y}}
}

func (d *Drawing) letters(img *image.RGBA, t Text) {
	at := Point{d.BoxOf(t).Left * Scale, t.At.Y * Scale}
	drawer := font.Drawer{
		Dst: img, Src: image.NewUniform(t.Color), Face: d.fonts.face(t.Size*Scale, t.Bold),
		Dot: fixed.Point26_6{X: fixed.Int26_6(at.X * 64), Y: fixed.Int26_6(at.Y * 64)},
	}
	drawer.DrawString(t.Text)
}
