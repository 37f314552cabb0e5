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
		Title: title, Command: command, Date: time.Now().UTC().Truncate(time.Second),
		Machine: ThisMachine(dir), Notes: notes,
	}
}

// Add adds the values of a series in one unit, unless there are none.
func (r *Report) Add(about Series, unit string, values ...float64) {
	if about.Unit, about.Values = unit, values; len(values) > 0 {
		r.Series = append(r.Series, about)
	}
}

// A Series is what one contender reached in one case: a value a round. Group, Case, Contender and
// Unit together name it.
type Series struct {
	Group     string    `json:"group"` // what is compared with each other: "upload, random, plain"
	Axis      string    `json:"axis"`  // what Case tells: "parts in flight"; the same within a group
	Case      string    `json:"case"`  // "16"
	Contender string    `json:"contender"`
	Unit      string    `json:"unit"` // "MB/s"; a group may have values in several
	Values    []float64 `json:"values"`
}

// Median returns the middle of the values; the mean of both middles when their number is even.
func (s *Series) Median() float64 {
	sorted, n := slices.Sorted(slices.Values(s.Values)), len(s.Values)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Spread returns the least and the greatest value.
func (s *Series) Spread() (least, most float64) {
	return slices.Min(s.Values), slices.Max(s.Values)
}

// The columns of a series that distinct tells apart.
func groupOf(s *Series) string     { return s.Group }
func caseOf(s *Series) string      { return s.Case }
func contenderOf(s *Series) string { return s.Contender }
func unitOf(s *Series) string      { return s.Unit }

// Groups returns the names of the groups, in the order in which they were first measured; Cases,
// Contenders and Units those of a group, likewise.
func (r *Report) Groups() []string                 { return r.distinct("", groupOf) }
func (r *Report) Cases(group string) []string      { return r.distinct(group, caseOf) }
func (r *Report) Contenders(group string) []string { return r.distinct(group, contenderOf) }
func (r *Report) Units(group string) []string      { return r.distinct(group, unitOf) }

// distinct returns what there is of a column in a group, "" for all of them, each once.
func (r *Report) distinct(group string, column func(*Series) string) (names []string) {
	for i := range r.Series {
		s := &r.Series[i]
		if name := column(s); (group == "" || s.Group == group) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Find returns a series, nil when it was not measured.
func (r *Report) Find(group, case_, contender, unit string) *Series {
	for i := range r.Series {
		s := &r.Series[i]
		if s.Group == group && s.Case == case_ && s.Contender == contender && s.Unit == unit {
			return s
		}
	}
	return nil
}

// Axis returns what the cases of a group tell.
func (r *Report) Axis(group string) string {
	return r.Series[slices.IndexFunc(r.Series, func(s Series) bool { return s.Group == group })].Axis
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
	bad := func(v float64) bool { return !(v >= 0) || math.IsInf(v, 0) }
	for i := range r.Series {
		s, wrong := &r.Series[i], ""
		switch axis := r.Axis(s.Group); {
		case s.Contender == "" || s.Case == "" || s.Unit == "":
			wrong = "has no name, case or unit"
		case len(s.Values) == 0:
			wrong = "has no values"
		case slices.ContainsFunc(s.Values, bad):
			wrong = "has a value that is negative or no number"
		case s.Axis != axis:
			wrong = fmt.Sprintf("is by %s, others of its group are by %s", s.Axis, axis)
		case r.Find(s.Group, s.Case, s.Contender, s.Unit) != s:
			wrong = "is there twice"
		}
		if wrong != "" {
			return fmt.Errorf("report: the series of group %q, case %q, contender %q in %q %s",
				s.Group, s.Case, s.Contender, s.Unit, wrong)
		}
	}
	return nil
}

// Percentile is the least of the sorted times that at least so many per cent of them do not exceed.
func Percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max((len(sorted)*percent+99)/100, 1)-1]
}
