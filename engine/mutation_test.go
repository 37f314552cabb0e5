package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A storeImage is the directory of a closed or killed store, kept in memory.
type storeImage struct {
	dirs  []string
	files []imageFile
}

type imageFile struct {
	name string
	size int64
	data []byte // up to the last byte that is not zero
}

// readImage takes a directory in, without the file of set-aside blocks, which holds nothing.
func readImage(dir string) (*storeImage, error) {
	img := &storeImage{}
	return img, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir || d.Name() == "RESERVE" {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || d.IsDir() {
			img.dirs = append(img.dirs, name)
			return err
		}
		data, err := os.ReadFile(path)
		img.files = append(img.files, imageFile{name, int64(len(data)), bytes.Clone(bytes.TrimRight(data, "\x00"))})
		return err
	})
}

// write makes the directory.
func (img *storeImage) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range img.dirs {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	for _, f := range img.files {
		if err := f.write(filepath.Join(dir, f.name)); err != nil {
			return err
		}
	}
	return nil
}

func (f *imageFile) write(path string) error {
	if err := os.WriteFile(path, f.data, 0o600); err != nil {
		return err
	}
	return os.Truncate(path, f.size)
}

// A mutation is what an input of FuzzOpen does to the directory of a store, in steps of stepSize
// bytes:
//
//	kind of step, which file, which other file, where(be16), how much(be16)
type mutation struct {
	dir    string
	img    *storeImage
	others []*storeImage // of other stores
}

const (
	stepSize = 7
	mostStep = 8
)

// apply takes the steps. A step that cannot be taken, since an earlier one has removed the file, is
// left out.
func (m *mutation) apply(program []byte) error {
	for n := 0; len(program) >= stepSize && n < mostStep; n++ {
		err := m.step(program[:stepSize])
		var system *fs.PathError
		var linked *os.LinkError
		if err != nil && !errors.As(err, &system) && !errors.As(err, &linked) {
			return err
		}
		program = program[stepSize:]
	}
	return nil
}

// entry returns the path of a file, or directory, chosen by a number. Volumes come last.
func (m *mutation) entry(n byte) string {
	names := slices.Clone(m.img.dirs)
	for _, f := range m.img.files {
		names = append(names, f.name)
	}
	return filepath.Join(m.dir, names[int(n)%len(names)])
}

// offsetIn chooses an offset in a file: near its start, near its end, or anywhere; what is only
// zeros behind its data counts little.
func offsetIn(data []byte, where uint16) int64 {
	n := int64(len(bytes.TrimRight(data, "\x00"))) + 64
	n = min(n, int64(len(data)))
	if n == 0 {
		return 0
	}
	at := int64(where & 0x3fff)
	switch where >> 14 {
	case 0:
		return at % n
	case 1:
		return n - 1 - at%n
	}
	return int64(where&0x7fff) * n >> 15
}

// The steps that there are.
const (
	stepFlip = iota
	stepSet
	stepTruncate
	stepExtend
	stepSwap
	stepRemove
	stepDuplicate
	stepReplace
	stepSplice
	stepInsert
	stepZero
	stepOther
	stepUnclean
	stepKinds
)

func (m *mutation) step(s []byte) error {
	path, other := m.entry(s[1]), m.entry(s[2])
	for _, p := range []string{path, other} {
		// An earlier step may have put a FIFO there, for which this process would wait.
		if info, err := os.Lstat(filepath.Dir(p)); err != nil || !info.IsDir() {
			return err
		}
	}
	where, amount := binary.BigEndian.Uint16(s[3:]), binary.BigEndian.Uint16(s[5:])
	switch s[0] % stepKinds {
	case stepSwap:
		aside := filepath.Join(filepath.Dir(m.dir), "aside")
		return errors.Join(os.Rename(path, aside), os.Rename(other, path), os.Rename(aside, other))
	case stepRemove:
		return os.RemoveAll(path)
	case stepDuplicate:
		return m.duplicate(path, other, amount)
	case stepReplace:
		return replaceBy(int(amount), path, other)
	case stepOther:
		name, err := filepath.Rel(m.dir, path)
		if err != nil {
			return err
		}
		img := m.others[int(amount)%len(m.others)]
		if i := slices.IndexFunc(img.files, func(f imageFile) bool { return f.name == name }); i >= 0 {
			return errors.Join(os.RemoveAll(path), img.files[i].write(path))
		}
		return nil
	case stepUnclean:
		sums, err := filepath.Glob(filepath.Join(m.dir, "index", "*", "SUMS"))
		if err != nil || len(sums) == 0 {
			return err
		}
		return os.Remove(sums[0])
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<30 {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if s[0]%stepKinds == stepExtend {
		size := info.Size() + int64(amount)
		if amount > 0xff00 {
			size = int64(1) << (amount & 0x3f % 44) // up to 8 TiB of nothing
		}
		return os.Truncate(path, size)
	}
	if data, err = m.edit(s[0]%stepKinds, data, other, where, amount); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// edit takes a step within a file.
func (m *mutation) edit(kind byte, data []byte, other string, where, amount uint16) ([]byte, error) {
	at := offsetIn(data, where)
	length := min(int64(amount)%4096, int64(len(data))-at)
	switch kind {
	case stepTruncate:
		return data[:at], nil
	case stepZero:
		clear(data[at : at+length])
		return data, nil
	case stepFlip, stepSet:
		if len(data) > 0 && kind == stepFlip {
			data[at] ^= 1 << (amount % 8)
		} else if len(data) > 0 {
			data[at] = byte(amount)
		}
		return data, nil
	}
	info, err := os.Lstat(other)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<30 {
		return data, err
	}
	source, err := os.ReadFile(other)
	if err != nil || len(source) == 0 {
		return data, err
	}
	from := offsetIn(source, where*31+amount)
	piece := source[from:min(int64(len(source)), from+1+int64(amount)%8192)]
	if kind == stepInsert {
		return slices.Insert(data, int(at), piece...), nil
	}
	copy(data[at:], piece)
	return data, nil
}

// duplicate puts a copy of a file beside it, under the name that the next one of its kind has, or
// one that is none.
func (m *mutation) duplicate(path, other string, amount uint16) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<30 {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	ext := filepath.Ext(path)
	names := map[string][]string{
		".mem": {"%05d.mem", "%d.mem", "-%d.mem"}, ".sst": {"%06d.sst", "%d.sst", "-%d.sst"}, ".vlog": {"%06d.vlog", "x%d.vlog"},
		".log": {"%016x.log", "%x.log"},
	}[ext]
	if names == nil {
		names = []string{"%08d", filepath.Base(other), "%d.sst", "%05d.mem"}
	}
	name := names[int(amount)%len(names)]
	if bytes.ContainsRune([]byte(name), '%') {
		name = fmt.Sprintf(name, int(amount)/len(names)%8)
	}
	path = filepath.Join(filepath.Dir(path), name)
	return errors.Join(os.RemoveAll(path), os.WriteFile(path, data, 0o600))
}
