package engine_test

import (
	"slices"
	"testing"
)

// A fact is something that succeeds: do returns an error if what comes out is not as the fact says.
type fact struct {
	op, when string
	do       func(*world) error
}

// facts are what is done, each in a world of its own.
func facts() []fact {
	return slices.Concat(
		listingFacts(), uploadFacts(), objectFacts(), encryptionFacts(), s3Facts(),
	)
}

// TestFacts shows the facts.
func TestFacts(t *testing.T) {
	t.Parallel()
	ring := keys(t)
	for _, row := range facts() {
		t.Run(row.op+"/"+row.when, func(t *testing.T) {
			if err := row.do(newWorld(t, ring)); err != nil {
				t.Error(err)
			}
		})
	}
}
