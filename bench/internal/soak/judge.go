package soak

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A rule says when a curve does not level off. The first third of its values is warming up. The
// curve grows when the median of the last third is above factor times the median of the second
// third, and slack more; or above steady times it and slack more, while three quarters of the last
// third are above three quarters of the second one. So one spike, and a saw tooth shorter than a
// third, are level, and a curve that grows slowly all the time is not.
type rule struct {
	factor float64
	steady float64
	slack  float64 // in the unit of the curve: less is never growth
}

// RuleText says the same for users.
const RuleText = `A curve levels off unless, the first third of its samples left out, the median of
the last third exceeds that of the second third by more than a factor and a slack; a smaller factor
counts when also the lower quartile of the last third is above the upper quartile of the second. A
p99 must have grown over all calls of the thirds, too: of a few calls in an interval it is the
slowest, which is chance. On disk may be 1.5 times the live bytes and 256 MiB, at every sample.`

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

// leastJudged is how many values a curve needs to be judged.
const leastJudged = 9

// thirds are the second and the last third.
func thirds[T any](all []T) (second, last []T) {
	n := len(all) / 3
	return all[len(all)-2*n : len(all)-n], all[len(all)-n:]
}

// check fails when the values, at least leastJudged, grow.
func (r rule) check(values []float64) error {
	second, last := thirds(values)
	second, last = slices.Sorted(slices.Values(second)), slices.Sorted(slices.Values(last))
	n := len(last)
	switch before, after := second[n/2], last[n/2]; {
	case after > r.factor*before+r.slack:
		return fmt.Errorf("grew from %.5g to %.5g, more than %g times and %g",
			before, after, r.factor, r.slack)
	case after > r.steady*before+r.slack && last[n/4] > second[n-1-n/4]:
		return fmt.Errorf("grew steadily from %.5g to %.5g, more than %g times and %g",
			before, after, r.steady, r.slack)
	}
	return nil
}

// check fails when the curve grows in samples that have values of it. Where few calls come in an
// interval, a p99 is the slowest of them, and where they differ much, as copies do of which some
// share their bytes and some encrypt them anew, its median goes up and down by chance. So what its
// values say must hold for all calls of a third, too. Those alone would not do: one moment in which
// the machine stood still is enough to lift their p99.
func (c *curve) check(samples []Sample) error {
	values := make([]float64, len(samples))
	for i := range samples {
		values[i] = c.of(&samples[i])
	}
	err := c.rule.check(values)
	if err == nil || c.kind == "" {
		return err
	}
	pooled := func(samples []Sample) float64 {
		var took []time.Duration
		for _, s := range samples {
			took = append(took, s.Took[c.kind]...)
		}
		slices.Sort(took)
		return percentile(took, 99)
	}
	second, last := thirds(samples)
	before, after := pooled(second), pooled(last)
	if after <= c.rule.steady*before+c.rule.slack {
		return nil
	}
	return fmt.Errorf("%w; over all calls from %.5g to %.5g", err, before, after)
}

// Judge fails when a sample takes more disk than it may, or a curve does not level off. unjudged
// are those of too few values.
func Judge(samples []Sample) (unjudged []string, err error) {
	for _, s := range samples {
		if s.Disk > s.mostDisk() {
			err = fmt.Errorf("after %v: %d bytes on disk, of which %d are live; at most %d may be",
				s.At, s.Disk, s.Live, s.mostDisk())
			break
		}
	}
	for _, c := range curves(samples) {
		switch in := c.in(samples); {
		case c.rule == rule{}:
		case len(in) < leastJudged:
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
