package compare_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/gabion-storage/gabion/bench/internal/compare"
)

func TestReaders(t *testing.T) {
	const block = 256 << 10
	content := make([]byte, 3*block/2)
	for i := range content {
		content[i] = byte(i / 7)
	}
	flipped := func(at int) []byte {
		other := bytes.Clone(content)
		other[at] ^= 0xff
		return other
	}
	last := len(content) - 1
	broken := iotest.ErrReader(errors.New("broken"))
	all, r := func(p []byte) io.Reader { return bytes.NewReader(p) }, bytes.NewReader
	at := func(offset int, got, want string) string {
		return fmt.Sprintf("at offset %d there is %s, must be %s", offset, got, want)
	}
	hex := func(b byte) string { return fmt.Sprintf("%#02x", b) }
	for _, test := range []struct {
		name      string
		got, want io.Reader
		says      string // "" when they are equal
	}{
		{"equal", all(content), all(content), ""},
		{"byte by byte", iotest.OneByteReader(r(content)), iotest.HalfReader(r(content)), ""},
		{"data with EOF", iotest.DataErrReader(r(content)), iotest.DataErrReader(r(content)), ""},
		{"whole blocks", all(content[:block]), all(content[:block]), ""},
		{"empty", all(nil), all(nil), ""},
		{"first byte", all(flipped(0)), all(content), at(0, "0xff", "0x00")},
		{"a byte of the second block", all(flipped(block + 7)), all(content),
			at(block+7, hex(^content[block+7]), hex(content[block+7]))},
		{"last byte", all(content), all(flipped(last)), at(last, hex(content[last]), hex(^content[last]))},
		{"shorter", all(content[:last]), all(content), at(last, "the end", hex(content[last]))},
		{"shorter by a block", all(content[:block]), all(content), at(block, "the end", hex(content[block]))},
		{"nothing", all(nil), all(content), at(0, "the end", "0x00")},
		{"longer", all(content), all(content[:last]), at(last, hex(content[last]), "the end")},
		{"longer than nothing", all(content), all(nil), at(0, "0x00", "the end")},
		{"different and longer", all(flipped(5)), all(content[:9]), at(5, "0xff", "0x00")},
		{"fails", io.MultiReader(r(content[:10]), broken), all(content), "at offset 10: broken"},
		{"what it must be fails", all(content), io.MultiReader(r(content[:10]), broken),
			"at offset 10, of what it must be: broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := compare.Readers(test.got, test.want)
			switch {
			case test.says == "" && err != nil:
				t.Errorf("got %v, want equality", err)
			case test.says != "" && (err == nil || err.Error() != test.says):
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}
