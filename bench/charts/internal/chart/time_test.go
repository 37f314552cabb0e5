package chart_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gabion-storage/gabion/bench/charts/internal/chart"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

// Time runs evenly, and many samples are a line without markers and with few names.
func TestOverTime(t *testing.T) {
	r := &report.Report{Title: "t"}
	for i := range 200 {
		r.Series = append(r.Series, report.Series{
			Group: "g", Axis: report.Seconds, Case: fmt.Sprint(10 * (i + 1)), Contender: "c", Unit: "MiB", Values: []float64{float64(7 + i%2)},
		})
	}
	d := draw(t, r, nil)
	marks, pieces, width := 0, 0, 0.0
	for _, s := range d.Shapes {
		switch s := s.(type) {
		case chart.Polygon:
			marks++
		case chart.Line:
			if s.Width < 2 { // the grid's, or a label's
				continue
			}
			w := s.Points[1].X - s.Points[0].X
			if pieces++; pieces > 1 && math.Abs(w-width) > 1e-6 {
				t.Errorf("piece %d is %g wide, the one before %g", pieces, w, width)
			}
			width = w
		}
	}
	if pieces != 199 || marks > 3 {
		t.Errorf("%d pieces and %d markers, want 199 and that of the label and the end", pieces, marks)
	}
	if named := len(texts(d)); named > 25 {
		t.Errorf("%d texts are drawn", named)
	}
}
