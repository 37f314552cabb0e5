package index_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/index"
)

var update = flag.Bool("update", false, "write the golden files of the newest version of each kind of record")

// A goldenRecord is a file of testdata/records: a record under its key, and what is to be read from
// it. The first two lines are
//
//	key <hex>
//	record <hex>
//
// and one line for each field that is not zero follows.
type goldenRecord struct {
	key, record []byte
	fields      string
}

func goldenPath(kind index.Kind, version byte) string {
	return filepath.Join("testdata", "records", fmt.Sprintf("%s.%d", kind.Name, version))
}

func (g *goldenRecord) String() string {
	return fmt.Sprintf("key %x\nrecord %x\n%s", g.key, g.record, g.fields)
}

func readGolden(t *testing.T, path string) (g goldenRecord) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(data), "\n", 3)
	if len(lines) != 3 {
		t.Fatalf("%s has %d lines", path, len(lines))
	}
	g.fields = lines[2]
	for i, line := range []*[]byte{&g.key, &g.record} {
		_, text, _ := strings.Cut(lines[i], " ")
		if *line, err = hex.DecodeString(text); err != nil {
			t.Fatalf("%s, line %d: %v", path, i+1, err)
		}
	}
	return g
}

// writeGolden writes the file of the newest version of a kind, unless the one that is there is
// older within.
func writeGolden(t *testing.T, kind index.Kind) {
	t.Helper()
	path := goldenPath(kind, kind.Version)
	if _, err := os.Stat(path); err == nil {
		g := readGolden(t, path)
		if _, older, err := kind.Decode(g.key, g.record); err == nil && older {
			return
		}
	}
	s, ok := samples[kind.Name]
	if !ok {
		t.Fatalf("there is no sample of %s", kind.Name)
	}
	record, err := kind.Encode(s.key, s.record)
	if err != nil {
		t.Fatal(err)
	}
	g := goldenRecord{s.key, record, fieldsOf(reflect.ValueOf(s.record).Elem())}
	if err := os.WriteFile(path, []byte(g.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestGoldenRecords reads a record of every version of every kind, as they have been on disk. Those
// of today's version must come out byte by byte when they are written again. With -update it writes
// the files of today's versions, from the samples: for a kind that has got another version, or is
// new. The file of a version that a release has written stays as it is, and so does one that has
// fields of an older version in it.
func TestGoldenRecords(t *testing.T) {
	for _, kind := range index.Kinds {
		if *update {
			writeGolden(t, kind)
		}
		for version := byte(1); version <= kind.Version; version++ {
			path := goldenPath(kind, version)
			g := readGolden(t, path)
			rec, older, err := kind.Decode(g.key, g.record)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if got := fieldsOf(reflect.ValueOf(rec)); got != g.fields {
				t.Errorf("%s is read as\n%s\nwanted is\n%s", path, got, g.fields)
			}
			if g.record[0] != version {
				t.Errorf("%s has version %d", path, g.record[0])
			}
			again, _, err := kind.Recode(g.key, g.record)
			if err != nil || !older && !bytes.Equal(again, g.record) {
				t.Errorf("%s is written again as\n%x, %v, wanted is\n%x", path, again, err, g.record)
			}
		}
	}
}

// TestSamplesAreFull makes sure that the golden files show every field.
func TestSamplesAreFull(t *testing.T) {
	for name, s := range samples {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(s.record).Elem()) {
			if v := reflect.ValueOf(s.record).Elem(); v.FieldByIndex(field.Index).IsZero() {
				t.Errorf("field %s of the sample of %s is zero", field.Name, name)
			}
		}
	}
}

// fieldsOf lists the fields of a struct that are not zero, one on a line, so that a field that is
// added changes no line of records without it.
func fieldsOf(record reflect.Value) string {
	var text strings.Builder
	var list func(name string, v reflect.Value)
	list = func(name string, v reflect.Value) {
		_, isTime := v.Interface().(time.Time)
		switch {
		case v.IsZero():
		case isTime:
			fmt.Fprintf(&text, "%s %s\n", name, v.Interface().(time.Time).Format(time.RFC3339Nano))
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				list(strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), v.Field(i))
			}
		case v.Kind() == reflect.Map:
			m := v.Interface().(map[string]string)
			for _, key := range slices.Sorted(maps.Keys(m)) {
				fmt.Fprintf(&text, "%s[%q] %q\n", name, key, m[key])
			}
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			fmt.Fprintf(&text, "%s %d\n", name, v.Len())
			for i := range v.Len() {
				list(fmt.Sprintf("%s[%d]", name, i), v.Index(i))
			}
		case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
			fmt.Fprintf(&text, "%s %s\n", name, hexOf(v))
		case v.Kind() == reflect.String:
			fmt.Fprintf(&text, "%s %q\n", name, v.String())
		default:
			fmt.Fprintf(&text, "%s %v\n", name, v.Interface())
		}
	}
	list("", record)
	return text.String()
}

// hexOf returns the hex digits of bytes, of ids in the same form as of slices.
func hexOf(bytes reflect.Value) string {
	var text strings.Builder
	for i := range bytes.Len() {
		fmt.Fprintf(&text, "%02x", bytes.Index(i).Uint())
	}
	return text.String()
}
