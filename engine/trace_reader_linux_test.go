package engine_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// A traceReader makes short lines of what strace writes.
type traceReader struct {
	dir     string
	text    strings.Builder
	last    string
	begun   map[string]string // by thread: the call that it is in
	maps    map[string]string // by address: the file that is mapped there
	there   map[string]bool   // what was made in the store, and not removed
	folders map[string]bool
	on      bool // the first mark has come
}

func newTrace(dir string) *traceReader {
	return &traceReader{
		dir: dir, begun: map[string]string{}, maps: map[string]string{}, there: map[string]bool{}, folders: map[string]bool{".": true, "..": true, "../..": true},
	}
}

var (
	traceCall   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (\S+)`)
	traceBegin  = regexp.MustCompile(`^(\d+) +(\w+\(.*) <unfinished \.\.\.>`)
	traceResume = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)`)
	traceHandle = regexp.MustCompile(`\b\d+<([^>]*)>`)
	traceEntry  = regexp.MustCompile(`(?:AT_FDCWD|\d+)<([^>]*)>, "([^"]*)"`)
	traceTemp   = regexp.MustCompile(`\.tmp-\w+$`)
	traceAsync  = regexp.MustCompile(`aio_lio_opcode=IOCB_CMD_(\w+).*?aio_fildes=\d+<([^>]*)>`)
)

// line takes in a line of strace's. What was begun in one and ended in another counts as it ends.
func (r *traceReader) line(line string) {
	if m := traceBegin.FindStringSubmatch(line); m != nil {
		r.begun[m[1]] = m[2]
		return
	}
	if m := traceResume.FindStringSubmatch(line); m != nil {
		line = m[1] + " " + r.begun[m[1]] + m[2]
	}
	if m := traceCall.FindStringSubmatch(line); m != nil {
		r.call(m[2], m[3], m[4])
	}
}

// call takes in one system call.
func (r *traceReader) call(name, args, result string) {
	if _, mark, ok := strings.Cut(args, traceMark); ok && name == "openat" {
		mark, _, _ = strings.Cut(mark, `"`)
		r.on = true
		fmt.Fprintf(&r.text, "%s\n", mark)
		r.last = ""
		return
	}
	if !r.on || strings.HasPrefix(result, "-") {
		return
	}
	switch name {
	case "mmap":
		if strings.Contains(args, "MAP_SHARED") {
			r.maps[result] = r.handle(args)
		}
	case "msync":
		address, _, _ := strings.Cut(args, ",")
		r.say("sync", r.maps[address])
	case "openat":
		r.open(args)
	case "mkdirat":
		path := r.entries(args)[0]
		r.folders[path], r.there[path] = true, true
		r.say("mkdir", path)
	case "unlinkat":
		path := r.entries(args)[0]
		delete(r.there, path)
		r.say("remove", path)
	case "renameat", "renameat2":
		paths := r.entries(args)
		delete(r.there, paths[0])
		r.there[paths[1]] = true
		r.say("rename", paths[0]+" to "+paths[1])
	case "io_submit":
		for _, m := range traceAsync.FindAllStringSubmatch(args, -1) {
			r.say(map[string]string{"PWRITE": "write", "PWRITEV": "write", "FSYNC": "sync", "FDSYNC": "sync"}[m[1]], r.relative(m[2]))
		}
	case "write", "pwrite64", "pwritev":
		// A log of the index is left out: its first commit comes through a map, and zeros are written
		// ahead of others on some file systems only.
		if path := r.handle(args); !strings.HasPrefix(path, "index/") || !strings.HasSuffix(path, ".mem") {
			r.say("write", path)
		}
	case "fsync", "fdatasync":
		r.say("sync", r.handle(args))
	case "ftruncate":
		r.say("resize", r.handle(args))
	case "fallocate":
		what := "allocate"
		if strings.Contains(args, "PUNCH_HOLE") {
			what = "punch"
		}
		r.say(what, r.handle(args))
	}
}

// open takes in the opening of a file, of which only that matters which makes one.
func (r *traceReader) open(args string) {
	if !strings.Contains(args, "O_CREAT") {
		return
	}
	path := r.entries(args)[0]
	if r.there[path] {
		return
	}
	r.there[path] = true
	if strings.Contains(args, "O_DSYNC") {
		r.say("create", path+", whose writes are synced")
		return
	}
	r.say("create", path)
}

// say writes a line, but for one like that before, and for what is outside of the store.
func (r *traceReader) say(what, path string) {
	if path == "" {
		return
	}
	if r.folders[path] {
		path += "/"
	}
	if line := what + " " + path; line != r.last {
		fmt.Fprintf(&r.text, "  %s\n", line)
		r.last = line
	}
}

// handle returns the file of the first handle among the arguments.
func (r *traceReader) handle(args string) string {
	if m := traceHandle.FindStringSubmatch(args); m != nil {
		return r.relative(m[1])
	}
	return ""
}

// entries returns the paths that the arguments name by directory and name.
func (r *traceReader) entries(args string) (paths []string) {
	for _, m := range traceEntry.FindAllStringSubmatch(args, -1) {
		path := m[2]
		if !filepath.IsAbs(path) {
			path = filepath.Join(m[1], path)
		}
		paths = append(paths, r.relative(path))
	}
	return append(paths, "", "")
}

// relative returns a path as seen from the store; "" for what is elsewhere, or is a file without a name,
// by which is tried whether there is space.
func (r *traceReader) relative(path string) string {
	rel, err := filepath.Rel(r.dir, path)
	if err != nil || strings.HasPrefix(rel, "../../..") || strings.HasPrefix(rel, "../keyring") ||
		strings.HasPrefix(filepath.Base(path), "#") {
		return ""
	}
	return traceTemp.ReplaceAllString(rel, ".tmp")
}
