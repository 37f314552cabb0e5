package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

// choices is a flag: some of the texts that are known, each at most once. Its default is all of them.
func choices(known ...string) cli.List[string] {
	return cli.List[string]{Values: known, Parse: func(word string, before []string) (string, error) {
		switch {
		case !slices.Contains(known, word):
			return "", fmt.Errorf("%q is none of %s", word, strings.Join(known, ", "))
		case slices.Contains(before, word):
			return "", fmt.Errorf("%q is there twice", word)
		}
		return word, nil
	}}
}
