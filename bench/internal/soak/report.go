package soak

import (
	"math"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

// Series returns all samples as series of a report over time.
func Series(samples []Sample) (all []report.Series) {
	unit := 100 * time.Millisecond // of the times, which must differ
	for i := 1; i < len(samples); i++ {
		if samples[i].At-samples[i-1].At < 2*unit {
			unit = time.Microsecond
			break
		}
	}
	for _, c := range Curves(samples) {
		for i, v := range c.Values {
			seconds := math.Round(float64(c.At[i])/float64(unit)) * unit.Seconds()
			all = append(all, report.Series{
				Group: c.Group, Axis: report.Seconds, Case: strconv.FormatFloat(seconds, 'g', 10, 64),
				Contender: c.Name, Unit: c.Unit, Values: []float64{v},
			})
		}
	}
	return all
}
