package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table prints the report as aligned text, which is Markdown, too.
func (r *Report) Table(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	out := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight|tabwriter.Debug)
	fmt.Fprintf(out, "**%s.** `%s` on %v; %s, %s.\n", r.Title, r.Command, r.Machine, r.Date.Format("2006-01-02"), r.Method())
	for _, group := range r.Groups() {
		r.group(out, group)
	}
	for i, note := range r.Notes {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "- %s\n", note)
	}
	return out.Flush()
}

// group prints one group: cases by contenders, whichever of them there are fewer of beside each
// other.
func (r *Report) group(out io.Writer, group string) {
	axis, unit := r.About(group)
	fmt.Fprintf(out, "\n%s, %s:\n\n", group, unit)
	rows, columns := r.Cases(group), r.Contenders(group)
	turned := len(columns) > max(len(rows), 4)
	if turned {
		rows, columns, axis = columns, rows, axis+":"
	}
	line := func(cells ...string) { fmt.Fprintf(out, "\t%s\t\n", strings.Join(cells, "\t")) }
	line(append([]string{axis}, columns...)...)
	line(slices.Repeat([]string{"--:"}, 1+len(columns))...)
	for _, row := range rows {
		cells := []string{row}
		for _, column := range columns {
			if turned {
				cells = append(cells, r.cell(group, column, row))
			} else {
				cells = append(cells, r.cell(group, row, column))
			}
		}
		line(cells...)
	}
}

// cell is the median of a series, its spread, and its ratio to the baseline, as far as they apply.
func (r *Report) cell(group, case_, contender string) string {
	s := r.Find(group, case_, contender)
	if s == nil {
		return "-"
	}
	text := Number(s.Median())
	if len(s.Values) > 1 {
		least, most := s.Spread()
		text += " (" + Number(least) + "-" + Number(most) + ")"
	}
	base := r.Find(group, case_, r.Baseline)
	if base != nil && contender != r.Baseline && base.Median() > 0 {
		text += " " + strconv.FormatFloat(s.Median()/base.Median(), 'f', 2, 64) + "x"
	}
	return text
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

// Write prints the table and saves the report in the file path, unless that is "".
func (r *Report) Write(w io.Writer, path string) error {
	if err := r.Table(w); err != nil || path == "" {
		return err
	}
	return r.Save(path)
}

// Save makes or replaces a file that Load reads.
func (r *Report) Save(path string) error {
	if err := r.Validate(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o666)
}

// Load reads what Save wrote. It refuses a report that is not valid. Its errors name the file.
func Load(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err = json.Unmarshal(text, r); err == nil {
		err = r.Validate()
	}
	if err != nil {
		return nil, &os.PathError{Op: "reading", Path: path, Err: err}
	}
	return r, nil
}
