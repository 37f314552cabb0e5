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
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// SumsFile is the name of the list that WriteSums leaves in a directory.
const SumsFile = "SUMS"

// The list is text, one file a line, so that a person can read it; its last line sums the rest:
//
//	gabion sums 1
//	<crc32c, 8 hex digits> <size in bytes> <slash-separated path>
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

// WriteSums records name, size and checksum of every regular file below dir for which include is
// true (nil means all), durably, in dir/SUMS. Names given to include and recorded are relative to
// dir and slash-separated. It is called when nobody writes to the directory any more.
//
// What the list names is durable before the list is, whoever wrote it and however: a list that outlives
// a power loss which a file's last change did not would condemn a healthy directory.
func WriteSums(dir string, include func(name string) bool) error {
	names, err := regularFiles(dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return name == SumsFile || include != nil && !include(name)
	})
	var list bytes.Buffer
	list.WriteString(sumsHeader)
	for _, name := range names {
		sum, size, err := settleFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%08x %d %s\n", sum, size, name)
	}
	if err := syncDirs(dir, names); err != nil {
		return err
	}
	fmt.Fprintf(&list, "end %08x\n", crc32.Checksum(list.Bytes(), castagnoli))
	return WriteFile(filepath.Join(dir, SumsFile), list.Bytes(), FileMode)
}

// VerifySums checks every file that dir/SUMS lists. It returns a *SumsError when one is missing or
// differs or the list itself is damaged, and an error matching fs.ErrNotExist when there is no
// list. Files that are not listed are not looked at.
func VerifySums(dir string) error {
	path := filepath.Join(dir, SumsFile)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	list, err := io.ReadAll(io.LimitReader(f, maxSumsSize+1))
	if err != nil {
		return err
	}
	lines, ok := checkedLines(list)
	if !ok {
		return &SumsError{File: path, Reason: "the list of checksums is damaged"}
	}
	for _, line := range lines {
		if err := verifyLine(dir, line); err != nil {
			return err
		}
	}
	return nil
}

// RemoveSums durably removes the list, because the directory is about to change. A missing list is
// no error.
func RemoveSums(dir string) error {
	if err := os.Remove(filepath.Join(dir, SumsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A list that came back after a power loss would condemn a healthy directory. Also when there is none:
	// who removed it may have been killed before the removal was durable.
	return SyncDir(dir)
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

func verifyLine(dir, line string) error {
	sumAndSize, name, ok := cutAfterSize(line)
	if !ok || !filepath.IsLocal(filepath.FromSlash(name)) {
		return &SumsError{File: filepath.Join(dir, SumsFile), Reason: "the list of checksums is damaged"}
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	sum, size, err := sumFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &SumsError{File: path, Reason: "the file is missing"}
	}
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%08x %d", sum, size); got != sumAndSize {
		return &SumsError{File: path, Reason: fmt.Sprintf("checksum and size are %s, recorded were %s", got, sumAndSize)}
	}
	return nil
}

// cutAfterSize splits a line behind its second field; the rest is the name, spaces and all.
func cutAfterSize(line string) (sumAndSize, name string, ok bool) {
	sum, rest, ok := strings.Cut(line, " ")
	if !ok {
		return "", "", false
	}
	size, name, ok := strings.Cut(rest, " ")
	return sum + " " + size, name, ok
}

func sumFile(path string) (sum uint32, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	return sumOf(f)
}

// settleFile makes a file durable and sums it.
func settleFile(path string) (sum uint32, size int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // for writing, because not every system syncs a handle that is for reading
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

// regularFiles returns the names of the regular files below dir, in order. A directory that this process
// may not read is somebody else's.
func regularFiles(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if path != dir && errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(names)
	return names, err
}

// syncDirs makes the entries of these files of dir durable, and those of the directories they lie in.
func syncDirs(dir string, names []string) error {
	done := map[string]bool{}
	for _, name := range append(names, SumsFile) {
		for at := path.Dir(name); !done[at]; at = path.Dir(at) {
			done[at] = true
			if err := SyncDir(filepath.Join(dir, filepath.FromSlash(at))); err != nil {
				return err
			}
		}
	}
	return nil
}
