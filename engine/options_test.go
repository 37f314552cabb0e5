package engine_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob/volumes"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// A numberRange is what a field takes beside 0, which means its default.
type numberRange struct{ least, most int64 }

// TestEveryNumberOfOptions sets every number of all Options to what is far out, at its bounds and
// just beyond. It finds them by reflection: a field that is added and has no range here fails. What
// is out of its range is refused before anything is made.
func TestEveryNumberOfOptions(t *testing.T) {
	const chunk = engine.DefaultChunkSize
	tryNumbers(t, map[string]numberRange{
		"KeyLifetime": {1, int64(24 * time.Hour)}, "ChunkSize": {4 << 10, 16 << 20}, "MemoryBudget": {4 * chunk, 64 << 30},
		"VolumeSize": {2 * chunk, volumes.MaxVolumeSize}, "ReserveSpace": {64 << 20, volumes.MaxReserveSpace},
		"ReclaimRate": {1, 1 << 40}, "Lease": {int64(time.Second), int64(10 * time.Minute)}, "UploadExpiry": {1, int64(100 * 365 * 24 * time.Hour)},
	}, func(dir string, o *engine.Options) error {
		e, err := engine.Open(t.Context(), dir, o)
		if err == nil {
			return e.Close()
		}
		if !errors.Is(err, engine.ErrInvalidArgument) { // the disk has not so much to keep free
			return nil
		}
		return err
	})
	tryNumbers(t, map[string]numberRange{
		"VolumeSize": {volumes.MinVolumeSize, volumes.MaxVolumeSize}, "Writers": {1, volumes.MaxWriters}, "ReserveSpace": {1, volumes.MaxReserveSpace},
		"OpenVolumes": {1, volumes.MaxOpenVolumes},
	}, func(dir string, o *volumes.Options) error {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := volumes.Open(t.Context(), dir, o)
		if err == nil {
			return s.Close()
		}
		return errors.Join(err, os.Remove(dir)) // which fails if there is anything in it
	})
	tryNumbers(t, map[string]numberRange{"Reserve": {1, 1 << 60}}, func(dir string, o *badger.Options) error {
		s, err := badger.Open(t.Context(), dir, o)
		if err == nil || errors.Is(err, index.ErrNoSpace) {
			if s != nil {
				return s.Close()
			}
			return nil
		}
		return err
	})
}

// tryNumbers tries the numbers of one kind of options. Where open fails it must have made nothing.
func tryNumbers[Options any](t *testing.T, ranges map[string]numberRange, open func(dir string, o *Options) error) {
	t.Helper()
	kind, seen := reflect.TypeFor[Options](), 0
	for i := range kind.NumField() {
		field := kind.Field(i)
		if !reflect.Zero(field.Type).CanInt() && !reflect.Zero(field.Type).CanUint() && !reflect.Zero(field.Type).CanFloat() {
			continue
		}
		r, ok := ranges[field.Name]
		if !ok {
			t.Errorf("%v.%s has no range", kind, field.Name)
			continue
		}
		seen++
		for _, n := range []int64{math.MinInt64, -1, 0, 1, r.least - 1, r.least, r.most, r.most + 1, math.MaxInt64} {
			var o Options
			if v := reflect.ValueOf(&o).Elem().Field(i); v.CanInt() {
				v.SetInt(n)
			} else {
				v.SetUint(uint64(n)) // one that is negative is beyond all
			}
			dir := filepath.Join(t.TempDir(), "store")
			err := open(dir, &o)
			if fits := n == 0 || n >= r.least && n <= r.most; fits != (err == nil) {
				t.Errorf("%v.%s is %d: %v, want it to be taken: %t", kind, field.Name, n, err, fits)
			}
			if _, there := os.Stat(dir); err != nil && !errors.Is(there, fs.ErrNotExist) {
				t.Errorf("%v.%s is %d: something was made: %v", kind, field.Name, n, there)
			}
			os.RemoveAll(dir)
		}
	}
	if seen != len(ranges) {
		t.Errorf("%v has %d numbers, %d have a range", kind, seen, len(ranges))
	}
}
