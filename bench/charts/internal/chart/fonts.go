package chart

import (
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
)

// fonts are the Go fonts. Their letters are wider than those of the fonts that an SVG is likely to be
// shown in, so what fits here fits there.
type fonts struct {
	regular, bold *sfnt.Font
	faces         map[faceKey]font.Face // made so far
}

type faceKey struct {
	size float64
	bold bool
}

func loadFonts() (*fonts, error) {
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	bold, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, err
	}
	return &fonts{regular, bold, map[faceKey]font.Face{}}, nil
}

// face returns a font in a size of pixels.
func (f *fonts) face(size float64, bold bool) font.Face {
	key := faceKey{size, bold}
	if face := f.faces[key]; face != nil {
		return face
	}
	parsed := f.regular
	if bold {
		parsed = f.bold
	}
	// It fails for options that it does not know only.
	face, _ := opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72})
	f.faces[key] = face
	return face
}

// width returns the width of a text in pixels.
func (f *fonts) width(text string, size float64, bold bool) float64 {
	return float64(font.MeasureString(f.face(size, bold), text)) / 64
}

// clip cuts a text so that it fits in width.
func (f *fonts) clip(text string, size float64, bold bool, width float64) string {
	if f.width(text, size, bold) <= width {
		return text
	}
	runes := []rune(text)
	for n := len(runes); n > 0; n-- {
		if cut := strings.TrimRight(string(runes[:n]), " ,") + "…"; f.width(cut, size, bold) <= width {
			return cut
		}
	}
	return ""
}

// wrap breaks a text into lines that fit in width.
func (f *fonts) wrap(text string, size, width float64) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch longer := line + " " + word; {
		case line == "":
			line = word
		case f.width(longer, size, false) <= width:
			line = longer
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
