package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Table prints the report as aligned text, which is Markdown, too.
func (r *Report) Table(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	out := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight|tabwriter.Debug)
	fmt.Fprintf(out, "**%s.** `%s` on %v; %s, %s.\n",
		r.Title, r.Command, r.Machine, r.Date.Format(time.DateOnly), r.Method())
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

// group prints one group. What is in one unit is cases by contenders; else each contender of each
// case has a row, with its values in all units beside each other.
func (r *Report) group(out io.Writer, group string) {
	cases, contenders, units := r.Cases(group), r.Contenders(group), r.Units(group)
	line := func(cells ...string) { fmt.Fprintf(out, "\t%s\t\n", strings.Join(cells, "\t")) }
	head := func(title string, columns ...string) {
		fmt.Fprintf(out, "\n%s:\n\n", title)
		line(columns...)
		line(slices.Repeat([]string{"--:"}, len(columns))...)
	}
	if len(units) == 1 {
		head(group+", "+units[0], append([]string{r.Axis(group)}, contenders...)...)
		for _, case_ := range cases {
			cells := []string{case_}
			for _, contender := range contenders {
				cells = append(cells, r.cell(group, case_, contender, units[0]))
			}
			line(cells...)
		}
		return
	}
	head(group, append([]string{r.Axis(group), ""}, units...)...)
	for _, case_ := range cases {
		for _, contender := range contenders {
			cells := []string{case_, contender}
			for _, unit := range units {
				cells = append(cells, r.cell(group, case_, contender, unit))
			}
			line(cells...)
		}
	}
}

// cell is the median of a series, its spread, and its ratio to the baseline, as far as they apply.
func (r *Report) cell(group, case_, contender, unit string) string {
	s := r.Find(group, case_, contender, unit)
	if s == nil {
		return "-"
	}
	text := Number(s.Median())
	if len(s.Values) > 1 {
		least, most := s.Spread()
		text += " (" + Number(least) + "-" + Number(most) + ")"
	}
	base := r.Find(group, case_, r.Baseline, unit)
	if base != nil && contender != r.Baseline && base.Median() > 0 {
		text += fmt.Sprintf(" %.2fx", s.Median()/base.Median())
	}
	return text
}

// Number formats a value with about three digits.
func Number(v float64) string {
	digits := 2
	switch {
	case v >= 99.95 || v == 0:
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// Write prints the table and saves the report in the file path, unless that is "".
func (r *Report) Write(w io.Writer, path string) error {
	if err := r.Table(w); err != nil || path == "" {
		return err
	}
	return r.Save(path)
}

// WriteAfter is Write after measurements that have ended with err, which may be nil and is returned.
// After an error it writes what was measured until then, if anything, and says so.
func (r *Report) WriteAfter(err error, w io.Writer, path string) error {
	if err == nil {
		return r.Write(w, path)
	}
	if len(r.Series) == 0 {
		return err
	}
	r.Notes = append(r.Notes, fmt.Sprintf("Not all was measured, because of: %v.", err))
	return errors.Join(err, r.Write(w, path))
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
