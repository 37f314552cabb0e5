package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestRanges is OSS's table: what does not fit is ignored, unless the behaviour asked for is
// "standard".
func TestRanges(t *testing.T) {
	e := openTemp(t, nil)
	mustObject(t, e, "bucket", "key", "", []byte("0123456789"))
	done := mustObject(t, e, "bucket", "empty", "")
	const unsatisfiable = "416"
	for _, row := range []struct{ rng, byDefault, standard string }{
		{"", "0123456789", "0123456789"},
		{"bytes=0-9", "0123456789", "0123456789"},
		{"bytes=2-4", "234", "234"},
		{"bytes=9-9", "9", "9"},
		{"bytes=3-", "3456789", "3456789"},
		{"bytes=-3", "789", "789"},
		{"bytes=-10", "0123456789", "0123456789"},
		{"bytes=8-10", "0123456789", "89"}, // reaches beyond the end
		{"bytes=0-1000", "0123456789", "0123456789"},
		{"bytes=10-", "0123456789", unsatisfiable}, // begins there
		{"bytes=10-12", "0123456789", unsatisfiable},
		{"bytes=-11", "0123456789", "0123456789"},
		{"bytes=-0", unsatisfiable, unsatisfiable},
		{"Bytes=2-4", "234", "234"},
		{"BYTES=-3", "789", "789"},
		{"bytes=4-2", "0123456789", "0123456789"}, // malformed, all of these
		{"byte=0-4", "0123456789", "0123456789"},
		{"bytes=", "0123456789", "0123456789"},
		{"bytes=-", "0123456789", "0123456789"},
		{"bytes=a-b", "0123456789", "0123456789"},
		{"bytes=1-2-3", "0123456789", "0123456789"},
		{"bytes=+1-2", "0123456789", "0123456789"},
		{"bytes=1", "0123456789", "0123456789"},
		// Larger than any integer.
		{"bytes=0-99999999999999999999", "0123456789", "0123456789"},
		{"bytes=4-99999999999999999999", "0123456789", "456789"},
		{"bytes=99999999999999999999-", "0123456789", unsatisfiable},
		{"bytes=99999999999999999998-99999999999999999999", "0123456789", unsatisfiable},
		{"bytes=20000000000000000000-5", "0123456789", "0123456789"},
		{"bytes=-99999999999999999999", "0123456789", "0123456789"},
	} {
		for behaviour, want := range map[engine.RangeBehavior]string{"": row.byDefault, engine.RangeStandard: row.standard} {
			obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key", Range: row.rng, RangeBehavior: behaviour})
			if want == unsatisfiable {
				if !errors.Is(err, engine.ErrInvalidRange) {
					t.Errorf("%q %s: %v, want ErrInvalidRange", row.rng, behaviour, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%q %s: %v", row.rng, behaviour, err)
				continue
			}
			if got, err := io.ReadAll(obj); string(got) != want || err != nil {
				t.Errorf("%q %s: %q, %v, want %q", row.rng, behaviour, got, err, want)
			}
			obj.Close()
		}
	}
	obj := mustGet(t, e, "bucket", "empty", "")
	if obj.ETag != done.ETag || obj.Size != 0 {
		t.Errorf("the empty object is %+v", obj.ObjectInfo)
	}
}

var rangeSyntax = regexp.MustCompile(`^(?i:bytes)=([0-9]*)-([0-9]*)$`)

// plainRange works out a range the plain way. ok is false for one that cannot be satisfied.
func plainRange(text string, size int64, standard bool) (start, length int64, partial, ok bool) {
	if !standard {
		text, _, _ = strings.Cut(text, ",")
	}
	m := rangeSyntax.FindStringSubmatch(text)
	if m == nil || m[1] == "" && m[2] == "" {
		return 0, size, false, true
	}
	from, fromGiven := new(big.Int).SetString(m[1], 10)
	to, toGiven := new(big.Int).SetString(m[2], 10)
	end := big.NewInt(size)
	if fromGiven && toGiven && to.Cmp(from) < 0 {
		return 0, size, false, true
	}
	fits := true
	switch {
	case !fromGiven: // the last bytes
		if to.Sign() == 0 {
			return 0, 0, false, false
		}
		if size == 0 {
			return 0, 0, false, true
		}
		fits, ok = to.Cmp(end) <= 0, true
		start = size - min(size, clamp(to))
		length = size - start
	case from.Cmp(end) >= 0:
		fits, ok = false, false
	default:
		ok = true
		start = from.Int64()
		length = size - start
		if toGiven {
			fits = to.Cmp(end) < 0
			length = min(length, clamp(to)-start+1)
		}
	}
	if !standard && !fits {
		return 0, size, false, true
	}
	return start, length, true, ok
}

func clamp(n *big.Int) int64 {
	if !n.IsInt64() {
		return 1<<63 - 1 - 1
	}
	return min(n.Int64(), 1<<63-1-1)
}

// FuzzRange reads any range of three objects and compares with the plain way.
func FuzzRange(f *testing.F) {
	for _, s := range []string{
		"", "bytes=0-", "bytes=0-0", "bytes=-1", "bytes=1-", "bytes=4095-4096", "bytes=-4097", "bytes=10000-", "bytes=9999-", "bytes=0-1", "bytes=1-9999", "bytes=1-10000", "bytes=-10000", "bytes=-10001", "bytes=-0", "bytes=--1",
		"bytes=0-0,2-3", "bytes= 0-1", "BYTES=0-1", "bytes=00000000000000000000000001-2", "bytes=1152921504606846976-", "bytes=0-1152921504606846976",
		"bytes=9223372036854775807-9223372036854775808", "bytes=18446744073709551616-1", "bytes=0-18446744073709551615", "bytes=-18446744073709551620",
		"bytes=20000000000000000000-5", "bytes=36893488147419103232-36893488147419103233", "bytes=\u0661-\u0662", "bytes=-\x00", "bytes=5-3",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	e := openTemp(f, &engine.Options{ChunkSize: 4 << 10})
	data := random(1, 10000)
	sizes := []int{0, 1, len(data)}
	for _, size := range sizes {
		mustObject(f, e, "bucket", fmt.Sprint(size), "", data[:size])
	}
	f.Fuzz(func(t *testing.T, rng string, standard bool) {
		var behaviour engine.RangeBehavior
		if standard {
			behaviour = engine.RangeStandard
		}
		for _, size := range sizes {
			start, length, partial, ok := plainRange(rng, int64(size), standard)
			obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: fmt.Sprint(size), Range: rng, RangeBehavior: behaviour})
			if !ok {
				if !errors.Is(err, engine.ErrInvalidRange) {
					t.Fatalf("%q of %d bytes: %v, want ErrInvalidRange", rng, size, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%q of %d bytes: %v", rng, size, err)
			}
			gotStart, gotLength, gotPartial := selected(obj)
			if gotStart != start || gotLength != length || gotPartial != partial {
				t.Fatalf("%q of %d bytes is %d, %d, %t, want %d, %d, %t", rng, size, gotStart, gotLength, gotPartial, start, length, partial)
			}
			if got, err := io.ReadAll(obj); err != nil || !bytes.Equal(got, data[start:start+length]) {
				t.Fatalf("%q of %d bytes reads %d bytes, %v", rng, size, len(got), err)
			}
			obj.Close()
		}
	})
}
