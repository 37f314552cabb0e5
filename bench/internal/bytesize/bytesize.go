// Package bytesize reads and writes numbers of bytes with units.
package bytesize

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The units of sizes, largest first.
var units = []struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
}

// A Size is a number of bytes.
type Size int64

// String returns the shortest text that Parse takes for s.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && int64(s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Parse reads a Size as String writes it: bytes, or a whole number of KiB, MiB or GiB.
func Parse(text string) (Size, error) {
	digits, unit := text, int64(1)
	for _, u := range units {
		if rest, found := strings.CutSuffix(text, u.name); found {
			digits, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size, as 1048576, 100KiB, 8MiB or 1GiB", text)
	}
	if int64(n) > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is too large a size", text)
	}
	return Size(int64(n) * unit), nil
}
