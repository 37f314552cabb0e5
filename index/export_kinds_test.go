package index

import "reflect"

// Codec is what a record has beside being one, for generic tests.
type Codec = versioned

// A Kind is what has a version: a kind of record, or fields that several kinds have.
type Kind struct {
	Name    string
	Version byte // the newest

	// Encode makes a record of an *R.
	Encode func(key []byte, rec any) ([]byte, error)
	// Decode returns the R of a record, and whether an older version is in it.
	Decode func(key, value []byte) (rec any, older bool, err error)
	// Recode decodes a record and encodes what came out.
	Recode func(key, value []byte) (again []byte, older bool, err error)
}

func kind[R any, P record[R]]() Kind {
	decode := func(key, value []byte) (rec R, older bool, err error) {
		if rec, err = Decode[R, P](key, value); err != nil {
			return rec, false, err
		}
		d := decoder{key: key, buf: value[:len(value)-checksumSize]}
		d.versioned(P(new(R)))
		return rec, d.older, nil
	}
	return Kind{
		Name: reflect.TypeFor[R]().Name(), Version: P(nil).version(),
		Encode: func(key []byte, rec any) ([]byte, error) { return seal[R](key, rec.(P)) },
		Decode: func(key, value []byte) (any, bool, error) { return decode(key, value) },
		Recode: func(key, value []byte) ([]byte, bool, error) {
			rec, older, err := decode(key, value)
			if err != nil {
				return nil, false, err
			}
			again, err := seal[R](key, P(&rec))
			return again, older, err
		},
	}
}

// Kinds are all of them.
var Kinds = []Kind{
	kind[Header](), kind[Bucket](), kind[Upload](), kind[Part](), kind[Directory](), kind[Page](), kind[Inline](), kind[Object](),
	kind[Shared](), kind[Completed](), kind[Chunk](), kind[Volume](), kind[Trash](), kind[Answer](), kind[Idle](), kind[Ends](),
	kind[Totals](), kind[Attributes](), kind[Encryption](), kind[Checksum](), kind[Node](), kind[Fleet](), kind[Condemned](),
	kind[Clone](),
}
