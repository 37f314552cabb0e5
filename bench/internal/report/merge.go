package report

import (
	"fmt"
	"slices"
)

// Merge makes one report of several of the same machine. The values of series that are in more than
// one are pooled. Title, date and baseline are those of the first.
func Merge(reports ...*Report) (*Report, error) {
	merged := &Report{}
	for i, r := range reports {
		if i == 0 {
			*merged = *r
			merged.Notes, merged.Series = slices.Clone(r.Notes), nil
		} else if r.Machine != merged.Machine {
			return nil, fmt.Errorf("report: measured on different machines: %v; and %v", merged.Machine, r.Machine)
		} else {
			merged.addNotes(r)
		}
		for _, s := range r.Series {
			if same := merged.Find(s.Group, s.Case, s.Contender); same == nil {
				s.Values = slices.Clone(s.Values)
				merged.Series = append(merged.Series, s)
			} else if same.Unit != s.Unit || same.Axis != s.Axis {
				return nil, fmt.Errorf("report: %s, %s, %s is in %s by %s, and in %s by %s",
					s.Group, s.Case, s.Contender, same.Unit, same.Axis, s.Unit, s.Axis)
			} else {
				same.Values = append(same.Values, s.Values...)
			}
		}
	}
	return merged, merged.Validate()
}

// addNotes takes over what r says about itself.
func (m *Report) addNotes(r *Report) {
	if r.Command != m.Command {
		m.Notes = append(m.Notes, "also measured by: "+r.Command)
	}
	for _, note := range r.Notes {
		if !slices.Contains(m.Notes, note) {
			m.Notes = append(m.Notes, note)
		}
	}
}
