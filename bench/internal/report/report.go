/*
Package report holds what a benchmark has measured: values of contenders, by case and group. It
takes the measurements in turns (Interleave), and shows them as text, as Markdown and as JSON, from
which the module bench/charts draws.
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

// Seconds is the Axis of what is measured over time: its cases are seconds since the start, and charts
// show them evenly.
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
// Of no values it is NaN.
func (s *Series) Median() float64 {
	n := len(s.Values)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s.Values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Spread returns the least and the greatest value, NaN when there are none.
func (s *Series) Spread() (least, most float64) {
	if len(s.Values) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(s.Values), slices.Max(s.Values)
}

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

// about returns axis and unit of a group.
func (r *Report) about(group string) (axis, unit string) {
	i := slices.IndexFunc(r.Series, func(s Series) bool { return s.Group == group })
	return r.Series[i].Axis, r.Series[i].Unit
}

// Rounds returns how many values the series have, at least and at most.
func (r *Report) Rounds() (least, most int) {
	for i := range r.Series {
		n := len(r.Series[i].Values)
		if i == 0 || n < least {
			least = n
		}
		most = max(most, n)
	}
	return least, most
}

// Method says in one line how the values came about.
func (r *Report) Method() string {
	least, most := r.Rounds()
	rounds := fmt.Sprintf("%d rounds", most)
	switch {
	case least != most:
		rounds = fmt.Sprintf("%d to %d rounds", least, most)
	case most == 1:
		return "one round" + r.ratios()
	}
	return "median of " + rounds + " in turns (least-most)" + r.ratios()
}

func (r *Report) ratios() string {
	if r.Baseline == "" {
		return ""
	}
	return "; x: ratio to " + r.Baseline
}

// Validate finds what would make the report say something wrong, as a series without values.
func (r *Report) Validate() error {
	var errs []error
	if len(r.Series) == 0 {
		errs = append(errs, errors.New("report: it has no series"))
	}
	type name struct{ group, case_, contender string }
	seen := map[name]bool{}
	for i := range r.Series {
		s := &r.Series[i]
		n := name{s.Group, s.Case, s.Contender}
		wrong := func(what string) {
			errs = append(errs, fmt.Errorf("report: the series of group %q, case %q, contender %q %s", s.Group, s.Case, s.Contender, what))
		}
		axis, unit := r.about(s.Group)
		switch {
		case seen[n]:
			wrong("is there twice")
		case s.Contender == "" || s.Case == "" || s.Unit == "":
			wrong("has no name, case or unit")
		case len(s.Values) == 0:
			wrong("has no values")
		case slices.ContainsFunc(s.Values, func(v float64) bool { return !(v >= 0) || math.IsInf(v, 0) }):
			wrong("has a value that is negative or no number")
		case s.Unit != unit || s.Axis != axis:
			wrong(fmt.Sprintf("is in %s by %s, others of its group are in %s by %s", s.Unit, s.Axis, unit, axis))
		}
		seen[n] = true
	}
	return errors.Join(errs...)
}
