package engine_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// volumeKinds are the kinds of volume that tests run with.
var volumeKinds = []engine.VolumeKind{
	engine.VolumesBadger, engine.VolumesLog, engine.VolumesBadgerFormat,
}

// forVolumeKinds runs a test with each kind of volume.
func forVolumeKinds(t *testing.T, test func(t *testing.T, k engine.VolumeKind)) {
	for _, k := range volumeKinds {
		t.Run(string(k), func(t *testing.T) { test(t, k) })
	}
}

// volumeLogs returns the paths of the files of a store in which chunks lie, in order of the
// volumes. There must be one.
func volumeLogs(t *testing.T, dir string) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"*.log", "*.badger/000001.vlog"} {
		found, err := filepath.Glob(filepath.Join(dir, "volumes", pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		t.Fatalf("%s has no volumes", dir)
	}
	slices.Sort(paths)
	return paths
}

// removeVolume removes the volume with this log.
func removeVolume(t *testing.T, log string) {
	t.Helper()
	if filepath.Ext(log) == ".vlog" {
		log = filepath.Dir(log)
	}
	if err := os.RemoveAll(log); err != nil {
		t.Fatal(err)
	}
}
