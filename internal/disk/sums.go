package disk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// SumsFile is the name of the list that WriteSums leaves in a directory.
const SumsFile = "SUMS"

// The list is text, one file a line, so that a person can read it; its last line sums the rest:
//
//	gabion sums 1
//	<crc32c, 8 hex digits> <size in bytes> <name>
//	end <crc32c of all lines before, 8 hex digits>
const sumsHeader = "gabion sums 1\n"

// maxSumsSize bounds what VerifySums reads into memory: about half a million files.
const maxSumsSize = 32 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A SumsError says which file of a directory differs from its list.
type SumsError struct {
	File   string // path of the file
	Reason string
}

func (e *SumsError) Error() string { return fmt.Sprintf("disk: %s: %s", e.File, e.Reason) }

// WriteSums records name, size and checksum of every regular file of d for which include is true
// (nil means all), durably, in SUMS. It is called when nobody writes to the directory any more. A
// name with a line's end in it cannot be recorded.
//
// What the list names is durable before the list is, whoever wrote it and however: a list that
// outlives a power loss which a file's last change did not would condemn a healthy directory.
func (d *Dir) WriteSums(include func(name string) bool) error {
	entries, err := d.Entries()
	if err != nil {
		return err
	}
	var list bytes.Buffer
	list.WriteString(sumsHeader)
	for _, entry := range entries {
		name := entry.Name()
		if !entry.Type().IsRegular() || name == SumsFile || include != nil && !include(name) {
			continue
		}
		if strings.ContainsAny(name, "\r\n") {
			return &SumsError{File: d.Join(name), Reason: "its name cannot be recorded"}
		}
		sum, size, err := d.settleFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%08x %d %s\n", sum, size, name)
	}
	if err := d.Sync(); err != nil {
		return err
	}
	fmt.Fprintf(&list, "end %08x\n", crc32.Checksum(list.Bytes(), castagnoli))
	return d.WriteFile(SumsFile, list.Bytes())
}

// VerifySums checks every file that SUMS lists. It returns a *SumsError when one is missing or
// differs or the list itself is damaged, and an error matching fs.ErrNotExist when there is no
// list. Files that are not listed are not looked at.
func (d *Dir) VerifySums() error {
	list, err := d.ReadFile(SumsFile, maxSumsSize)
	if err != nil {
		return err
	}
	lines, ok := checkedLines(list)
	if !ok {
		return &SumsError{File: d.Join(SumsFile), Reason: "the list of checksums is damaged"}
	}
	for _, line := range lines {
		if err := d.verifyLine(line); err != nil {
			return err
		}
	}
	return nil
}

// RemoveSums durably removes the list, because the directory is about to change. A missing list is
// no error.
func (d *Dir) RemoveSums() error {
	if err := d.RemoveIfThere(SumsFile); err != nil {
		return err
	}
	// A list that came back after a power loss would condemn a healthy directory. Also when there
	// is none: who removed it may have been killed before the removal was durable.
	return d.Sync()
}

// checkedLines returns the file lines of a list whose own checksum is right.
func checkedLines(list []byte) ([]string, bool) {
	end := bytes.LastIndex(list, []byte("\nend ")) + 1
	if end == 0 || !bytes.HasPrefix(list, []byte(sumsHeader)) {
		return nil, false
	}
	if string(list[end:]) != fmt.Sprintf("end %08x\n", crc32.Checksum(list[:end], castagnoli)) {
		return nil, false
	}
	var lines []string
	s := bufio.NewScanner(bytes.NewReader(list[len(sumsHeader):end]))
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines, s.Err() == nil
}

func (d *Dir) verifyLine(line string) error {
	want, size, name, ok := parseLine(line)
	if !ok || !isName(name) {
		return &SumsError{File: d.Join(SumsFile), Reason: "the list of checksums is damaged"}
	}
	f, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &SumsError{File: d.Join(name), Reason: "the file is missing"}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// Its size first: a file that has grown to a terabyte, of nothing, is not read.
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != size {
		return &SumsError{
			File:   f.Name(),
			Reason: fmt.Sprintf("it has %d bytes, recorded were %d", info.Size(), size),
		}
	}
	sum, read, err := sumOf(f)
	if err != nil {
		return err
	}
	if sum != want || read != size {
		return &SumsError{
			File: f.Name(),
			Reason: fmt.Sprintf(
				"the checksum of %d bytes is %08x, recorded was %08x of %d", read, sum, want, size,
			),
		}
	}
	return nil
}

// parseLine takes a line apart; the rest behind its second field is the name, spaces and all. Each
// line has one form only.
func parseLine(line string) (sum uint32, size int64, name string, ok bool) {
	sumText, rest, _ := strings.Cut(line, " ")
	sizeText, name, _ := strings.Cut(rest, " ")
	sum64, sumErr := strconv.ParseUint(sumText, 16, 32)
	size, sizeErr := strconv.ParseInt(sizeText, 10, 64)
	ok = sumErr == nil && sizeErr == nil && size >= 0 &&
		line == fmt.Sprintf("%08x %d %s", sum64, size, name)
	return uint32(sum64), size, name, ok
}

// isName tells the name of an entry from what leads elsewhere.
func isName(name string) bool {
	return filepath.IsLocal(name) && filepath.Base(name) == name && name != "."
}

// settleFile makes a file durable and sums it.
func (d *Dir) settleFile(name string) (sum uint32, size int64, err error) {
	// For writing, because not every system syncs a handle that is for reading.
	f, err := d.open(name, os.O_RDWR)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Sync(); err != nil {
		return 0, 0, err
	}
	return sumOf(f)
}

func sumOf(f io.Reader) (sum uint32, size int64, err error) {
	h := crc32.New(castagnoli)
	size, err = io.Copy(h, f)
	return h.Sum32(), size, err
}
