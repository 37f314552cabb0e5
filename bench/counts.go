package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

// counts is a flag: numbers of at least 1 and at most most, each at most once.
type counts struct {
	most int
	list []int
}

// Set implements flag.Value.
func (c *counts) Set(text string) error {
	var list []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 || n > c.most {
			return fmt.Errorf("%q is not a number from 1 to %d", field, c.most)
		}
		if slices.Contains(list, n) {
			return fmt.Errorf("%d is there twice", n)
		}
		list = append(list, n)
	}
	c.list = list
	return nil
}

// String implements flag.Value.
func (c *counts) String() string {
	texts := make([]string, len(c.list))
	for i, n := range c.list {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

const maxRounds = 1000

func checkRounds(rounds int) error {
	if rounds < 1 || rounds > maxRounds {
		return cli.Usagef("-rounds is %d, must be 1 to %d", rounds, maxRounds)
	}
	return nil
}
