package index_test

import (
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/indextest"
)

func TestMemory(t *testing.T) {
	indextest.Run(t, func(*testing.T) index.Store { return index.NewMemory() })
}

func TestBadger(t *testing.T) {
	indextest.Run(t, func(t *testing.T) index.Store { return openBadger(t, t.TempDir()) })
}

func openBadger(t testing.TB, dir string) *index.Badger {
	t.Helper()
	b, err := index.OpenBadger(t.Context(), dir, &index.BadgerOptions{Alarm: func(err error) { t.Errorf("alarm: %v", err) }})
	if err != nil {
		t.Fatalf("OpenBadger: %v", err)
	}
	return b
}
