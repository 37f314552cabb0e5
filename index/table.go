package index

import "iter"

// Get returns the record under k, or ErrNotFound. A record that is not what was stored under k is a
// *CorruptionError; one that a newer version of this package has written is a *VersionError.
func Get[R any, P record[R]](r Reader, k Key[R]) (R, error) {
	rec, err := Find[R, P](r, k)
	if err != nil {
		var none R
		return none, err
	}
	return *rec, nil
}

// Find is Get for a large record, which it does not copy. It returns nil with an error.
func Find[R any, P record[R]](r Reader, k Key[R]) (*R, error) {
	if len(k) == 0 {
		return nil, ErrInvalidKey
	}
	value, err := r.Get(k)
	if err != nil {
		return nil, err
	}
	return open[R, P](k, value)
}

// Decode returns the record that an Item of a Scan holds, with the errors of Get. The value is the
// record's from then on.
func Decode[R any, P record[R]](k Key[R], value []byte) (rec R, err error) {
	decoded, err := open[R, P](k, value)
	if err == nil {
		rec = *decoded
	}
	return rec, err
}

// Put stores a record under k. One with a field over its limit is refused with ErrInvalidRecord.
func Put[R any, P record[R]](tx Tx, k Key[R], rec *R) error {
	if len(k) == 0 {
		return ErrInvalidKey
	}
	value, err := seal[R](k, P(rec))
	if err != nil {
		return err
	}
	if t, own := tx.(owner); own {
		return t.putOwn(k, value)
	}
	return tx.Put(k, value)
}

// An owner is a Tx that can be given a value for good, where Put would copy it.
type owner interface {
	putOwn(key, value []byte) error
}

// Delete removes the record under k, if there is one.
func Delete[R any](tx Tx, k Key[R]) error {
	if len(k) == 0 {
		return ErrInvalidKey
	}
	return tx.Delete(k)
}

// Entry is one record of a Scan.
type Entry[R any] struct {
	Key    Key[R]
	Record R
}

// Scan yields the records of a range in the order of their keys, as Reader.Scan does. It ends at
// the first record that cannot be decoded, with that error.
func Scan[R any, P record[R]](r Reader, rg Range[R]) iter.Seq2[Entry[R], error] {
	return func(yield func(Entry[R], error) bool) {
		for item, err := range r.Scan(rg.Start, rg.End) {
			entry := Entry[R]{Key: item.Key}
			if err == nil {
				entry.Record, err = Decode[R, P](item.Key, item.Value)
			}
			if !yield(entry, err) || err != nil {
				return
			}
		}
	}
}

// ScanAll is a Scan that goes on behind a record that cannot be decoded. Such a record comes with
// its key and the error; an error without a key comes once and last.
func ScanAll[R any, P record[R]](r Reader, rg Range[R]) iter.Seq2[Entry[R], error] {
	return func(yield func(Entry[R], error) bool) {
		for item, err := range r.Scan(rg.Start, rg.End) {
			if err != nil {
				yield(Entry[R]{}, err)
				return
			}
			rec, err := Decode[R, P](item.Key, item.Value)
			if !yield(Entry[R]{Key: item.Key, Record: rec}, err) {
				return
			}
		}
	}
}
