package engine_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// FuzzFormat: what is accepted as a format file is what is written; else it is of a newer version
// or damaged.
func FuzzFormat(f *testing.F) {
	const id = "00112233445566778899aabbccddeeff"
	for _, text := range []string{
		"gabion store 1 " + id, "gabion store 2 " + id, "gabion store -1 " + id, "gabion store 1 " + id + id, "gabion store 1 x",
		"gabion store 99999999999999999999 " + id, "gabion store +1 " + id, "gabion store 2", "",
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, seal bool) {
		if seal {
			text = fmt.Sprintf("%s %08x\n", text, crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
		}
		again, err := engine.ParseFormat(text)
		var corrupt *engine.CorruptionError
		var newer *engine.FormatError
		if err == nil && again != text || err != nil && !errors.As(err, &corrupt) && !errors.As(err, &newer) {
			t.Errorf("%q is written again as %q, %v", text, again, err)
		}
	})
}
