package report

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// A Run is what one contender does in one case, once a round.
type Run struct {
	Name string

	// Prepare does what is not measured, as making data; nil for nothing.
	Prepare func(ctx context.Context) error

	// Measure does the work and returns the value of this round.
	Measure func(ctx context.Context) (float64, error)

	// Finish takes apart what Prepare and Measure have made, also when one of them has failed and
	// when ctx has ended; nil for nothing.
	Finish func() error
}

// Interleave measures all runs once a round, so that what else the machine does hits all alike. Who
// comes after whom differs from round to round. Between Prepare and Measure it collects the garbage
// of whoever came before and calls settle, unless that is nil: see Settle. It returns, for each
// run, a value a round.
func Interleave(ctx context.Context, rounds int, runs []Run, settle func()) ([][]float64, error) {
	values := make([][]float64, len(runs))
	for round := range rounds {
		for i := range runs {
			i := (i + round) % len(runs)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			value, err := runs[i].once(ctx, settle)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", runs[i].Name, round+1, err)
			}
			values[i] = append(values[i], value)
		}
	}
	return values, nil
}

// once measures a run once.
func (r *Run) once(ctx context.Context, settle func()) (_ float64, err error) {
	if r.Finish != nil {
		defer func() { err = errors.Join(err, r.Finish()) }()
	}
	if r.Prepare != nil {
		if err := r.Prepare(ctx); err != nil {
			return 0, err
		}
	}
	runtime.GC()
	if settle != nil {
		settle()
	}
	return r.Measure(ctx)
}

// Measure interleaves the runs of one case and adds a series for each to the report. about names
// group, axis, case and unit of them.
func (r *Report) Measure(ctx context.Context, rounds int, about Series, runs []Run, settle func()) error {
	values, err := Interleave(ctx, rounds, runs, settle)
	if err != nil {
		return fmt.Errorf("%s, %s %s: %w", about.Group, about.Case, about.Axis, err)
	}
	for i := range runs {
		about.Contender, about.Values = runs[i].Name, values[i]
		r.Series = append(r.Series, about)
	}
	return nil
}
