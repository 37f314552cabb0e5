package soak_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/gabion-storage/gabion/bench/internal/soak"
)

func whole(c soak.Content) []byte {
	p := make([]byte, c.Size)
	c.Fill(p, 0)
	return p
}

func TestContentRanges(t *testing.T) {
	for _, c := range []soak.Content{{Seed: 7, Size: 20_000}, {Seed: 7, Size: 20_000, Repetitive: true}} {
		all := whole(c)
		for _, at := range []int64{0, 1, 4095, 4096, 4097, 8192, 19_999} {
			for _, n := range []int64{0, 1, 4095, 4096, 4097, 9000} {
				n = min(n, c.Size-at)
				p := make([]byte, n)
				if c.Fill(p, at); !bytes.Equal(p, all[at:at+n]) {
					t.Errorf("%+v: %d bytes from %d on differ", c, n, at)
				}
			}
		}
	}
	if bytes.Equal(whole(soak.Content{Seed: 1, Size: 100}), whole(soak.Content{Seed: 2, Size: 100})) {
		t.Error("two seeds have the same bytes")
	}
}

func TestCompare(t *testing.T) {
	c := soak.Content{Seed: 3, Size: 300_000}
	all := whole(c)
	wrong := bytes.Clone(all)
	wrong[299_999] ^= 1
	failed := errors.New("failed")
	for _, test := range []struct {
		name string
		r    io.Reader
		want error // nil: right; errWrong: any *WrongError
	}{
		{"right", bytes.NewReader(all[100:]), nil},
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(all[100:])), nil},
		{"end with the data", iotest.DataErrReader(bytes.NewReader(all[100:])), nil},
		{"wrong byte", bytes.NewReader(wrong[100:]), errWrong},
		{"from elsewhere", bytes.NewReader(all[101:]), errWrong},
		{"short", bytes.NewReader(all[100:299_999]), errWrong},
		{"empty", bytes.NewReader(nil), errWrong},
		{"long", bytes.NewReader(append(bytes.Clone(all[100:]), 0)), errWrong},
		{"error", io.MultiReader(bytes.NewReader(all[100:200]), iotest.ErrReader(failed)), failed},
	} {
		err := c.Compare(test.r, 100, c.Size-100)
		switch {
		case test.want == errWrong && !isWrong(err), test.want != errWrong && !errors.Is(err, test.want):
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// errWrong stands for any WrongError.
var errWrong = errors.New("any")

func isWrong(err error) bool {
	var wrong *soak.WrongError
	return errors.As(err, &wrong)
}
