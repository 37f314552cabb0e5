package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

// counts is a flag: numbers of at least 1 and at most most, each at most once. list is its default.
func counts(most int, list ...int) cli.List[int] {
	return cli.List[int]{Values: list, Parse: func(word string, before []int) (int, error) {
		n, err := strconv.Atoi(word)
		switch {
		case err != nil || n < 1 || n > most:
			return 0, fmt.Errorf("%q is not a number from 1 to %d", word, most)
		case slices.Contains(before, n):
			return 0, fmt.Errorf("%d is there twice", n)
		}
		return n, nil
	}}
}

const maxRounds = 1000

func checkRounds(rounds int) error {
	if rounds < 1 || rounds > maxRounds {
		return cli.Usagef("-rounds is %d, must be 1 to %d", rounds, maxRounds)
	}
	return nil
}
