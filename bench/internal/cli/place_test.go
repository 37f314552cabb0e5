package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

// What is made in a place is gone afterwards, also after an error, and nothing else.
func TestPlace(t *testing.T) {
	parent, broken := t.TempDir(), errors.New("broken")
	if err := os.WriteFile(filepath.Join(parent, "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := cli.Place{Dir: parent}
	for _, want := range []error{nil, broken} {
		err := p.In(func(dir string) error {
			if filepath.Dir(dir) != parent {
				t.Errorf("%s is not in %s", dir, parent)
			}
			if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
				t.Error(err)
			}
			return want
		})
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 1 || left[0].Name() != "other" {
		t.Errorf("left are %v, %v", left, err)
	}
	p.Dir = filepath.Join(parent, "missing")
	if err := p.In(func(string) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
}
