package soak

import (
	"strconv"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

// Series returns all samples as series of a report over time.
func Series(samples []Sample) (all []report.Series) {
	for _, c := range Curves(samples) {
		for i, v := range c.Values {
			all = append(all, report.Series{
				Group: c.Group, Axis: report.Seconds, Case: strconv.FormatFloat(c.At[i].Seconds(), 'f', 1, 64),
				Contender: c.Name, Unit: c.Unit, Values: []float64{v},
			})
		}
	}
	return all
}
