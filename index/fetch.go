package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// GetByView is the Get of a Store that has nothing quicker than its view.
func GetByView(
	ctx context.Context, view func(context.Context, func(Reader) error) error, keys [][]byte,
) (values [][]byte, err error) {
	values = make([][]byte, len(keys))
	err = view(ctx, func(r Reader) error {
		for i, key := range keys {
			value, err := r.Get(key)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			values[i] = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Fetch returns a Reader of the records under keys, as Get of s has them. It stays valid. Reading
// an invalid key from it fails with ErrInvalidKey. It cannot read other records and has no scans:
// trying to is a mistake of the caller's, and an error of its own.
func Fetch(ctx context.Context, s Store, keys ...[]byte) (Reader, error) {
	f := &fetched{keys: make([][]byte, 0, len(keys))}
	for _, key := range keys {
		if checkKey(key) == nil {
			f.keys = append(f.keys, key)
		}
	}
	var err error
	if f.values, err = s.Get(ctx, f.keys...); err != nil {
		return nil, err
	}
	return f, nil
}

// FetchOne returns the record under k, with the errors of Get.
func FetchOne[R any, P record[R]](ctx context.Context, s Store, k Key[R]) (R, error) {
	values, err := s.Get(ctx, k)
	if err == nil && values[0] == nil {
		err = ErrNotFound
	}
	if err != nil {
		var none R
		return none, err
	}
	return Decode[R, P](k, values[0])
}

// fetched is a Reader of a few records.
type fetched struct {
	keys, values [][]byte
}

// Get implements Reader.
func (f *fetched) Get(key []byte) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	for i, k := range f.keys {
		if string(k) != string(key) {
			continue
		}
		if f.values[i] == nil {
			return nil, ErrNotFound
		}
		return cloned(f.values[i]), nil
	}
	return nil, fmt.Errorf("index: the record under %q was not fetched", key)
}

// Scan implements Reader.
func (f *fetched) Scan(_, _ []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		yield(Item{}, errors.New("index: what was fetched cannot be scanned"))
	}
}
