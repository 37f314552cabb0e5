package volumes_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// forKinds runs a test for each kind of volume.
func forKinds(t *testing.T, test func(t *testing.T, k volumes.Kind)) {
	for _, k := range []volumes.Kind{volumes.Badger, volumes.BadgerFormat, volumes.Log} {
		t.Run(string(k), func(t *testing.T) { test(t, k) })
	}
}

// forWriters runs a test for each of those who may write a Badger volume.
func forWriters(t *testing.T, test func(t *testing.T, k volumes.Kind)) {
	for _, k := range []volumes.Kind{volumes.Badger, volumes.BadgerFormat} {
		t.Run(string(k), func(t *testing.T) { test(t, k) })
	}
}

// suffixOf is how the names of volumes of a kind end.
func suffixOf(k volumes.Kind) string {
	if k == volumes.Log {
		return "log"
	}
	return "badger"
}

// logsIn returns the paths of the logs of all volumes in dir, in order of their numbers.
func logsIn(t *testing.T, dir string) []string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	valueLogs, globErr := filepath.Glob(filepath.Join(dir, "*.badger", "000001.vlog"))
	if err != nil || globErr != nil || len(logs)+len(valueLogs) == 0 {
		t.Fatal(logs, valueLogs, err, globErr)
	}
	logs = append(logs, valueLogs...)
	slices.Sort(logs)
	return logs
}

// onlyLog returns the path of the log of the only volume in dir.
func onlyLog(t *testing.T, dir string) string {
	t.Helper()
	logs := logsIn(t, dir)
	if len(logs) != 1 {
		t.Fatalf("logs: %v", logs)
	}
	return logs[0]
}

// filesBelow returns the paths of all files below dir.
func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestChangeOfKind opens a store of one kind with options for the other one, and again. What was
// there is read, also in volumes that were not sealed, and is outdated; what comes is of the new
// kind.
func TestChangeOfKind(t *testing.T) {
	ctx := context.Background()
	dir, image := t.TempDir(), t.TempDir()
	refs := map[volumes.Kind][]blob.Ref{}
	for _, k := range []volumes.Kind{volumes.Log, volumes.Badger, volumes.BadgerFormat, volumes.Log} {
		s := open(t, dir, small(k))
		old, err := s.Volumes(ctx)
		if err != nil {
			t.Fatal(err)
		}
		refs[k] = fill(t, s)
		infos, err := s.Volumes(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range infos {
			name := filepath.Join(dir, fmt.Sprintf("%016x.%s", v.ID, suffixOf(k)))
			_, err := os.Stat(name)
			if v.Outdated != errors.Is(err, fs.ErrNotExist) {
				t.Errorf("volume %d is outdated: %t; %v", v.ID, v.Outdated, err)
			}
			known := slices.ContainsFunc(old, func(o blob.VolumeInfo) bool { return o.ID == v.ID })
			if v.Outdated && !known {
				t.Errorf("volume %d is new and of the old kind", v.ID)
			}
		}
		for kind, refs := range refs {
			if n := readable(t, s, refs); n != testFrames {
				t.Errorf("of kind %s %d frames are readable", kind, n)
			}
		}
		if k == volumes.Badger { // with active volumes of one kind beside sealed ones of the other
			copyTree(t, image, dir)
			seen := open(t, image, small(volumes.Log))
			for kind, refs := range refs {
				if n := readable(t, seen, refs); n != testFrames {
					t.Errorf("after a kill, of kind %s %d frames are readable", kind, n)
				}
			}
			if err := seen.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVolumeTwice opens a store in which a number was given twice. The store says so, and goes on
// with one of them.
func TestVolumeTwice(t *testing.T) {
	dir := t.TempDir()
	o := small(volumes.Log)
	s := open(t, dir, o)
	refs := fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	twin := filepath.Join(dir, fmt.Sprintf("%016x.badger", refs[0].Volume))
	if err := os.Mkdir(twin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(twin, "VOLUME"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var alarms int
	o.Alarm = func(error) { alarms++ }
	s = open(t, dir, o)
	defer s.Close()
	if alarms == 0 {
		t.Error("nobody was told")
	}
	if n := readable(t, s, refs); n < testFrames/2 {
		t.Errorf("%d frames are readable", n)
	}
}
