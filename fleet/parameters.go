package fleet

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

// parameters are those of a URL. They are taken one by one; what is left at the end is not known.
type parameters struct {
	left url.Values
	errs []error
}

// errNotURL is what is said of any text that is no URL. What package url says repeats pieces of it, and
// those may be a password's: where that is not escaped its first part passes for a port.
var errNotURL = errors.New("not a URL; / ? # @ % and the like have to be escaped in a password")

// parse parses a URL, and its parameters. Errors do not repeat it, since there may be a password
// in it.
func parse(text string) (*url.URL, *parameters, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, nil, errNotURL
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, errNotURL
	}
	p := &parameters{left: values}
	for name, given := range values {
		if len(given) > 1 {
			p.errs = append(p.errs, fmt.Errorf("%s is given %d times", name, len(given)))
		}
	}
	return u, p, nil
}

// take parses a parameter, if it is given.
func take[T any](p *parameters, name string, to *T, parse func(string) (T, error)) {
	if !p.left.Has(name) {
		return
	}
	value, err := parse(p.left.Get(name))
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", name, err))
	}
	*to = value
	p.left.Del(name)
}

func text[T ~string](value string) (T, error) { return T(value), nil }

func number(value string) (int64, error) { return strconv.ParseInt(value, 10, 64) }

// unknown has what is left count as errors.
func (p *parameters) unknown() {
	for name := range p.left {
		p.errs = append(p.errs, fmt.Errorf("%s is not known", name))
	}
}

func (p *parameters) err() error { return errors.Join(p.errs...) }
