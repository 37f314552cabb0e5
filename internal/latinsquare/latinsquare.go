// Package latinsquare says in which order those who are measured beside each other take their turns.
package latinsquare

import "slices"

// Row is in which order n of them, 0 to n-1, take their turns in a round. What one leaves to the next,
// as a warm cache or a disk that is still busy, would look like a property of the next if that were
// always the same one. So each is in each place equally often and follows each other one equally
// often, in n rounds or, if n is odd, in 2n: it is a row of a Williams design, a balanced Latin square.
func Row(n, round int) []int {
	row := make([]int, n)
	for place := range row {
		step := (place + 1) / 2 // 0, 1, n-1, 2, n-2: any two neighbours are as far apart as no others
		if place%2 == 0 {
			step = n - step
		}
		row[place] = (step + round) % n
	}
	if n%2 == 1 && round%2 == 1 {
		slices.Reverse(row) // of an odd number some only precede others, but for this
	}
	return row
}
