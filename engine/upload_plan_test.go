package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/gabion-storage/gabion/engine"
)

// maxSize is the largest object.
const maxSize = engine.MaxPartNumber * engine.MaxPartSize

// TestUploadPlan is the table of how many parts of which size a body becomes.
func TestUploadPlan(t *testing.T) {
	const kib, mib, gib, least = 1 << 10, 1 << 20, 1 << 30, engine.DefaultPartSize
	for _, row := range []struct {
		size, wanted, least, chunk int64
		first, last                int64
		parts                      int
		err                        error
	}{
		// The default, and what it is rounded up to.
		{size: 1, chunk: mib, first: 1, last: 1, parts: 1},
		{size: 8 * mib, chunk: mib, first: 8 * mib, last: 8 * mib, parts: 1},
		{size: 8*mib + 1, chunk: mib, first: 8 * mib, last: 1, parts: 2},
		{size: 20 * mib, chunk: 3 * mib, first: 9 * mib, last: 2 * mib, parts: 3},
		{size: 20 * mib, chunk: 16 * mib, first: 16 * mib, last: 4 * mib, parts: 2},
		{size: 20 * mib, least: 10 * mib, chunk: mib, first: 10 * mib, last: 10 * mib, parts: 2},
		// What the caller wants is not rounded.
		{size: 300 * kib, wanted: minPart + 7, chunk: 16 * kib, first: minPart + 7, last: 300*kib - 2*minPart - 14, parts: 3},
		{size: 300 * kib, wanted: minPart - 1, chunk: mib, err: engine.ErrInvalidArgument},
		{size: 1, wanted: engine.MaxPartSize, chunk: mib, first: 1, last: 1, parts: 1},
		{size: 1, wanted: engine.MaxPartSize + 1, chunk: mib, err: engine.ErrInvalidArgument},
		{size: 1, wanted: -1, chunk: mib, err: engine.ErrInvalidArgument},
		// It grows where it would be too many parts, to a multiple of the chunk size.
		{size: 10000 * minPart, wanted: minPart, chunk: 16 * kib, first: minPart, last: minPart, parts: 10000},
		{size: 10000*minPart + 1, wanted: minPart, chunk: 16 * kib, first: 112 * kib, last: 10000*minPart + 1 - 8928*112*kib, parts: 8929},
		{size: 10000 * 8 * mib, chunk: mib, first: 8 * mib, last: 8 * mib, parts: 10000},
		{size: 10000*8*mib + 1, chunk: mib, first: 9 * mib, last: 10000*8*mib + 1 - 8888*9*mib, parts: 8889},
		// Unless that would be over the limit.
		{size: maxSize - 1, chunk: mib, first: 5 * gib, last: 5*gib - 1, parts: 10000},
		{size: maxSize - 1, chunk: 3 * mib, first: 5 * gib, last: 5*gib - 1, parts: 10000},
		{size: maxSize, chunk: mib, first: 5 * gib, last: 5 * gib, parts: 10000},
		{size: maxSize, wanted: minPart, chunk: 3 * mib, first: 5 * gib, last: 5 * gib, parts: 10000},
		{size: maxSize + 1, chunk: mib, err: engine.ErrEntityTooLarge},
		{size: 1<<63 - 1, chunk: mib, err: engine.ErrEntityTooLarge},
		// The size is not known.
		{chunk: mib, first: least, last: 4 * gib, parts: 10000},
		{wanted: minPart, chunk: mib, first: minPart, last: 512 * minPart, parts: 10000},
		{wanted: engine.MaxPartSize, chunk: mib, first: engine.MaxPartSize, last: engine.MaxPartSize, parts: 10000},
	} {
		if row.least == 0 {
			row.least = minPart
		}
		parts, err := engine.PlanParts(row.size, row.wanted, row.least, row.chunk)
		if !errors.Is(err, row.err) {
			t.Errorf("%+v: error is %v", row, err)
		}
		if err != nil {
			continue
		}
		if n := len(parts); n != row.parts || parts[0].Length != row.first || parts[n-1].Length != row.last {
			t.Errorf("%+v: %d parts of %d bytes, the last of %d", row, n, parts[0].Length, parts[n-1].Length)
		}
	}
}

// TestUploadPlanInvariants proves of many plans what must hold for each.
func TestUploadPlanInvariants(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed(t), 0))
	upTo := func(most int64) int64 { return rng.Int64N(most) >> rng.IntN(40) } // of every magnitude
	for range 300 {
		size, least := upTo(maxSize)+1, minPart+upTo(10<<20)
		wanted := min(least+upTo(engine.MaxPartSize), engine.MaxPartSize)
		if rng.IntN(3) == 0 {
			wanted = 0
		}
		chunk := 4<<10 + upTo(16<<20-4<<10)
		for _, known := range []bool{true, false} {
			if !known {
				size = 0
			}
			parts, err := engine.PlanParts(size, wanted, least, chunk)
			what := fmt.Sprintf("%d bytes, %d wanted, at least %d, chunks of %d", size, wanted, least, chunk)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if len(parts) < 1 || len(parts) > engine.MaxPartNumber {
				t.Fatalf("%s: %d parts", what, len(parts))
			}
			sum := int64(0)
			for i, p := range parts {
				last := i == len(parts)-1
				if p.Length < 1 || p.Length > engine.MaxPartSize || p.Length < max(least, wanted) && !last || known && p.Offset != sum {
					t.Fatalf("%s: part %d of %d lies at %d and has %d bytes", what, i+1, len(parts), p.Offset, p.Length)
				}
				if known && !last && p.Length != parts[0].Length || !known && i > 0 && p.Length < parts[i-1].Length {
					t.Fatalf("%s: part %d has %d bytes, the one before %d", what, i+1, p.Length, parts[i-1].Length)
				}
				sum += p.Length
			}
			if known && sum != size {
				t.Fatalf("%s: the parts have %d bytes", what, sum)
			}
		}
	}
}

// TestUploadStream cuts bodies of every size about the boundaries of parts. With parts that begin
// with one byte, 10000 of them hold 1023000.
func TestUploadStream(t *testing.T) {
	for _, row := range []struct {
		bytes, size, partSize int64
		parts                 int
		err                   error
	}{
		{0, 0, 10, 1, nil},
		{1, 0, 10, 1, nil},
		{9, 0, 10, 1, nil},
		{10, 0, 10, 1, nil},
		{11, 0, 10, 2, nil},
		{10, 10, 10, 1, nil},
		{21, 21, 10, 3, nil},
		{22, 21, 10, 3, engine.ErrInvalidArgument},
		{1000, 0, 1, 1000, nil},
		{1001, 0, 1, 1001, nil},
		{1002, 0, 1, 1001, nil},
		{1003, 0, 1, 1002, nil},
		{1023000, 0, 1, 10000, nil},
		{1023001, 0, 1, 10000, engine.ErrEntityTooLarge},
	} {
		data := random(1, int(row.bytes))
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"":              func(r io.Reader) io.Reader { return r },
			"OneByteReader": iotest.OneByteReader,
			"DataErrReader": iotest.DataErrReader,
			"lazyReader":    func(r io.Reader) io.Reader { return &lazyReader{r: r} },
		} {
			parts, err := engine.CutStream(wrap(bytes.NewReader(data)), row.size, row.partSize)
			if !errors.Is(err, row.err) || len(parts) != row.parts {
				t.Errorf("%+v %s: %d parts, %v", row, name, len(parts), err)
			}
			if got := bytes.Join(parts, nil); row.err == nil && !bytes.Equal(got, data) {
				t.Errorf("%+v %s: the parts have %d bytes", row, name, len(got))
			}
		}
	}
}

// TestUploadFields fills every field of an UploadRequest, and looks for each in the requests that
// are made of it.
func TestUploadFields(t *testing.T) {
	req := &engine.UploadRequest{}
	values := reflect.ValueOf(req).Elem()
	fill(values)
	// What is the part's own, or the list of parts'.
	others := []string{"PartNumber", "Body", "Size", "ContentMD5", "CRC64", "Progress", "Parts", "All", "Checksum"}
	req.Checksum = engine.Checksum{Algorithm: "SHA256", Type: "COMPOSITE", Value: "of the object"}
	if got := req.Initiation().Checksum; same(got, engine.Checksum{Algorithm: "SHA256", Type: "COMPOSITE"}) != nil {
		t.Errorf("Initiate gets the checksum %+v", got)
	}
	if got := req.Completion().Checksum; same(got, req.Checksum) != nil {
		t.Errorf("Complete gets the checksum %+v", got)
	}
	for _, made := range []any{req.Initiation(), req.Part(), req.Completion()} {
		m := reflect.ValueOf(made).Elem()
		for i := range m.NumField() {
			name := m.Type().Field(i).Name
			if slices.Contains(others, name) {
				continue
			}
			if _, completes := made.(*engine.CompleteMultipartUploadRequest); completes && name == "Annotations" {
				continue // it adds to those that Initiate gets
			}
			want := values.FieldByName(name)
			if !want.IsValid() {
				t.Errorf("%s.%s cannot be said in an UploadRequest", m.Type().Name(), name)
			} else if got := m.Field(i); want.IsZero() || !reflect.DeepEqual(got.Interface(), want.Interface()) {
				t.Errorf("%s.%s is %v, want %v", m.Type().Name(), name, got, want)
			}
		}
	}
}

// fill gives every field another value than its zero, also those of structs that are embedded.
func fill(values reflect.Value) {
	for i := range values.NumField() {
		name, v := values.Type().Field(i).Name, values.Field(i)
		switch v.Kind() {
		case reflect.String:
			v.SetString("of " + name)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int64:
			v.SetInt(int64(i + 1))
		case reflect.Slice:
			v.SetBytes([]byte("of " + name))
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]string{"of": name}))
		case reflect.Struct:
			fill(v)
		}
	}
}
