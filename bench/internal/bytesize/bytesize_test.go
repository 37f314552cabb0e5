package bytesize_test

import (
	"math"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
)

var sizeTests = []struct {
	text string
	want bytesize.Size // negative for an error
}{
	{"0", 0},
	{"1", 1},
	{"1048576", 1 << 20},
	{"100KiB", 100 << 10},
	{"8MiB", 8 << 20},
	{"1GiB", 1 << 30},
	{"9223372036854775807", math.MaxInt64},
	{"9223372036854775808", -1},
	{"8589934591GiB", 8589934591 << 30},
	{"8589934592GiB", -1},
	{"", -1},
	{"KiB", -1},
	{"-1", -1},
	{"+1", -1},
	{"1.5MiB", -1},
	{"8MB", -1},
	{"8mib", -1},
	{"8 MiB", -1},
	{"8MiBKiB", -1},
	{"0x10", -1},
	{"1_000", -1},
}

func TestParse(t *testing.T) {
	for _, test := range sizeTests {
		got, err := bytesize.Parse(test.text)
		if test.want < 0 && err == nil {
			t.Errorf("Parse(%q) = %d, want an error", test.text, got)
		}
		if test.want >= 0 && (err != nil || got != test.want) {
			t.Errorf("Parse(%q) = %d, %v; want %d", test.text, got, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, test := range sizeTests {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := bytesize.Parse(text)
		if err != nil {
			return
		}
		if n < 0 {
			t.Fatalf("Parse(%q) = %d", text, n)
		}
		if again, err := bytesize.Parse(n.String()); err != nil || again != n {
			t.Fatalf("Parse(%q) = %d, whose text %q parses as %d, %v", text, n, n, again, err)
		}
	})
}
