package soak_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/bench/internal/soak"
)

// curve makes 60 values.
func curve(value func(i int) float64) []float64 {
	values := make([]float64, 60)
	for i := range values {
		values[i] = value(i)
	}
	return values
}

func TestRule(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name   string
		values []float64
		grows  bool
	}{
		{"level", curve(func(int) float64 { return 100 }), false},
		{"zero", curve(func(int) float64 { return 0 }), false},
		{"noise", curve(func(int) float64 { return 100 + 60*rng.Float64() }), false},
		{"falling", curve(func(i int) float64 { return 200 - float64(i) }), false},
		{"warming up", curve(func(i int) float64 { return 100 * min(float64(i)/20, 1) }), false},
		{"approaching a level", curve(func(i int) float64 { return 500 * (1 - math.Exp(-float64(i)/12)) }), false},
		{"saw tooth", curve(func(i int) float64 { return 50 + 40*float64(i%7) }), false},
		{"a tooth or two more at the end", curve(func(i int) float64 { return 100 + 40*float64((i%5+1+i/40)/4) }), false},
		{"one spike", curve(func(i int) float64 { return 100 + 10_000*float64(i/50%2*(1-min(i%50, 1))) }), false},
		{"a spike in each third", curve(func(i int) float64 { return 100 + 10_000*float64(1-min(i%19, 1)) }), false},
		{"growing within the slack", curve(func(i int) float64 { return float64(i) / 4 }), false},
		{"growing from nothing", curve(func(i int) float64 { return 5 * float64(i) }), true},
		{"growing slowly", curve(func(i int) float64 { return 100 + 2.5*float64(i) }), true},
		{"growing slowly with noise", curve(func(i int) float64 { return 100 + 5*float64(i) + 40*rng.Float64() }), true},
		{"growing saw tooth", curve(func(i int) float64 { return 6*float64(i) + 20*float64(i%7) }), true},
		{"doubling at the end", curve(func(i int) float64 { return 100 * (1 + float64(i/40)) }), true},
	} {
		if err := soak.CheckRule(1.5, 1.2, 10, test.values); (err != nil) != test.grows {
			t.Errorf("%s: %v; want growth %v", test.name, err, test.grows)
		}
	}
}

// calls are so many that took a millisecond each, but for the slowest.
func calls(n int, slowest time.Duration) []time.Duration {
	return append(slices.Repeat([]time.Duration{time.Millisecond}, n-1), slowest)
}

func judge(samples []soak.Sample) (unjudged []string, err error) {
	return soak.Rules{Latency: true}.Judge(samples)
}

// verdicts is how many of so many runs have curves of copies that are found to grow. took makes the
// calls of an interval.
func verdicts(runs int, intervals func(rng *rand.Rand) func(i int) []time.Duration) (grow int) {
	for seed := range uint64(runs) {
		took, all := intervals(rand.New(rand.NewPCG(seed, 1))), samples()
		for i := range all {
			all[i].Took["copy"] = slices.Sorted(slices.Values(took(i)))
		}
		if _, err := judge(all); err != nil {
			grow++
		}
	}
	return grow
}

// TestRareCalls judges calls of which some are slow and few come in an interval. They do not get
// slower, though the slowest of an interval may happen to; and when they do, it must be seen. What
// is chance is so for fixed seeds.
func TestRareCalls(t *testing.T) {
	const runs = 400
	copies := func(rng *rand.Rand, slower time.Duration) []time.Duration {
		took := make([]time.Duration, 20)
		for n := range took {
			took[n] = slower
			if rng.IntN(12) == 0 {
				took[n] += slower * time.Duration(rng.IntN(700))
			}
		}
		return took
	}
	alarms := verdicts(runs, func(rng *rand.Rand) func(int) []time.Duration {
		return func(int) []time.Duration { return copies(rng, time.Millisecond) }
	})
	found := verdicts(runs, func(rng *rand.Rand) func(int) []time.Duration {
		return func(i int) []time.Duration { return copies(rng, time.Millisecond*time.Duration(1+3*(i/40))) }
	})
	t.Logf("of %d runs each, %d that are level are found to grow, and %d that grow", runs, alarms, found)
	if alarms > 0 || found < runs*95/100 {
		t.Errorf("%d false alarms, and %d found of %d runs that grow", alarms, found, runs)
	}
}

// TestBusyMachine has all calls be ten times slower while the machine does other things, for three
// intervals on average and again and again. Calls of an interval are slow together.
func TestBusyMachine(t *testing.T) {
	const runs = 400
	alarms := verdicts(runs, func(rng *rand.Rand) func(int) []time.Duration {
		busy := false
		return func(int) []time.Duration {
			busy = busy && rng.IntN(3) > 0 || !busy && rng.IntN(10) == 0
			took := make([]time.Duration, 50)
			for n := range took {
				took[n] = time.Duration(20 * math.Exp(rng.NormFloat64()) * float64(time.Millisecond))
				if busy {
					took[n] *= 10
				}
			}
			return took
		}
	})
	t.Logf("%d false alarms in %d runs", alarms, runs)
	if alarms > runs*6/100 {
		t.Errorf("%d false alarms in %d runs", alarms, runs)
	}
}

// TestMoment has the machine stand still for a moment near the end: all calls of some intervals are
// slow.
func TestMoment(t *testing.T) {
	all := samples()
	for i := 50; i < 55; i++ {
		all[i].Took["read"] = slices.Repeat([]time.Duration{3 * time.Second}, 20)
	}
	if _, err := judge(all); err != nil {
		t.Error(err)
	}
}

// What calls take is judged when it is asked for, and when there are enough of them.
func TestLatency(t *testing.T) {
	slower := func(n int) []soak.Sample {
		all := samples()
		for i := range all {
			all[i].Took["read"] = calls(n, time.Duration(1+i)*time.Second)
		}
		return all
	}
	if _, err := judge(slower(10)); err == nil {
		t.Error("200 calls in a third: growth is not found")
	}
	if unjudged, err := judge(slower(9)); err != nil || !slices.Equal(unjudged, []string{"read"}) {
		t.Errorf("180 calls in a third: %q, %v; want them unjudged", unjudged, err)
	}
	unjudged, err := soak.Rules{}.Judge(slower(10))
	if err != nil || len(unjudged) > 0 {
		t.Errorf("not asked for: %q, %v", unjudged, err)
	}
}

// kinds are some.
var kinds = []string{"put", "copy", "read", soak.KindSlow}

// samples are of a store that is as it should be.
func samples() []soak.Sample {
	all := make([]soak.Sample, 60)
	for i := range all {
		all[i] = soak.Sample{
			At: time.Duration(i+1) * time.Second, Live: 1 << 30, Disk: 1 << 30, Rate: 100,
			Resident: 200 << 20, Heap: 100 << 20, Goroutines: 100, Handles: 50,
			Took: map[string][]time.Duration{},
		}
		for _, kind := range kinds {
			all[i].Took[kind] = calls(10, 10*time.Millisecond)
		}
	}
	return all
}

func TestJudge(t *testing.T) {
	if unjudged, err := judge(samples()); err != nil || len(unjudged) > 0 {
		t.Errorf("level curves: %v, %v", unjudged, err)
	}
	if unjudged, err := judge(samples()[:5]); err != nil || len(unjudged) == 0 {
		t.Errorf("five samples: %v, %v", unjudged, err)
	}
	for _, test := range []struct {
		want string // "": it is no fault
		grow func(s *soak.Sample, i int64)
	}{
		{"resident", func(s *soak.Sample, i int64) { s.Resident += i * 10 << 20 }},
		{"Go heap", func(s *soak.Sample, i int64) { s.Heap += i * 10 << 20 }},
		{"goroutines", func(s *soak.Sample, i int64) { s.Goroutines += int(10 * i) }},
		{"handles", func(s *soak.Sample, i int64) { s.Handles += int(10 * i) }},
		{"trash, MiB", func(s *soak.Sample, i int64) { s.TrashBytes += i * 20 << 20 }},
		{"parts", func(s *soak.Sample, i int64) { s.Trash += 100 * i }},
		{"dead", func(s *soak.Sample, i int64) { s.Dead += i * 20 << 20 }},
		{"after 31s: ", func(s *soak.Sample, i int64) { // once is enough
			if i == 30 {
				s.Disk = s.Live*3/2 + 257<<20
			}
		}},
		{"", func(s *soak.Sample, i int64) { s.Disk = s.Live*3/2 + 255<<20 }},
		{"", func(s *soak.Sample, i int64) { s.Live, s.Disk = s.Live+i<<20, s.Disk+i<<20 }},
		{"put, ms", func(s *soak.Sample, i int64) {
			s.Took["put"] = calls(10, time.Duration(10*i)*time.Millisecond)
		}},
		{"", func(s *soak.Sample, i int64) {
			s.Took[soak.KindSlow] = calls(10, time.Duration(10*i)*time.Millisecond)
		}},
	} {
		all := samples()
		for i := range all {
			test.grow(&all[i], int64(i))
		}
		_, err := judge(all)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.want, err)
		}
	}
}

// TestReportOfLateSamples adds samples of which one was late, so that the next followed at once.
func TestReportOfLateSamples(t *testing.T) {
	late := samples()[:2]
	late[1].At = late[0].At + 100*time.Microsecond
	r := report.New("late", "soak", t.TempDir())
	soak.AddTo(r, late)
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
}
