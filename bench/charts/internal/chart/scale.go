package chart

import (
	"math"
	"strconv"
)

// A scale is an axis of values: from 0 on, or logarithmic.
type scale struct {
	log       bool
	low, high float64
	ticks     []float64 // round values from low to high
}

// newScale makes a scale that fits values from least to most. A logarithmic one needs least to be
// above 0; else it is from 0 on.
func newScale(least, most float64, log bool) scale {
	if log && least > 0 {
		return logScale(least, most)
	}
	return linearScale(most)
}

// linearScale has 3 to 6 ticks above 0.
func linearScale(most float64) scale {
	if most <= 0 {
		most = 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	for _, factor := range []float64{0.2, 0.25, 0.5, 1, 2, 5} {
		step := unit * factor
		n := int(math.Ceil(most/step - 1e-9))
		if n > 6 {
			continue
		}
		s := scale{high: float64(n) * step}
		for i := range n + 1 {
			s.ticks = append(s.ticks, float64(i)*step)
		}
		return s
	}
	return scale{high: most, ticks: []float64{0, most}} // not reached: most is below 10 units
}

// logScale has ticks at 1, 2 and 5 of each decade, or at 1 only when those would be too many.
func logScale(least, most float64) scale {
	ticks := roundValues(least, most, 1, 2, 5)
	if len(ticks) > 9 {
		ticks = roundValues(least, most, 1)
	}
	return scale{log: true, low: ticks[0], high: ticks[len(ticks)-1], ticks: ticks}
}

// roundValues returns at least two values, these steps of each decade: from the last one that is not
// above least to the first one that is not below most.
func roundValues(least, most float64, steps ...float64) []float64 {
	var values []float64
	for decade := math.Floor(math.Log10(least)); ; decade++ {
		for _, step := range steps {
			v := step * math.Pow(10, decade)
			if v <= least*(1+1e-9) {
				values = nil
			}
			values = append(values, v)
			if len(values) > 1 && v >= most*(1-1e-9) {
				return values
			}
		}
	}
}

// at places a value: 0 at the low end, 1 at the high one.
func (s scale) at(v float64) float64 {
	if !s.log {
		return v / s.high
	}
	return math.Log(v/s.low) / math.Log(s.high/s.low)
}

// text formats a tick, with as many decimals as it needs.
func (s scale) text(tick float64) string {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(tick, 'g', 6, 64), 64) // 3 x 0.2 is not quite 0.6
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
