package index_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/index"
)

// TestKindsAreComplete looks in the package's source for what has a version, so that no kind is
// left out of the other tests.
func TestKindsAreComplete(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "version" {
				declared = append(declared, f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name)
			}
		}
	}
	var known []string
	for _, kind := range index.Kinds {
		known = append(known, kind.Name)
	}
	slices.Sort(declared)
	slices.Sort(known)
	if !slices.Equal(declared, known) {
		t.Errorf("the source has versions of %v, the tests know %v", declared, known)
	}
	entries, err := os.ReadDir("testdata/records")
	if err != nil {
		t.Fatal(err)
	}
	files = nil
	for _, kind := range index.Kinds {
		for version := byte(1); version <= kind.Version; version++ {
			files = append(files, filepath.Base(goldenPath(kind, version)))
		}
	}
	for _, entry := range entries {
		if !slices.Contains(files, entry.Name()) {
			t.Errorf("testdata/records/%s is of no version that there is", entry.Name())
		}
	}
}

// TestVersions reads every kind of record in a version that there is not, and with fields that are
// not of its version.
func TestVersions(t *testing.T) {
	for _, kind := range index.Kinds {
		s := samples[kind.Name]
		good, err := kind.Encode(s.key, s.record)
		if err != nil {
			t.Fatal(err)
		}
		fields := good[1 : len(good)-4]
		if got, _, err := kind.Recode(s.key, good); err != nil || !bytes.Equal(got, good) {
			t.Errorf("%s: %x is encoded again as %x, %v", kind.Name, good, got, err)
		}
		for _, version := range []byte{kind.Version + 1, 255} {
			_, _, err = kind.Recode(s.key, index.Seal(s.key, version, fields))
			wantNewer(t, kind.Name, err, kind, version)
		}
		for name, bad := range map[string][]byte{
			"version 0":       index.Seal(s.key, 0, fields),
			"a byte too many": index.Seal(s.key, kind.Version, append(bytes.Clone(fields), 0)),
			"a byte too few":  index.Seal(s.key, kind.Version, fields[:len(fields)-1]),
			"no fields":       index.Seal(s.key, kind.Version, nil),
			"no version":      index.Seal(s.key, 0, nil)[1:],
		} {
			_, _, err := kind.Recode(s.key, bad)
			if _, corrupt := errors.AsType[*index.CorruptionError](err); !corrupt {
				t.Errorf("%s with %s: %v, want a CorruptionError", kind.Name, name, err)
			}
		}
	}
}

// TestVersionsWithin reads records that have fields of a newer version in them, which their own
// version does not tell.
func TestVersionsWithin(t *testing.T) {
	for _, within := range []struct{ outer, inner string }{
		{"Upload", "Attributes"}, {"Upload", "Encryption"}, {"Upload", "Checksum"},
		{"Object", "Attributes"}, {"Object", "Encryption"}, {"Object", "Checksum"}, {"Completed", "Object"},
	} {
		outer, inner := kindOf(within.outer), kindOf(within.inner)
		s := samples[outer.Name]
		good, err := outer.Encode(s.key, s.record)
		if err != nil {
			t.Fatal(err)
		}
		part, err := inner.Encode(nil, samples[inner.Name].record)
		if err != nil {
			t.Fatal(err)
		}
		body := good[:len(good)-4]
		at := bytes.Index(body, part[:len(part)-4])
		if at < 1 {
			t.Fatalf("the %s is not found in the sample of %s", inner.Name, outer.Name)
		}
		for version, newer := range map[byte]bool{0: false, inner.Version + 1: true} {
			bad := bytes.Clone(body[1:])
			bad[at-1] = version
			_, _, err := outer.Recode(s.key, index.Seal(s.key, outer.Version, bad))
			if newer {
				wantNewer(t, inner.Name+" in "+outer.Name, err, inner, version)
			} else if _, corrupt := errors.AsType[*index.CorruptionError](err); !corrupt {
				t.Errorf("%s in %s of version %d: %v, want a CorruptionError", inner.Name, outer.Name, version, err)
			}
		}
	}
}

func kindOf(name string) index.Kind {
	return index.Kinds[slices.IndexFunc(index.Kinds, func(k index.Kind) bool { return k.Name == name })]
}

// wantNewer wants an error that says that fields of a kind are newer than what is known, and where.
func wantNewer(t *testing.T, what string, err error, kind index.Kind, version byte) {
	t.Helper()
	newer, ok := errors.AsType[*index.VersionError](err)
	if !ok || newer.Version != version || newer.Supported != kind.Version || !strings.HasPrefix(newer.Where, "the "+kind.Name+" in record ") {
		t.Errorf("%s of version %d: %v, want a VersionError", what, version, err)
	}
}
