package main

import "slices"

// order is in which order n take their turns in a round: a row of a Williams design, so that each is
// in each place and follows each other one equally often, in n rounds or, if n is odd, in 2n. What
// one leaves to the next does not always hit the same one then.
//
// It is that of the module above, whose benchmarks are internal there.
func order(n, round int) []int {
	places := make([]int, n)
	for place := range places {
		step := (place + 1) / 2 // 0, 1, n-1, 2, n-2: any two neighbours are as far apart as no others
		if place%2 == 0 {
			step = n - step
		}
		places[place] = (step + round) % n
	}
	if n%2 == 1 && round%2 == 1 {
		slices.Reverse(places) // of an odd number some only precede others, but for this
	}
	return places
}
