package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symlinks Follow follows, as many as Linux does.
const maxLinks = 40

// errLinkLoop is what Follow says of links that lead to each other.
var errLinkLoop = errors.New("its symlinks lead in a circle")

// A Way is where a path leads.
type Way struct {
	Real string // the path without symlinks, absolute
	// Open is the first directory or symlink on the way, Real itself included if it is a directory,
	// that others can change: see OthersWrite. Who can do that can put something else at the end of
	// the path. "" is none.
	Open string
}

// Follow resolves the symlinks of an absolute path. Something must be at its end; otherwise the
// error names what is missing, and matches fs.ErrNotExist.
func Follow(path string) (Way, error) {
	way := Way{}
	rest, err := way.begin(path)
	for links := 0; err == nil && len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." { // Real has no symlinks
			way.Real = filepath.Dir(way.Real)
			continue
		}
		next := filepath.Join(way.Real, name)
		info, err := way.look(next)
		if err != nil {
			return Way{}, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			way.Real = next
			continue
		}
		if links++; links > maxLinks {
			return Way{}, &fs.PathError{Op: "open", Path: path, Err: errLinkLoop}
		}
		target, err := os.Readlink(next)
		if err != nil {
			return Way{}, err
		}
		more := components(target)
		if filepath.IsAbs(target) {
			if more, err = way.begin(target); err != nil {
				return Way{}, err
			}
		}
		rest = append(more, rest...)
	}
	return way, err
}

// begin goes to the root of an absolute path, and returns the way from there.
func (w *Way) begin(path string) (rest []string, err error) {
	w.Real = filepath.VolumeName(path) + string(filepath.Separator)
	_, err = w.look(w.Real)
	return components(path[len(filepath.VolumeName(path)):]), err
}

// look describes what is at path, and notes whether others can change it.
func (w *Way) look(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if w.Open == "" && (info.IsDir() || info.Mode()&fs.ModeSymlink != 0) && OthersWrite(info) {
		w.Open = path
	}
	return info, nil
}

// components are the names that a path consists of.
func components(path string) []string {
	return strings.FieldsFunc(
		path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) },
	)
}
