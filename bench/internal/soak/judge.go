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

// The rules of curves. Machines are noisy: what a call takes may double.
var (
	memoryRule  = rule{1.4, 1.15, 48}  // MiB
	countRule   = rule{1.4, 1.15, 48}  // goroutines, handles
	backlogRule = rule{1.6, 1.25, 64}  // MiB
	queueRule   = rule{1.6, 1.25, 512} // entries
	latencyRule = rule{2, 1.4, 50}     // ms
)

// mostDisk is what disk use may come to.
func (s *Sample) mostDisk() int64 { return s.Live*3/2 + 256<<20 }

const (
	leastJudged = 9   // samples that a curve needs to be judged
	leastCalls  = 200 // of a kind in a third: the p99 of fewer is about the slowest of them
)

// thirds are the second and the last third.
func thirds[T any](all []T) (second, last []T) {
	n := len(all) / 3
	return all[len(all)-2*n : len(all)-n], all[len(all)-n:]
}

// judged tells whether there are enough samples, and calls in them, to judge a curve.
func (c *curve) judged(samples []Sample) bool {
	if len(samples) < leastJudged {
		return false
	}
	second, last := thirds(samples)
	return c.kind == "" || min(len(calls(second, c.kind)), len(calls(last, c.kind))) >= leastCalls
}

// check fails when the curve grows.
func (c *curve) check(samples []Sample) error {
	second, last := thirds(samples)
	byValue := func(a, b Sample) int { return cmp.Compare(c.of(&a), c.of(&b)) }
	second, last = slices.Clone(second), slices.Clone(last)
	slices.SortFunc(second, byValue)
	slices.SortFunc(last, byValue)
	n := len(last)
	before, after := c.of(&second[n/2]), c.of(&last[n/2])
	// The rank of a median of n values has a standard deviation of half their root.
	lower := max(n/2-int(math.Ceil(3*math.Sqrt(float64(n))/2)), 0)
	apart := c.of(&last[lower]) > c.of(&second[n-1-lower])
	steadily := apart && after > c.rule.steady*before+c.rule.slack
	if c.kind != "" {
		// The calls of an interval are not independent: when the machine stands still all are slow.
		// So it is intervals that are left out, and not calls.
		before = percentile(calls(second[n/4:], c.kind), 99)
		after = percentile(calls(last[:n-n/4], c.kind), 99)
	}
	switch {
	case after > c.rule.factor*before+c.rule.slack:
		return fmt.Errorf("grew from %.5g to %.5g, more than %g times and %g",
			before, after, c.rule.factor, c.rule.slack)
	case steadily:
		return fmt.Errorf("grew steadily from %.5g to %.5g, more than %g times and %g",
			c.of(&second[n/2]), c.of(&last[n/2]), c.rule.steady, c.rule.slack)
	}
	return nil
}

// calls are what all calls of a kind took, ascending.
func calls(samples []Sample, kind string) (took []time.Duration) {
	for _, s := range samples {
		took = append(took, s.Took[kind]...)
	}
	slices.Sort(took)
	return took
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
	for _, c := range curves(samples) {
		switch in := c.in(samples); {
		case c.rule == rule{} || c.kind != "" && !r.Latency:
		case !c.judged(in):
			unjudged = append(unjudged, c.name)
		default:
			if grew := c.check(in); grew != nil {
				err = errors.Join(err,
					fmt.Errorf("%s, %s, does not level off: it %w", c.name, c.unit, grew))
			}
		}
	}
	return unjudged, err
}
