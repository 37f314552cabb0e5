package report

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/gabion-storage/gabion/internal/latinsquare"
)

// A Run is what one contender does in one case, once a round.
type Run struct {
	Series // but for Unit and Values

	// Prepare does what is not measured, as making data; nil for nothing.
	Prepare func(ctx context.Context) error

	// Measure does the work and returns the values of this round, in the order of the units. What
	// cannot be told of this contender is left out at the end.
	Measure func(ctx context.Context) ([]float64, error)

	// Finish takes apart what Prepare and Measure have made, also when one of them has failed and
	// when ctx has ended; nil for nothing.
	Finish func() error
}

// Interleave measures all runs once a round, so that what else the machine does hits all alike, and
// adds a series a unit for each of them. Who comes after whom differs from round to round. Between
// Prepare and Measure it collects the garbage of whoever came before and calls settle, unless that is
// nil.
func (r *Report) Interleave(
	ctx context.Context, rounds int, units []string, runs []Run, settle func(),
) error {
	values := make([][][]float64, len(runs)) // of a run, unit and round
	for i := range values {
		values[i] = make([][]float64, len(units))
	}
	for round := range rounds {
		for _, i := range latinsquare.Row(len(runs), round) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			measured, err := runs[i].once(ctx, settle)
			if err != nil {
				s := &runs[i].Series
				return fmt.Errorf("%s, %s %s: %s, round %d: %w",
					s.Group, s.Case, s.Axis, s.Contender, round+1, err)
			}
			for unit, value := range measured {
				values[i][unit] = append(values[i][unit], value)
			}
		}
	}
	for i := range runs {
		for unit, name := range units {
			r.Add(runs[i].Series, name, values[i][unit]...)
		}
	}
	return nil
}

// once measures a run once.
func (r *Run) once(ctx context.Context, settle func()) (_ []float64, err error) {
	if r.Finish != nil {
		defer func() { err = errors.Join(err, r.Finish()) }()
	}
	if r.Prepare != nil {
		if err := r.Prepare(ctx); err != nil {
			return nil, err
		}
	}
	runtime.GC()
	if settle != nil {
		settle()
	}
	return r.Measure(ctx)
}
