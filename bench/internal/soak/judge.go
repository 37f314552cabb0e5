package soak

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// A rule says when a curve does not level off; the first third of its samples is warming up. It
// grows when the median of the last third is above factor times the median of the second third, and
// slack more; or steadily, when it is above steady times that and slack more while the medians are
// surely apart. So one spike, and a saw tooth shorter than a third, are level, and a curve that
// grows slowly all the time is not.
type rule struct {
	factor float64
	steady float64
	slack  float64 // in the unit of the curve: less is never growth
}

// RuleText says the same for users.
const RuleText = `A curve levels off unless, the first third of its samples left out, the median of
the last third exceeds that of the second third by more than a factor and a slack; a smaller factor
counts when the medians are apart by three standard deviations. Of what calls take, the p99 of the
second third without the quarter of its intervals that was quickest is compared with that of the
last third without the slowest quarter, since machines stand still for moments. A kind of which a
third has fewer than 200 calls is not judged. A machine that is busy with other things for long can
look like growth: -latency=false judges all else. On disk may be 1.5 times the live bytes and
256 MiB, at every sample.`

// ruleOf is that of a group of readings; the zero rule of those that need not level off. Machines
// are noisy: what a call takes may double.
func ruleOf(group string) rule {
	switch group {
	case "memory", "counts":
		return rule{1.4, 1.15, 48}
	case "backlog":
		return rule{1.6, 1.25, 64}
	case "trash":
		return rule{1.6, 1.25, 512}
	case "p99":
		return rule{2, 1.4, 50}
	}
	return rule{}
}

// mostDisk is what disk use may come to.
func (s *Sample) mostDisk() int64 { return s.Live*3/2 + 256<<20 }

const (
	leastJudged = 9   // samples that a curve needs to be judged
	leastCalls  = 200 // of a kind in a third: the p99 of fewer is about the slowest of them
)

// A curve is one reading over time.
type curve struct {
	reading
	values []float64
	took   [][]time.Duration // of a p99: what it is of
}

// curvesOf are all curves, in the order of the readings.
func curvesOf(samples []Sample) (curves []*curve) {
	for _, s := range samples {
		for _, r := range s.readings() {
			i := slices.IndexFunc(curves, func(c *curve) bool {
				return c.group == r.group && c.name == r.name
			})
			if i < 0 {
				i, curves = len(curves), append(curves, &curve{reading: r})
			}
			curves[i].values = append(curves[i].values, r.value)
			if r.group == "p99" {
				curves[i].took = append(curves[i].took, s.Took[r.name])
			}
		}
	}
	return curves
}

// thirds are the second and the last third, each by value.
func thirds[T any](all []T, value func(T) float64) (second, last []T) {
	byValue := func(a, b T) int { return cmp.Compare(value(a), value(b)) }
	n := len(all) / 3
	second = slices.SortedFunc(slices.Values(all[len(all)-2*n:len(all)-n]), byValue)
	return second, slices.SortedFunc(slices.Values(all[len(all)-n:]), byValue)
}

// pooled is what all calls took, ascending.
func pooled(intervals [][]time.Duration) []time.Duration {
	return slices.Sorted(slices.Values(slices.Concat(intervals...)))
}

// judged tells whether there are enough samples, and calls in them, to judge.
func (c *curve) judged() bool {
	if len(c.values) < leastJudged || c.took == nil {
		return len(c.values) >= leastJudged
	}
	second, last := thirds(c.took, p99)
	return min(len(pooled(second)), len(pooled(last))) >= leastCalls
}

// check fails when the curve grows.
func (c *curve) check(r rule) error {
	second, last := thirds(c.values, func(v float64) float64 { return v })
	n := len(last)
	before, after := second[n/2], last[n/2]
	// The rank of a median of n values has a standard deviation of half their root.
	lower := max(n/2-int(math.Ceil(3*math.Sqrt(float64(n))/2)), 0)
	if apart := last[lower] > second[n-1-lower]; apart && after > r.steady*before+r.slack {
		return fmt.Errorf("grew steadily from %.5g to %.5g, more than %g times and %g",
			before, after, r.steady, r.slack)
	}
	if c.took != nil {
		// The calls of an interval are not independent: when the machine stands still all are slow.
		// So it is intervals that are left out, and not calls.
		second, last := thirds(c.took, p99)
		before, after = p99(pooled(second[n/4:])), p99(pooled(last[:n-n/4]))
	}
	if after > r.factor*before+r.slack {
		return fmt.Errorf("grew from %.5g to %.5g, more than %g times and %g",
			before, after, r.factor, r.slack)
	}
	return nil
}

// Rules say which curves are judged.
type Rules struct {
	Latency bool // also what calls take, which a busy machine can make grow
}

// Judge fails when a sample takes more disk than it may, or a curve does not level off. unjudged
// are those of too few samples or calls.
func (r Rules) Judge(samples []Sample) (unjudged []string, err error) {
	for _, s := range samples {
		if s.Disk > s.mostDisk() {
			err = fmt.Errorf("after %v: %d bytes on disk, of which %d are live; at most %d may be",
				s.At, s.Disk, s.Live, s.mostDisk())
			break
		}
	}
	for _, c := range curvesOf(samples) {
		rule := ruleOf(c.group)
		switch {
		case rule.factor == 0 || c.took != nil && (!r.Latency || c.name == KindSlow):
		case !c.judged():
			unjudged = append(unjudged, c.name)
		default:
			if grew := c.check(rule); grew != nil {
				err = errors.Join(err,
					fmt.Errorf("%s, %s, does not level off: it %w", c.name, c.unit, grew))
			}
		}
	}
	return unjudged, err
}
