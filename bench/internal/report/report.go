/*
Package report holds what a benchmark has measured: values of contenders, by case and group. It
takes the measurements in turns (Interleave), and shows them as tables and as JSON, from which the
module bench/charts draws.
*/
package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// A Report is the outcome of one run of a benchmark.
type Report struct {
	Title    string    `json:"title"`
	Command  string    `json:"command"` // that measures again
	Date     time.Time `json:"date"`
	Machine  Machine   `json:"machine"`
	Baseline string    `json:"baseline,omitempty"` // the contender that ratios are to; "" for none
	Notes    []string  `json:"notes,omitempty"`
	Series   []Series  `json:"series"`
}

// New makes a report of now and of this machine, without series. dir is where files are measured;
// "" for measurements without.
func New(title, command, dir string, notes ...string) *Report {
	return &Report{
		Title: title, Command: command, Date: time.Now().UTC().Truncate(time.Second), Machine: ThisMachine(dir), Notes: notes,
	}
}

// Seconds is the Axis of what is measured over time: its cases are seconds since the start, and
// charts show them evenly.
const Seconds = "seconds"

// A Series is what one contender reached in one case: a value a round. Group, Case and Contender
// together name it.
type Series struct {
	Group     string    `json:"group"` // what is compared with each other: "upload, random, plain"
	Axis      string    `json:"axis"`  // what Case tells: "parts in flight"
	Case      string    `json:"case"`  // "16"
	Contender string    `json:"contender"`
	Unit      string    `json:"unit"` // "MB/s"; the same within a group
	Values    []float64 `json:"values"`
}

// Median returns the middle of the values; the mean of both middles when their number is even.
func (s *Series) Median() float64 {
	sorted, n := slices.Sorted(slices.Values(s.Values)), len(s.Values)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Spread returns the least and the greatest value.
func (s *Series) Spread() (least, most float64) { return slices.Min(s.Values), slices.Max(s.Values) }

// Groups returns the names of the groups, in the order in which they were first measured.
func (r *Report) Groups() []string {
	return r.distinct(func(s *Series) (string, bool) { return s.Group, true })
}

// Cases returns the cases of a group, in the order in which they were first measured.
func (r *Report) Cases(group string) []string {
	return r.distinct(func(s *Series) (string, bool) { return s.Case, s.Group == group })
}

// Contenders returns the contenders of a group, in the order in which they were first measured.
func (r *Report) Contenders(group string) []string {
	return r.distinct(func(s *Series) (string, bool) { return s.Contender, s.Group == group })
}

// distinct returns the names that of finds, each once.
func (r *Report) distinct(of func(s *Series) (name string, ok bool)) (names []string) {
	for i := range r.Series {
		if name, ok := of(&r.Series[i]); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Find returns a series, nil when it was not measured.
func (r *Report) Find(group, case_, contender string) *Series {
	for i := range r.Series {
		if s := &r.Series[i]; s.Group == group && s.Case == case_ && s.Contender == contender {
			return s
		}
	}
	return nil
}

// About returns axis and unit of a group.
func (r *Report) About(group string) (axis, unit string) {
	i := slices.IndexFunc(r.Series, func(s Series) bool { return s.Group == group })
	return r.Series[i].Axis, r.Series[i].Unit
}

// Method says in one line how the values came about.
func (r *Report) Method() string {
	least, most := math.MaxInt, 0
	for _, s := range r.Series {
		least, most = min(least, len(s.Values)), max(most, len(s.Values))
	}
	text := fmt.Sprintf("median of %d rounds in turns (least-most)", most)
	switch {
	case most == 1:
		text = "one round"
	case least != most:
		text = fmt.Sprintf("median of %d to %d rounds in turns (least-most)", least, most)
	}
	if r.Baseline != "" {
		text += "; x: ratio to " + r.Baseline
	}
	return text
}

// Validate finds what would make the report say something wrong, as a series without values.
func (r *Report) Validate() error {
	if len(r.Series) == 0 {
		return errors.New("report: it has no series")
	}
	for i := range r.Series {
		s := &r.Series[i]
		wrong := ""
		axis, unit := r.About(s.Group)
		switch {
		case s.Contender == "" || s.Case == "" || s.Unit == "":
			wrong = "has no name, case or unit"
		case len(s.Values) == 0:
			wrong = "has no values"
		case slices.ContainsFunc(s.Values, func(v float64) bool { return !(v >= 0) || math.IsInf(v, 0) }):
			wrong = "has a value that is negative or no number"
		case s.Unit != unit || s.Axis != axis:
			wrong = fmt.Sprintf("is in %s by %s, others of its group are in %s by %s", s.Unit, s.Axis, unit, axis)
		case r.Find(s.Group, s.Case, s.Contender) != s:
			wrong = "is there twice"
		}
		if wrong != "" {
			return fmt.Errorf("report: the series of group %q, case %q, contender %q %s", s.Group, s.Case, s.Contender, wrong)
		}
	}
	return nil
}

// Merge makes one report of several of the same machine. The values of series that are in more than
// one are pooled. Title, date and baseline are those of the first.
func Merge(reports ...*Report) (*Report, error) {
	merged := *reports[0]
	merged.Notes, merged.Series = nil, nil
	for _, r := range reports {
		if r.Machine != merged.Machine {
			return nil, fmt.Errorf("report: measured on different machines: %v; and %v", merged.Machine, r.Machine)
		}
		notes := r.Notes
		if r.Command != merged.Command {
			notes = append([]string{"also measured by: " + r.Command}, notes...)
		}
		for _, note := range notes {
			if !slices.Contains(merged.Notes, note) {
				merged.Notes = append(merged.Notes, note)
			}
		}
		for _, s := range r.Series {
			same := merged.Find(s.Group, s.Case, s.Contender)
			if same != nil && same.Unit == s.Unit && same.Axis == s.Axis {
				same.Values = append(same.Values, s.Values...)
				continue
			}
			s.Values = slices.Clone(s.Values)
			merged.Series = append(merged.Series, s)
		}
	}
	return &merged, merged.Validate()
}
