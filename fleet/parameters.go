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

// parse parses a URL, and its parameters. Errors do not repeat it, since there may be a password
// in it.
func parse(text string) (*url.URL, *parameters, error) {
	u, err := url.Parse(text)
	if told, ok := errors.AsType[*url.Error](err); ok {
		err = told.Err
	}
	if err != nil {
		return nil, nil, fmt.Errorf("not a URL: %w", err)
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, fmt.Errorf("its parameters: %w", err)
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
