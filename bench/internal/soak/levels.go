package soak

import (
	"errors"
	"fmt"
	"slices"
)

// A Rule says when a curve does not level off. The first third of its values is warming up. The curve
// grows when the median of the last third is above Factor times the median of the second third, and
// Slack more; or above Steady times it and Slack more, while three quarters of the last third are above
// three quarters of the second one. So one spike, and a saw tooth shorter than a third, are level, and a
// curve that grows slowly all the time is not.
type Rule struct {
	Factor float64
	Steady float64
	Slack  float64 // in the unit of the curve: less is never growth
}

// RuleText says the same for users.
const RuleText = `A curve levels off unless, the first third of its samples left out, the median of the last third
exceeds that of the second third by more than a factor and a slack; a smaller factor counts when also
the lower quartile of the last third is above the upper quartile of the second. A p99 must have grown
over all calls of the thirds, too: of a few calls in an interval it is the slowest, which is chance.`

// leastJudged is how many values a curve needs to be judged.
const leastJudged = 9

// Check fails when the values grow. ok is false when they are too few to tell.
func (r Rule) Check(values []float64) (ok bool, err error) {
	if len(values) < leastJudged {
		return false, nil
	}
	n := len(values) / 3
	second := slices.Sorted(slices.Values(values[len(values)-2*n : len(values)-n]))
	last := slices.Sorted(slices.Values(values[len(values)-n:]))
	before, after := second[n/2], last[n/2]
	switch {
	case after > r.Factor*before+r.Slack:
		return true, fmt.Errorf("grew from %.5g to %.5g, more than %g times and %g", before, after, r.Factor, r.Slack)
	case after > r.Steady*before+r.Slack && last[n/4] > second[n-1-n/4]:
		return true, fmt.Errorf("grew steadily from %.5g to %.5g, more than %g times and %g", before, after, r.Steady, r.Slack)
	}
	return true, nil
}

// The rules of curves. Machines are noisy: what a call takes may double.
var (
	memoryRule  = Rule{Factor: 1.4, Steady: 1.15, Slack: 48}  // MiB
	countRule   = Rule{Factor: 1.4, Steady: 1.15, Slack: 48}  // goroutines, handles
	backlogRule = Rule{Factor: 1.6, Steady: 1.25, Slack: 64}  // MiB
	queueRule   = Rule{Factor: 1.6, Steady: 1.25, Slack: 512} // entries
	latencyRule = Rule{Factor: 2, Steady: 1.4, Slack: 50}     // ms
)

// What disk use may come to, at every sample.
const (
	diskFactor = 1.5
	diskSlack  = 256 << 20
)

// checkDisk fails when a sample takes more disk than it may.
func checkDisk(samples []Sample) error {
	for _, s := range samples {
		if most := int64(diskFactor*float64(s.Live)) + diskSlack; s.Disk > most {
			return fmt.Errorf("after %v: %d bytes on disk, of which %d are live; at most %d may be", s.At, s.Disk, s.Live, most)
		}
	}
	return nil
}

// check fails when the curve grows. Where few calls come in an interval, a p99 is the slowest of them, and
// where they differ much, as copies do of which some share their bytes and some encrypt them anew, its
// median goes up and down by chance. So what its values say must hold for all calls of a third, too. Those
// alone would not do: one moment in which the machine stood still is enough to lift their p99.
func (c *Curve) check() (ok bool, err error) {
	ok, err = c.rule.Check(c.Values)
	if err == nil || c.took == nil {
		return ok, err
	}
	n := len(c.took) / 3
	before, after := pooledP99(c.took[len(c.took)-2*n:len(c.took)-n]), pooledP99(c.took[len(c.took)-n:])
	if after <= c.rule.Steady*before+c.rule.Slack {
		return ok, nil
	}
	return ok, fmt.Errorf("%w; over all calls from %.5g to %.5g", err, before, after)
}

// Judge fails when a curve of the samples does not level off. unjudged are those of too few values.
func Judge(samples []Sample) (unjudged []string, err error) {
	errs := []error{checkDisk(samples)}
	for _, c := range Curves(samples) {
		if c.rule == (Rule{}) {
			continue
		}
		ok, err := c.check()
		if !ok {
			unjudged = append(unjudged, c.Name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, %s, does not level off: it %w", c.Name, c.Unit, err))
		}
	}
	return unjudged, errors.Join(errs...)
}
