package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
)

// SVG writes the drawing as text.
func (d *Drawing) SVG(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" font-family="Go, Helvetica, Arial, sans-serif">`+"\n",
		num(d.Width), num(d.Height), num(d.Width), num(d.Height))
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	for _, s := range d.Shapes {
		switch s := s.(type) {
		case Polygon:
			fmt.Fprintf(&out, `<polygon points="%s" fill="%s"/>`+"\n", points(s.Points), hex(s.Fill))
		case Line:
			fmt.Fprintf(&out, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%s"/>`+"\n", points(s.Points), hex(s.Color), num(s.Width))
		case Text:
			svgText(&out, s)
		}
	}
	out.WriteString("</svg>\n")
	_, err := w.Write(out.Bytes())
	return err
}

func svgText(out *bytes.Buffer, t Text) {
	fmt.Fprintf(out, `<text x="%s" y="%s" font-size="%s" fill="%s"`, num(t.At.X), num(t.At.Y), num(t.Size), hex(t.Color))
	if t.Bold {
		out.WriteString(` font-weight="bold"`)
	}
	if t.Anchor != Start {
		fmt.Fprintf(out, ` text-anchor="%s"`, map[Anchor]string{Middle: "middle", End: "end"}[t.Anchor])
	}
	out.WriteString(">")
	_ = xml.EscapeText(out, []byte(t.Text)) // a buffer takes everything
	out.WriteString("</text>\n")
}

// num formats a length to a hundredth of a pixel.
func num(v float64) string {
	return strconv.FormatFloat(float64(int(v*100+0.5))/100, 'f', -1, 64)
}

func points(ps []Point) string {
	var out []byte
	for i, p := range ps {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, num(p.X)+","+num(p.Y)...)
	}
	return string(out)
}

func hex(c Color) string { return fmt.Sprintf("#%06x", uint32(c)) }
