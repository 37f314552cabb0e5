package main

import (
	"fmt"
	"slices"
	"strings"
)

// choices is a flag: some of the texts that are known, each at most once.
type choices struct {
	known []string
	list  []string
}

// choiceOf is a flag whose default is all of known.
func choiceOf(known ...string) choices { return choices{known: known, list: known} }

// Set implements flag.Value.
func (c *choices) Set(text string) error {
	list := strings.Split(text, ",")
	for i, field := range list {
		switch {
		case !slices.Contains(c.known, field):
			return fmt.Errorf("%q is none of %s", field, strings.Join(c.known, ", "))
		case slices.Contains(list[:i], field):
			return fmt.Errorf("%q is there twice", field)
		}
	}
	c.list = list
	return nil
}

// String implements flag.Value.
func (c *choices) String() string { return strings.Join(c.list, ",") }

// has tells whether text was chosen.
func (c *choices) has(text string) bool { return slices.Contains(c.list, text) }
