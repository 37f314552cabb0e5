package latinsquare_test

import (
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/internal/latinsquare"
)

// TestBalanced counts who is where, and who comes after whom.
func TestBalanced(t *testing.T) {
	for n := range 10 {
		all := n * (1 + n%2)
		places, followed := map[[2]int]int{}, map[[2]int]int{}
		for round := range all {
			order := latinsquare.Row(n, round)
			for place, who := range order {
				places[[2]int{place, who}]++
				if place > 0 {
					followed[[2]int{order[place-1], who}]++
				}
			}
			if slices.Sort(order); len(slices.Compact(order)) != n {
				t.Errorf("not all of %d are in round %d", n, round)
			}
		}
		for a := range n {
			for b := range n {
				if got := places[[2]int{a, b}]; got != all/n {
					t.Errorf("of %d, %d is %d times in place %d", n, b, got, a)
				}
				if got := followed[[2]int{a, b}]; a != b && got != all/n {
					t.Errorf("of %d, %d comes %d times after %d", n, b, got, a)
				}
			}
		}
	}
}

// TestFewRounds: in five rounds, as is the default, nobody comes three times after the same.
func TestFewRounds(t *testing.T) {
	for n := 4; n < 10; n++ {
		followed := map[[2]int]int{}
		for round := range 5 {
			order := latinsquare.Row(n, round)
			for place := 1; place < n; place++ {
				pair := [2]int(order[place-1 : place+1])
				if followed[pair]++; followed[pair] > 2 {
					t.Errorf("of %d, %d comes more than twice after %d", n, pair[1], pair[0])
				}
			}
		}
	}
}
