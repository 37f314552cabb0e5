package main

import "testing"

// TestOrder counts who is where, and who comes after whom.
func TestOrder(t *testing.T) {
	for n := range 10 {
		rounds := n * (1 + n%2)
		places, followed := map[[2]int]int{}, map[[2]int]int{}
		for round := range rounds {
			turns := order(n, round)
			for place, who := range turns {
				places[[2]int{place, who}]++
				if place > 0 {
					followed[[2]int{turns[place-1], who}]++
				}
			}
		}
		for a := range n {
			for b := range n {
				if got := places[[2]int{a, b}]; got != rounds/n {
					t.Errorf("of %d, %d is %d times in place %d", n, b, got, a)
				}
				if got := followed[[2]int{a, b}]; a != b && got != rounds/n {
					t.Errorf("of %d, %d comes %d times after %d", n, b, got, a)
				}
			}
		}
	}
}
