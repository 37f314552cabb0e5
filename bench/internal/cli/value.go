package cli

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
)

// within is a parser of values from least to most.
func within[T cmp.Ordered](least, most T, parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (none T, err error) {
		parsed, err := parse(text)
		if err == nil && !(parsed >= least && parsed <= most) {
			err = fmt.Errorf("%v must be %v to %v", parsed, least, most)
		}
		return parsed, err
	}
}

// A value is a flag of one value.
type value[T any] struct {
	at    *T
	parse func(text string) (T, error)
}

// String implements flag.Value.
func (v value[T]) String() string {
	var shown T // of the zero value, which package flag compares defaults with
	if v.at != nil {
		shown = *v.at
	}
	return fmt.Sprint(shown)
}

// Set implements flag.Value.
func (v value[T]) Set(text string) error {
	parsed, err := v.parse(text)
	if err == nil {
		*v.at = parsed
	}
	return err
}

// Int defines a flag of a number from least to most. *at is its default.
func Int(flags *flag.FlagSet, at *int, name string, least, most int, usage string) {
	flags.Var(value[int]{at, within(least, most, strconv.Atoi)}, name, usage)
}

// Size defines a flag of a number of bytes from least to most. *at is its default.
func Size(
	flags *flag.FlagSet, at *bytesize.Size, name string, least, most bytesize.Size, usage string,
) {
	flags.Var(value[bytesize.Size]{at, within(least, most, bytesize.Parse)}, name, usage)
}

// MaxRounds bounds -rounds.
const MaxRounds = 1000

// Rounds defines the flag -rounds.
func Rounds(flags *flag.FlagSet, at *int) {
	Int(flags, at, "rounds", 1, MaxRounds, "measurements of each, of which the median counts")
}

// A List is a flag: different values with commas between them.
type List[T comparable] struct {
	Values []T
	Parse  func(word string) (T, error)
}

// Set implements flag.Value.
func (l *List[T]) Set(text string) error {
	var values []T
	for word := range strings.SplitSeq(text, ",") {
		parsed, err := l.Parse(word)
		if err != nil {
			return err
		}
		if slices.Contains(values, parsed) {
			return fmt.Errorf("%v is there twice", parsed)
		}
		values = append(values, parsed)
	}
	l.Values = values
	return nil
}

// String returns the text that Set takes for l.
func (l List[T]) String() string {
	words := make([]string, len(l.Values))
	for i, v := range l.Values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ",")
}

// Choices is a flag of some of the known values. Its default is all of them.
func Choices[T comparable](known ...T) List[T] {
	return List[T]{known, func(word string) (none T, err error) {
		for _, v := range known {
			if fmt.Sprint(v) == word {
				return v, nil
			}
		}
		return none, fmt.Errorf("%q is none of %v", word, known)
	}}
}

// Counts is a flag of numbers from least to most. values are its default.
func Counts(least, most int, values ...int) List[int] {
	return List[int]{values, within(least, most, strconv.Atoi)}
}

// Sizes is a flag of numbers of bytes from least to most. values are its default.
func Sizes(least, most bytesize.Size, values ...bytesize.Size) List[bytesize.Size] {
	return List[bytesize.Size]{values, within(least, most, bytesize.Parse)}
}
