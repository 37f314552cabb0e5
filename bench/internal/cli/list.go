package cli

import (
	"fmt"
	"strings"
)

// A List is a flag: values with commas between them.
type List[T any] struct {
	Values []T
	Parse  func(word string, before []T) (T, error) // before are the values of the words before it
}

// Set implements flag.Value.
func (l *List[T]) Set(text string) error {
	var values []T
	for word := range strings.SplitSeq(text, ",") {
		value, err := l.Parse(word, values)
		if err != nil {
			return err
		}
		values = append(values, value)
	}
	l.Values = values
	return nil
}

// String returns the text that Set takes for l.
func (l List[T]) String() string {
	words := make([]string, len(l.Values))
	for i, value := range l.Values {
		words[i] = fmt.Sprint(value)
	}
	return strings.Join(words, ",")
}
