package engine_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path that all packages of the module begin with.
const module = "github.com/gabion-storage/gabion/"

// mayImport says which packages of the module each package may import, tests aside. Imports flow
// one way: bench, engine, then blob, index and crypto, which do not know each other. blob and index
// hold the contracts of stores and know none of those on disk.
var mayImport = map[string][]string{
	"bench": {"engine", "crypto", "crypto/md5lanes", "bench/internal/bytesize",
		"bench/internal/cli", "bench/internal/compare", "bench/internal/contest", "bench/internal/data",
		"bench/internal/fanout",
		"bench/internal/process", "bench/internal/report", "bench/internal/soak"},
	"bench/internal/bytesize": {},
	"bench/internal/cli":      {"bench/internal/bytesize"},
	"bench/internal/contest": {"engine", "crypto", "crypto/md5lanes", "bench/internal/bytesize", "bench/internal/cli", "bench/internal/data", "bench/internal/fanout",
		"bench/internal/process", "bench/internal/report", "internal/disk"},
	"bench/internal/process": {},
	"bench/internal/fanout":  {},
	"bench/internal/data":    {"bench/internal/process"},
	"bench/internal/compare": {},
	"bench/internal/report":  {"internal/latinsquare"},
	"bench/internal/soak": {"engine", "bench/internal/bytesize", "bench/internal/compare", "bench/internal/fanout",
		"bench/internal/process", "bench/internal/report"},

	"engine": {"engine/internal/frame", "engine/internal/intake", "engine/internal/ledger",
		"engine/internal/lease", "engine/internal/throttle", "blob", "blob/volumes", "index", "index/badger", "crypto",
		"internal/disk", "internal/gate"},
	// Rooms of engine, which know nothing of it; the compiler lets nobody else import them.
	"engine/internal/frame":    {"crypto"},
	"engine/internal/intake":   {"engine/internal/frame", "blob", "crypto", "crypto/md5lanes"},
	"engine/internal/ledger":   {"blob", "index"},
	"engine/internal/lease":    {"index"},
	"engine/internal/throttle": {},

	"blob":                 {},
	"blob/blobtest":        {"blob"},
	"blob/volumes":         {"blob", "internal/badgerfile", "internal/disk", "internal/gate"},
	"index":                {"internal/gate"},
	"index/badger":         {"index", "internal/badgerfile", "internal/disk"},
	"index/indextest":      {"index"},
	"crypto":               {"crypto/blake3lanes", "internal/disk"},
	"crypto/blake3lanes":   {},
	"crypto/md5lanes":      {},
	"internal/badgerfile":  {"internal/disk"},
	"internal/disk":        {},
	"internal/enginetest":  {"engine"},
	"internal/faulttest":   {},
	"internal/disktest":    {},
	"internal/gate":        {},
	"internal/latinsquare": {},
}

// badgerIn lists the packages that may import Badger: elsewhere its errors and traps are unknown.
var badgerIn = []string{"blob/volumes", "index/badger", "internal/badgerfile"}

// onlyIn names the file of a package that alone may import what a contract is there to hide.
var onlyIn = map[string]map[string]string{
	"engine": {"blob/volumes": "store_dir.go", "index/badger": "store_dir.go"},
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != ".." && isModule(path) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(path))[len("../"):]
		seen[pkg] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			checkImport(t, path, pkg, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range seen {
		if _, ok := mayImport[pkg]; !ok {
			t.Errorf("package %s has no import rule: add one", pkg)
		}
	}
	for pkg := range mayImport {
		if !seen[pkg] {
			t.Errorf("there is a rule for package %s, but no such package", pkg)
		}
	}
}

// isModule says that a directory is a module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func checkImport(t *testing.T, path, pkg, name string) {
	t.Helper()
	if ours, ok := strings.CutPrefix(name, module); ok {
		if !slices.Contains(mayImport[pkg], ours) {
			t.Errorf("%s imports %s: package %s may not", path, ours, pkg)
		}
		if file, ok := onlyIn[pkg][ours]; ok && filepath.Base(path) != file {
			t.Errorf("%s imports %s: of package %s only %s may", path, ours, pkg, file)
		}
	}
	if strings.HasPrefix(name, "github.com/dgraph-io/badger") && !slices.Contains(badgerIn, pkg) {
		t.Errorf("%s imports Badger: only %v may", path, badgerIn)
	}
}
