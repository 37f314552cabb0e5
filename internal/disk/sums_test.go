package disk_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/internal/disk"
)

// FuzzSums verifies a directory by a list of any bytes, also with the right checksum behind: the
// answer is that everything is as listed, or an error that names a file in the directory.
func FuzzSums(f *testing.F) {
	dir := f.TempDir()
	for name, data := range map[string]string{"a": "content of a", "b c": "b", "empty": ""} {
		if err := writeFile(filepath.Join(dir, name), []byte(data)); err != nil {
			f.Fatal(err)
		}
	}
	d, err := disk.OpenDir(dir)
	if err != nil {
		f.Fatal(err)
	}
	defer d.Close()
	if err := d.WriteSums(nil); err != nil {
		f.Fatal(err)
	}
	list, err := d.ReadFile(disk.SumsFile, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	lines := string(list[:strings.LastIndex(string(list), "end ")])
	for _, line := range []string{
		"", "00000000 0 empty\n", "00000000 0 ../empty\n", "00000000 0 .\n", "00000000 0 \n", "00000000 00 empty\n", "0 0 empty\n", "+0000000 0 empty\n",
		"00000000 -1 empty\n", "00000000 99999999999999999999 empty\n", "00000000 0 \xff\n", "\n", strings.Repeat("x", 100_000) + "\n",
	} {
		f.Add(lines+line, true)
	}
	f.Add(string(list), false)
	f.Fuzz(func(t *testing.T, text string, sum bool) {
		if sum {
			text += fmt.Sprintf("end %08x\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
		}
		if err := d.WriteFile(disk.SumsFile, []byte(text)); err != nil {
			t.Fatal(err)
		}
		err := d.VerifySums()
		var changed *disk.SumsError
		var entry *disk.EntryError
		var system *fs.PathError
		switch {
		case err == nil:
		case errors.As(err, &changed) && filepath.Dir(changed.File) == d.Path():
		case errors.As(err, &entry) && filepath.Dir(entry.Path) == d.Path():
		case errors.As(err, &system) && filepath.Dir(system.Path) == d.Path(): // a name that is too long, or holds a zero
		default:
			t.Errorf("%q: %v", text, err)
		}
	})
}
