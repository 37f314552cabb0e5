package engine

import "fmt"

// Rules are what differs between the services whose semantics a bucket follows. A bucket gets its
// rules when it is created and keeps them.
type Rules struct {
	// Name is stored with the bucket.
	Name string

	// MinPartSize is the smallest size in bytes of a listed part other than the last, checked by
	// CompleteMultipartUpload only.
	MinPartSize int64
}

// OSS are the rules of Alibaba Cloud OSS: parts of at least 100 KiB, ETags in upper case, the
// object's ETag made over the text of the part ETags, a repeated Complete fails with NoSuchUpload.
var OSS = Rules{Name: "OSS", MinPartSize: 100 << 10}

// Limits that hold under all rules.
const (
	MaxPartNumber = 10000   // part numbers begin at 1
	MaxPartSize   = 5 << 30 // bytes
	MaxKeyLength  = 1023    // bytes of an object's name
	MaxListing    = 1000    // entries of one page of a listing
)

// validate accepts the values of this package only: a bucket stores no more than the name.
func (r Rules) validate() error {
	if known, ok := rulesNamed(r.Name); !ok || r != known {
		return fmt.Errorf("Rules %q are not known; use engine.OSS", r.Name)
	}
	return nil
}

// rulesNamed returns the rules that a bucket's record names.
func rulesNamed(name string) (Rules, bool) {
	if name == OSS.Name {
		return OSS, true
	}
	return Rules{}, false
}
