package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A grid is one group as a table: cases by contenders, whichever of them there are fewer of beside
// each other.
type grid struct {
	group string
	unit  string
	head  []string // of the first column and the others
	rows  []gridRow
}

type gridRow struct {
	name  string
	cells []cell
}

// A cell is one series. What does not apply is "".
type cell struct {
	median, spread, ratio string
}

func (r *Report) grid(group string) *grid {
	axis, unit := r.about(group)
	cases, contenders := r.Cases(group), r.Contenders(group)
	g := &grid{group: group, unit: unit}
	if len(contenders) <= max(len(cases), 4) {
		g.head = append([]string{axis}, contenders...)
		for _, c := range cases {
			row := gridRow{name: c}
			for _, contender := range contenders {
				row.cells = append(row.cells, r.cell(group, c, contender))
			}
			g.rows = append(g.rows, row)
		}
		return g
	}
	g.head = append([]string{axis + ":"}, cases...)
	for _, contender := range contenders {
		row := gridRow{name: contender}
		for _, c := range cases {
			row.cells = append(row.cells, r.cell(group, c, contender))
		}
		g.rows = append(g.rows, row)
	}
	return g
}

func (r *Report) cell(group, case_, contender string) (c cell) {
	s := r.Find(group, case_, contender)
	if s == nil {
		return cell{median: "-"}
	}
	c.median = Number(s.Median())
	if len(s.Values) > 1 {
		least, most := s.Spread()
		c.spread = "(" + Number(least) + "-" + Number(most) + ")"
	}
	base := r.Find(group, case_, r.Baseline)
	if base != nil && contender != r.Baseline && base.Median() > 0 {
		c.ratio = strconv.FormatFloat(s.Median()/base.Median(), 'f', 2, 64) + "x"
	}
	return c
}

// Number formats a value with about three digits.
func Number(v float64) string {
	switch {
	case v >= 99.95 || v == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Table prints the report as aligned text.
func (r *Report) Table(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\n%s\n%v\n%s, %s\n", r.Title, r.Command, r.Machine, r.Date.Format("2006-01-02"), r.Method())
	for _, group := range r.Groups() {
		r.grid(group).text(&out)
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(&out)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&out, note)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// text prints the grid. In each column medians, spreads and ratios stand below each other.
func (g *grid) text(out *bytes.Buffer) {
	fmt.Fprintf(out, "\n%s, %s\n", g.group, g.unit)
	lines := make([][]string, 1+len(g.rows))
	lines[0] = g.head
	for i, row := range g.rows {
		lines[1+i] = []string{row.name}
	}
	for column := range len(g.head) - 1 {
		var median, spread, ratio int
		for _, row := range g.rows {
			c := row.cells[column]
			median, spread, ratio = max(median, len(c.median)), max(spread, len(c.spread)), max(ratio, len(c.ratio))
		}
		for i, row := range g.rows {
			c := row.cells[column]
			text := fmt.Sprintf("%*s", median, c.median)
			for _, part := range []struct {
				text  string
				width int
			}{{c.spread, spread}, {c.ratio, ratio}} {
				if part.width > 0 {
					text += fmt.Sprintf(" %-*s", part.width, part.text)
				}
			}
			lines[1+i] = append(lines[1+i], text)
		}
	}
	align(out, lines)
}

// align prints lines of columns, each as wide as its widest text.
func align(out *bytes.Buffer, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for _, line := range lines {
		var row []string
		for i, text := range line {
			row = append(row, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))+text)
		}
		fmt.Fprintln(out, strings.TrimRight(strings.Join(row, "   "), " "))
	}
}

// Markdown prints the report's tables for a document.
func (r *Report) Markdown(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "**%s.** `%s` on %v; %s, %s.\n", escape(r.Title), r.Command, r.Machine, r.Date.Format("2006-01-02"), r.Method())
	for _, group := range r.Groups() {
		g := r.grid(group)
		fmt.Fprintf(&out, "\n%s, %s:\n\n", escape(g.group), escape(g.unit))
		markdownRow(&out, g.head)
		markdownRow(&out, slices.Repeat([]string{"--:"}, len(g.head)))
		for _, row := range g.rows {
			texts := []string{row.name}
			for _, c := range row.cells {
				parts := slices.DeleteFunc([]string{c.median, c.spread, c.ratio}, func(s string) bool { return s == "" })
				texts = append(texts, strings.Join(parts, " "))
			}
			markdownRow(&out, texts)
		}
	}
	for i, note := range r.Notes {
		if i == 0 {
			fmt.Fprintln(&out)
		}
		fmt.Fprintf(&out, "- %s\n", escape(note))
	}
	_, err := w.Write(out.Bytes())
	return err
}

func markdownRow(out *bytes.Buffer, texts []string) {
	escaped := make([]string, len(texts))
	for i, text := range texts {
		escaped[i] = escape(text)
	}
	fmt.Fprintf(out, "| %s |\n", strings.Join(escaped, " | "))
}

// escape keeps a text from ending a table's cell.
func escape(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
